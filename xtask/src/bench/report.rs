//! The results in Markdown, for the terminal and for files.

use std::fmt::Write as _;
use std::{env, fs, thread};

use anyhow::Result;
use comfy_table::{CellAlignment, Table, presets};

use crate::figures;

/// The measurements so far.
pub(super) struct BenchReport {
    /// The host and the command.
    head: String,
    /// The most important results, with their targets.
    summary: Vec<[String; 5]>,
    /// All tables.
    details: String,
}

impl BenchReport {
    /// Begins with the host and the command.
    pub(super) fn new() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or("CPU").trim_start_matches([' ', '\t', ':']);
        let count = thread::available_parallelism().map_or(1, usize::from);
        let arguments: Vec<String> = env::args().skip(1).collect();
        let head = format!(
            "Linux {}, {count} × {model}; `cargo xtask {}`; medians, with minimum and maximum.",
            release.trim(),
            arguments.join(" ")
        );
        println!("\n{head}");
        Self { head, summary: Vec::new(), details: String::new() }
    }

    /// Adds a line to the summary: the measurement, tracer's result, the result for comparison, the
    /// ratio, and the target.
    pub(super) fn summarize(&mut self, row: [&str; 5]) {
        self.summary.push(row.map(str::to_owned));
    }

    /// Adds a sentence, given without its full stop.
    pub(super) fn text(&mut self, sentence: &str) {
        self.add(&format!("{sentence}.\n"));
    }

    /// Adds a table with a heading. All columns but the first have numbers.
    pub(super) fn table<const N: usize>(
        &mut self,
        heading: &str,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        self.add(&format!("## {heading}\n\n{}\n", markdown(header, rows)));
    }

    /// The host, the command and the summary.
    pub(super) fn summary(&self) -> String {
        let header = ["", "tracer", "compared with", "ratio", "target"];
        format!("{}\n\n{}\n", self.head, markdown(header, self.summary.iter().cloned()))
    }

    fn add(&mut self, text: &str) {
        println!("\n{}", text.trim_end());
        // Writing to a String does not fail.
        let _ = writeln!(self.details, "{text}");
    }

    /// Writes everything to docs/benchmark.md, and the summary to the pages that show it.
    ///
    /// # Errors
    /// If a file cannot be read or written.
    pub(super) fn publish(&self) -> Result<()> {
        let summary = self.summary();
        let all = format!("# Measurements\n\n{summary}\n{}\n", self.details.trim_end());
        figures::publish_benchmark(&all, &summary)
    }
}

fn markdown<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(header);
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
