//! How many file descriptors the processes have open.

use std::collections::BTreeSet;

use tracer_core::{Goroutines, ProcessKey, ProcessSummary, Report};

use super::{style::Style, text::wrap};
use crate::output::{
    listing,
    quantity::{self, counted, grouped},
    words,
};

/// The maximum number of processes listed: those nearest to their limit.
const PROCESSES_MAX: usize = 20;

/// One line for each process: `api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in
/// findings, 7 not connected); +23 TCP fds/min: limit reached in about 46h`; with `--wide`, also its
/// goroutines.
pub(super) fn lines(report: &Report, shown: &[&ProcessSummary], style: Style) -> Vec<String> {
    let width = usize::from(style.width);
    let line = |summary: &&ProcessSummary| {
        let text = process_line(summary, flagged(report, summary.key), style.wide);
        wrap("", &text, width)
    };
    let mut nearest = shown.to_vec();
    nearest.sort_by_key(|it| listing::distance_to_limit(it));
    nearest.truncate(PROCESSES_MAX);
    let mut lines: Vec<String> = nearest.iter().flat_map(line).collect();
    if let Some(omitted @ 1..) = shown.len().checked_sub(PROCESSES_MAX) {
        let more = counted(omitted as u64, "more process", "more processes");
        let text = format!("and {more}, farther from their limits; -o json has all");
        lines.extend(wrap("", &text, width));
    }
    lines
}

/// How many connections of a process are in active findings.
fn flagged(report: &Report, process: ProcessKey) -> u64 {
    let findings = report.findings.iter();
    let active = findings.filter(|it| it.process == process && it.retracted_at.is_none());
    let ids: BTreeSet<_> = active.flat_map(|it| &it.connections).map(|it| it.id).collect();
    ids.len() as u64
}

fn process_line(summary: &ProcessSummary, flagged: u64, wide: bool) -> String {
    let parts =
        part_of_them(&[(flagged, "in findings"), (summary.fds_not_connected, "not connected")]);
    let tcp = format!("{} TCP{parts}", grouped(summary.tcp_fds));
    let fds = match (summary.open_fds, summary.fd_limit) {
        (Some(open), Some(limit)) => {
            format!("{} of {} fds open ({tcp})", grouped(open), grouped(limit))
        }
        (Some(open), None) => format!("{} ({tcp})", counted(open, "fd open", "fds open")),
        (None, limit) => {
            let limit = limit.map(|limit| format!("; fd limit {}", grouped(limit)));
            let fds = counted(summary.tcp_fds, "TCP fd", "TCP fds");
            format!("{fds}{parts}{}", limit.unwrap_or_default())
        }
    };
    // At its limit, the number cannot rise.
    let is_full = summary.open_fds.zip(summary.fd_limit).is_some_and(|(open, limit)| open >= limit);
    let growth = summary.growth_per_min_milli.filter(|_| !is_full).map(|growth| {
        let rate = quantity::growth(Some(growth), summary.growth_is_reconstructed);
        // Says what is counted: the growth of a finding counts its connections.
        let rate = rate.replacen('/', " TCP fds/", 1);
        match summary.seconds_to_fd_limit.map(quantity::prediction_s) {
            Some(until) => format!("{rate}: limit reached in about {until}"),
            None => rate,
        }
    });
    let goroutines = summary.goroutines.filter(|_| wide).map(goroutines);
    let parts: Vec<_> = [Some(fds), growth, goroutines].into_iter().flatten().collect();
    format!("{}: {}", words::named(summary.key, &summary.comm.0), parts.join("; "))
}

/// `, 1,204 of them in findings, 7 not connected`, without what is 0.
fn part_of_them(parts: &[(u64, &str)]) -> String {
    let parts = parts.iter().filter(|(count, _)| *count > 0).enumerate();
    let parts = parts.map(|(number, (count, what))| {
        let of_them = if number == 0 { " of them" } else { "" };
        format!(", {}{of_them} {what}", grouped(*count))
    });
    parts.collect()
}

/// `1,230 goroutines, 604 in readLoop, 604 in writeLoop`: the number that a program's own metrics
/// show, and the part that belongs to connections of its HTTP client.
fn goroutines(goroutines: Goroutines) -> String {
    format!(
        "{}, {} in readLoop, {} in writeLoop",
        counted(goroutines.total, "goroutine", "goroutines"),
        grouped(goroutines.read_loops),
        grouped(goroutines.write_loops),
    )
}
