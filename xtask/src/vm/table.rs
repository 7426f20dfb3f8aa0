//! The results: which tests passed on which kernel, with which attach method.

use comfy_table::{Table, presets};

use crate::tally::Tally;

/// A row of the table.
pub(super) struct Row {
    pub(super) kernel: String,
    pub(super) attach_method: &'static str,
    pub(super) subject: String,
    pub(super) tally: Tally,
    /// Duration of the boot and its tests, on the first row of each boot.
    pub(super) seconds: Option<u64>,
}

/// All rows, in order.
pub(super) fn of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "kernel",
        "attach method",
        "tests",
        "passed",
        "failed",
        "skipped",
        "boot (s)",
    ]);
    for row in rows {
        let Tally { passed, failed, skipped } = row.tally;
        table.add_row([
            row.kernel.clone(),
            row.attach_method.to_owned(),
            row.subject.clone(),
            passed.to_string(),
            failed.to_string(),
            skipped.to_string(),
            row.seconds.map(|seconds| seconds.to_string()).unwrap_or_default(),
        ]);
    }
    table
}
