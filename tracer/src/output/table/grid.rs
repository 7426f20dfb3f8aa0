//! A table without lines that chooses its columns to fit a width.

use comfy_table::{
    CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets::NOTHING,
};

use super::text::{clip_end, clip_middle, clip_start, width};

/// Columns between two columns.
const GAP: usize = 2;

/// One column of a table.
pub(super) struct Column {
    pub(super) heading: &'static str,
    pub(super) cells: Vec<String>,
    /// Whether the cells are numbers, which are right-aligned.
    pub(super) is_number: bool,
    pub(super) shrink: Shrink,
}

/// How a column can be made narrower.
pub(super) enum Shrink {
    Never,
    /// Shorten every cell to no less than this many columns by omitting the middle.
    Middle(usize),
    /// Like `Middle`, but the beginning is omitted.
    Start(usize),
    /// Like `Middle`, but the end is omitted.
    End(usize),
    /// Replace the cells by these.
    To(Vec<String>),
}

/// A step from the narrowest table to the widest.
pub(super) enum LayoutStep {
    /// Show the column with this heading at its minimum width.
    Add(&'static str),
    /// Widen the column to its full width.
    Widen(&'static str),
}

/// A table laid out.
pub(super) struct Grid {
    /// The heading, then one line per row, without trailing spaces.
    pub(super) lines: Vec<String>,
    /// The position at which each shown column begins, in columns of the terminal.
    starts: Vec<(&'static str, usize)>,
    /// Headings for which there was no room.
    pub(super) hidden: Vec<&'static str>,
}

impl Grid {
    /// Where a column begins, if it is shown.
    pub(super) fn start_of(&self, heading: &str) -> Option<usize> {
        self.starts.iter().find(|(shown, _)| *shown == heading).map(|&(_, start)| start)
    }

    /// Takes the `essential` columns, then each step for which there is room, in that order. The
    /// table is wider than `width_max` only if the essential columns alone are.
    pub(super) fn new(
        columns: Vec<Column>,
        essential: &[&str],
        steps: &[LayoutStep],
        width_max: usize,
    ) -> Self {
        let mut choices: Vec<Choice> = columns.into_iter().map(Choice::new).collect();
        for choice in &mut choices {
            choice.is_shown = essential.contains(&choice.column.heading);
        }
        for step in steps {
            let used = total(&choices);
            let (LayoutStep::Add(heading) | LayoutStep::Widen(heading)) = step;
            let Some(choice) = choices.iter_mut().find(|it| it.column.heading == *heading) else {
                continue;
            };
            match step {
                LayoutStep::Add(_) => {
                    choice.is_shown = choice.is_shown || used + GAP + choice.width <= width_max;
                }
                LayoutStep::Widen(_) => choice.widen(width_max.saturating_sub(used)),
            }
        }
        render(&choices)
    }
}

struct Choice {
    column: Column,
    is_shown: bool,
    width_full: usize,
    width: usize,
}

impl Choice {
    fn new(column: Column) -> Self {
        let widest = |cells: &[String]| {
            cells.iter().map(|cell| width(cell)).max().unwrap_or(0).max(column.heading.len())
        };
        let width_full = widest(&column.cells);
        let width = match &column.shrink {
            Shrink::Never => width_full,
            Shrink::Middle(least) | Shrink::Start(least) | Shrink::End(least) => {
                width_full.min((*least).max(column.heading.len()))
            }
            Shrink::To(cells) => width_full.min(widest(cells)),
        };
        Self { column, is_shown: false, width_full, width }
    }

    fn widen(&mut self, room: usize) {
        if !self.is_shown {
            return;
        }
        let wanted = self.width_full - self.width;
        let given = match self.column.shrink {
            Shrink::To(_) if wanted > room => 0,
            _ => wanted.min(room),
        };
        self.width += given;
    }

    fn cell(&self, row: usize) -> String {
        let cell = &self.column.cells[row];
        match &self.column.shrink {
            Shrink::Middle(_) => clip_middle(cell, self.width),
            Shrink::Start(_) => clip_start(cell, self.width),
            Shrink::End(_) => clip_end(cell, self.width),
            Shrink::To(cells) if self.width < self.width_full => cells[row].clone(),
            Shrink::Never | Shrink::To(_) => cell.clone(),
        }
    }
}

fn total(choices: &[Choice]) -> usize {
    let shown = choices.iter().filter(|choice| choice.is_shown);
    shown.map(|choice| choice.width + GAP).sum::<usize>().saturating_sub(GAP)
}

fn render(choices: &[Choice]) -> Grid {
    let (shown, hidden): (Vec<_>, Vec<_>) = choices.iter().partition(|choice| choice.is_shown);
    let mut table = Table::new();
    table
        .force_no_tty()
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(shown.iter().map(|choice| choice.column.heading));
    let rows = shown.first().map_or(0, |choice| choice.column.cells.len());
    for row in 0..rows {
        table.add_row(shown.iter().map(|choice| choice.cell(row)));
    }
    let gap = u16::try_from(GAP).unwrap_or(1);
    for (column, choice) in table.column_iter_mut().zip(&shown) {
        column.set_padding((0, gap));
        // A cell shortened between two wide characters may be narrower than its column.
        let width = u16::try_from(choice.width).unwrap_or(u16::MAX).saturating_add(gap);
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        if choice.column.is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut starts = Vec::with_capacity(shown.len());
    let mut start = 0;
    for choice in &shown {
        starts.push((choice.column.heading, start));
        start += choice.width + GAP;
    }
    Grid {
        lines: table.lines().map(|line| line.trim_end().to_owned()).collect(),
        starts,
        hidden: hidden.iter().map(|choice| choice.column.heading).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::needless_raw_string_hashes, reason = "that is how expect-test writes them")]

    use expect_test::{Expect, expect};

    use super::*;

    const STEPS: [LayoutStep; 3] =
        [LayoutStep::Add("SIZE"), LayoutStep::Widen("NAME"), LayoutStep::Widen("KIND")];

    fn check(width_max: usize, starts: &[(&str, usize)], expected: &Expect) {
        let text = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
        let column = |heading, cells, is_number, shrink| Column {
            heading,
            cells: text(cells),
            is_number,
            shrink,
        };
        let columns = vec![
            column("NAME", ["short", "日本語日本語"], false, Shrink::End(9)),
            column("SIZE", ["1\u{a0}204", "7"], true, Shrink::Never),
            column("KIND", ["established", "x"], false, Shrink::To(text(["estab", "x"]))),
        ];
        let grid = Grid::new(columns, &["NAME", "KIND"], &STEPS, width_max);
        expected.assert_eq(&grid.lines.join("\n"));
        assert_eq!(grid.starts, starts);
        assert_eq!(grid.hidden.is_empty(), grid.start_of("SIZE").is_some());
    }

    #[test]
    fn columns_come_and_widen_as_there_is_room() {
        check(
            10,
            &[("NAME", 0), ("KIND", 11)],
            &expect![[r#"
            NAME       KIND
            short      estab
            日本語..   x"#]],
        );
        check(
            22,
            &[("NAME", 0), ("KIND", 14)],
            &expect![[r#"
            NAME          KIND
            short         estab
            日本語日本語  x"#]],
        );
        check(
            23,
            &[("NAME", 0), ("SIZE", 11), ("KIND", 18)],
            &expect![[r#"
            NAME        SIZE  KIND
            short      1 204  estab
            日本語..       7  x"#]],
        );
        check(
            32,
            &[("NAME", 0), ("SIZE", 14), ("KIND", 21)],
            &expect![[r#"
            NAME           SIZE  KIND
            short         1 204  established
            日本語日本語      7  x"#]],
        );
    }
}
