//! The results, as Markdown: the terminal shows what a file gets.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, thread};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};

/// Where the summary goes in README.md.
const MARKS: [&str; 2] = ["<!-- cargo xtask bench --write -->\n", "<!-- end -->\n"];

/// What was measured so far.
pub(super) struct Sheet {
    /// The machine and the command.
    head: String,
    /// What it comes to, beside what was wanted.
    summary: Vec<[String; 5]>,
    /// Everything.
    details: String,
}

impl Sheet {
    /// Begins with the machine and the command.
    pub(super) fn new() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or("processor").trim_start_matches([' ', '\t', ':']);
        let count = thread::available_parallelism().map_or(1, usize::from);
        let arguments: Vec<String> = env::args().skip(1).collect();
        let head = format!(
            "Linux {}, {count} × {model}; `cargo xtask {}`; medians, with the least and the greatest.",
            release.trim(),
            arguments.join(" ")
        );
        println!("\n{head}");
        Self { head, summary: Vec::new(), details: String::new() }
    }

    /// A line of the summary: what was measured, of tracer and of what it is compared with, how much
    /// better that is, and what was wanted.
    pub(super) fn conclude(&mut self, row: [&str; 5]) {
        self.summary.push(row.map(str::to_owned));
    }

    /// A sentence for itself, without its full stop.
    pub(super) fn text(&mut self, sentence: &str) {
        self.add(&format!("{sentence}.\n"));
    }

    /// A table below a heading. All columns but the first hold numbers.
    pub(super) fn table<const N: usize>(
        &mut self,
        heading: &str,
        header: [&str; N],
        rows: impl IntoIterator<Item = [String; N]>,
    ) {
        self.add(&format!("## {heading}\n\n{}\n", markdown(header, rows)));
    }

    /// The machine, the command and the summary.
    pub(super) fn summary(&self) -> String {
        let header = ["", "tracer", "beside it", "ratio", "wanted"];
        format!("{}\n\n{}\n", self.head, markdown(header, self.summary.iter().cloned()))
    }

    fn add(&mut self, piece: &str) {
        println!("\n{}", piece.trim_end());
        // Writing to a string cannot fail.
        let _ = writeln!(self.details, "{piece}");
    }

    /// Writes everything to one file, and the summary to its place in another.
    ///
    /// # Errors
    /// If one cannot be written, or has no place for it.
    pub(super) fn save(&self, everything: &Path, readme: &Path) -> Result<()> {
        let summary = self.summary();
        let title = "# What was measured";
        let text = format!("{title}\n\n{summary}\n{}\n", self.details.trim_end());
        fs::write(everything, text)
            .with_context(|| format!("cannot write {}", everything.display()))?;
        let text = fs::read_to_string(readme)
            .with_context(|| format!("cannot read {}", readme.display()))?;
        let text = between(&text, MARKS, &summary)
            .with_context(|| format!("{} has no place for it", readme.display()))?;
        fs::write(readme, text).with_context(|| format!("cannot write {}", readme.display()))
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

/// The text with something else between the two marks.
fn between(text: &str, [start, end]: [&str; 2], new: &str) -> Option<String> {
    let (before, rest) = text.split_once(start)?;
    let (_, after) = rest.split_once(end)?;
    Some(format!("{before}{start}\n{new}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stood_between_the_marks_is_replaced() {
        let marks = ["<a>\n", "<b>\n"];
        let text = "one\n<a>\nold\n<b>\ntwo\n";
        assert_eq!(between(text, marks, "new\n").unwrap(), "one\n<a>\n\nnew\n\n<b>\ntwo\n");
        assert_eq!(between("one\n<a>\n", marks, ""), None);
    }
}
