//! The findings that are not listed, counted by verdict.

use tracer_core::{Confidence, Report};

use super::{
    grid::{Column, Grid, LayoutStep, Shrink},
    text::Paint,
};
use crate::output::{listing, quantity::grouped, words};

const ESSENTIAL: [&str; 3] = ["NOT LISTED", "FINDINGS", "LIST WITH"];

const STEPS: [LayoutStep; 2] = [LayoutStep::Add("CONNECTIONS"), LayoutStep::Add("PROCESSES")];

/// A heading, then one line for each verdict; nothing if all findings are listed.
pub(super) fn lines(report: &Report, least: Confidence, width: usize, paint: Paint) -> Vec<String> {
    let folded = listing::folded(report, least);
    if folded.is_empty() {
        return Vec::new();
    }
    let number = |heading, count: fn(&listing::Folded) -> usize| {
        let cells = folded.iter().map(|it| grouped(count(it) as u64)).collect();
        Column { heading, cells, is_number: true, shrink: Shrink::Never }
    };
    let text = |heading, cell: fn(&listing::Folded) -> String| {
        let cells = folded.iter().map(cell).collect();
        Column { heading, cells, is_number: false, shrink: Shrink::Never }
    };
    let columns = vec![
        text("NOT LISTED", |it| format!("{} ({})", it.verdict, it.confidence)),
        number("FINDINGS", |it| it.findings),
        number("CONNECTIONS", |it| it.connections),
        number("PROCESSES", |it| it.processes),
        text("LIST WITH", |it| words::show_option(it.confidence).to_owned()),
    ];
    let lines = Grid::new(columns, &ESSENTIAL, &STEPS, width).lines;
    lines.iter().map(|line| paint.dim(line)).collect()
}
