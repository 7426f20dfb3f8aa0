//! The influence of the thresholds: audits of the same programs with other values.

use anyhow::Result;
use comfy_table::{Table, presets};

use super::label::Mode;
use super::matrix::Score;
use super::observed::Record;
use super::outcome::JudgedCase;
use super::pace::Pace;
use super::watch::Tracer;

/// Values of `--idle`, relative to the one that sets the pace of the programs.
const IDLE_SHARES: [f64; 6] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0];
/// Values of `--min-count`.
const COUNTS: [u64; 6] = [1, 2, 3, 5, 10, 20];

/// An audit with other thresholds.
pub(crate) struct Variant {
    pub(crate) name: String,
    pub(crate) record: Record,
}

/// Audits with each value of `--idle`, then with each value of `--min-count`.
///
/// # Errors
/// If an audit fails.
pub(crate) fn run(tracer: &Tracer, pace: &Pace) -> Result<Vec<Variant>> {
    let mut variants = Vec::new();
    for share in IDLE_SHARES {
        let idle = pace.idle.mul_f64(share);
        let flags = ["--idle".to_owned(), format!("{}ms", idle.as_millis())];
        let record = tracer.audit_with(&flags)?;
        variants.push(Variant { name: format!("--idle × {share}"), record });
    }
    for count in COUNTS {
        let record = tracer.audit_with(&["--min-count".to_owned(), count.to_string()])?;
        variants.push(Variant { name: format!("--min-count {count}"), record });
    }
    Ok(variants)
}

/// The results of each variant.
pub(crate) fn table(names: &[String], rows: &[&JudgedCase]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "audit with",
        "leaks flagged",
        "only possible",
        "missed",
        "healthy flagged",
        "only possible",
        "quiet",
    ]);
    for (index, name) in names.iter().enumerate() {
        let judged: Vec<JudgedCase> = rows
            .iter()
            .filter_map(|row| {
                let audit = row.variants.get(index)?.clone();
                Some(JudgedCase { audit, ..(*row).clone() })
            })
            .collect();
        let score = Score::of_tracer(&judged.iter().collect::<Vec<_>>(), Mode::Audit);
        let numbers = [
            score.leaks_flagged,
            score.leaks_possible,
            score.leaks_missed,
            score.healthy_flagged,
            score.healthy_possible,
            score.healthy_quiet,
        ];
        let mut cells = vec![name.clone()];
        cells.extend(numbers.iter().map(u64::to_string));
        table.add_row(cells);
    }
    table
}
