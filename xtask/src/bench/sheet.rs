//! The results, as Markdown: the terminal shows what a file gets.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, thread};

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, Table, presets};

/// What was measured so far.
pub(super) struct Sheet(String);

impl Sheet {
    /// Begins with the machine and the command.
    pub(super) fn new() -> Self {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name"));
        let model = model.unwrap_or("processor").trim_start_matches([' ', '\t', ':']);
        let count = thread::available_parallelism().map_or(1, usize::from);
        let arguments: Vec<String> = env::args().skip(1).collect();
        let mut sheet = Self(String::new());
        sheet.text(&format!(
            "Linux {}, {count} × {model}; `cargo xtask {}`; medians, with the least and the greatest",
            release.trim(),
            arguments.join(" ")
        ));
        sheet
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
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(header);
        for row in rows {
            table.add_row(row);
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        self.add(&format!("### {heading}\n\n{table}\n"));
    }

    fn add(&mut self, piece: &str) {
        println!("\n{}", piece.trim_end());
        // Writing to a string cannot fail.
        let _ = writeln!(self.0, "{piece}");
    }

    /// Writes it all to a file.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn save(&self, path: &Path) -> Result<()> {
        fs::write(path, &self.0).with_context(|| format!("cannot write {}", path.display()))
    }
}
