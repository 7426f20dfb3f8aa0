//! The processes that are at their limit of open files: they come first, because they are about to
//! fail or fail already.

use std::collections::BTreeSet;

use tracer_core::{Finding, ProcessKey, ProcessSummary, Report};

use super::text::{Paint, wrap};
use crate::output::{
    listing::{self, Row},
    words,
};

/// The maximum number of processes listed.
const PROCESSES_MAX: usize = 5;

/// One line for each process.
pub(super) fn lines(report: &Report, rows: &[Row<'_>], width: usize, paint: Paint) -> Vec<String> {
    let processes = listing::at_limit(report);
    let mut lines: Vec<String> = Vec::new();
    for summary in processes.iter().take(PROCESSES_MAX) {
        lines.extend(wrap("", &line(report, rows, summary), width));
    }
    if let Some(omitted @ 1..) = processes.len().checked_sub(PROCESSES_MAX) {
        lines.extend(wrap("", &words::more_at_fd_limit(omitted), width));
    }
    lines.iter().map(|line| paint.alarm(line)).collect()
}

fn line(report: &Report, rows: &[Row<'_>], summary: &ProcessSummary) -> String {
    let is_part = |row: &&Row<'_>| row.parts.iter().any(|it| it.process == summary.key);
    let listed: Vec<u64> = rows.iter().filter(is_part).map(|row| row.finding.id).collect();
    let parts = rows.iter().flat_map(|row| &row.parts).copied();
    let count = if listed.is_empty() {
        connections(report.findings.iter().filter(|it| it.retracted_at.is_none()), summary.key)
    } else {
        connections(parts, summary.key)
    };
    words::at_fd_limit(summary, count, &listed, report.options.idle_ms)
}

/// How many connections of a process are in these findings.
fn connections<'a>(findings: impl Iterator<Item = &'a Finding>, process: ProcessKey) -> u64 {
    let findings = findings.filter(|it| it.process == process);
    // Several findings can share an HTTP/2 connection.
    let ids: BTreeSet<_> = findings.flat_map(|it| &it.connections).map(|it| it.id).collect();
    ids.len() as u64
}
