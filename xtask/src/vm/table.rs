//! The results: which tests passed on which kernel, by which rungs.

use comfy_table::{Table, presets};

use crate::tally::Tally;

/// A row of the table.
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) rung: &'static str,
    pub(super) subject: String,
    pub(super) tally: Tally,
    /// Seconds that the whole boot took, on the first row of each.
    pub(super) seconds: Option<u64>,
}

/// All rows, in order.
pub(super) fn of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["kernel", "rung", "tests", "passed", "failed", "skipped", "boot (s)"]);
    for row in rows {
        let Tally { passed, failed, skipped } = row.tally;
        table.add_row([
            row.kernel.clone(),
            row.rung.to_owned(),
            row.subject.clone(),
            passed.to_string(),
            failed.to_string(),
            skipped.to_string(),
            row.seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
        ]);
    }
    table
}
