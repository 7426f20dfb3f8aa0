//! Timelines with a report at short intervals.

use std::{format, string::String, vec::Vec};

use super::timeline;
use crate::Options;

/// The findings of one report, as `verdict confidence xN`.
pub(super) struct ReportAt {
    pub(super) at_s: u64,
    /// The findings above *possible*.
    pub(super) flagged: Vec<String>,
    /// The *possible* ones.
    pub(super) possible: Vec<String>,
}

/// Runs a timeline with a snapshot and a report every `every_s` seconds until `until_s`.
pub(super) fn watch(idle_ms: u64, every_s: u64, until_s: u64, timeline: &str) -> Vec<ReportAt> {
    let times = (0..=until_s / every_s).map(|number| number * every_s);
    let lines = times.clone().map(|at_s| format!("{at_s}s snapshot\n{at_s}s report\n"));
    let lines: String = lines.collect();
    let window_ms = Options::default().window_ms;
    let options = Options { idle_ms, window_ms, ..Options::default() };
    let text = timeline::run(&[timeline, "\n", &lines].concat(), options);
    let of = |report: &str, confidences: &[&str]| -> Vec<String> {
        let active =
            report.lines().filter(|line| line.contains('#') && !line.contains("retracted"));
        let is_wanted = |line: &&str| confidences.iter().any(|it| line.contains(it));
        active.filter(is_wanted).map(summary).collect()
    };
    let mut texts = text.split("\n[");
    let reports = times.map(|at_s| {
        let text = texts.next().unwrap();
        let flagged = of(text, &[" likely: ", " certain: "]);
        ReportAt { at_s, flagged, possible: of(text, &[" possible: "]) }
    });
    reports.collect()
}

/// `#1 close-wait likely: p10[10] outbound 10.0.0.1:443 x12, ...` as `close-wait likely x12`.
fn summary(line: &str) -> String {
    let (head, rest) = line.split_once(": ").unwrap();
    let name = head.split_once(' ').map_or(head, |_| head.trim_start());
    let name = name.split_once(' ').unwrap().1;
    let count = rest.split(' ').find(|word| word.starts_with('x') && word.ends_with(',')).unwrap();
    format!("{name} {}", count.trim_end_matches(','))
}

/// Asserts that no report has a finding above *possible*, with a short `--idle` and the default.
pub(super) fn check_healthy(until_s: u64, timeline: &str) {
    for (idle_ms, every_s) in [(10_000, 2), (60_000, 5)] {
        for report in watch(idle_ms, every_s, until_s, timeline) {
            let ReportAt { at_s, flagged, .. } = report;
            assert!(flagged.is_empty(), "--idle {idle_ms} ms, at {at_s} s: {flagged:#?}");
        }
    }
}

/// Asserts that exactly these findings are above *possible* at the end, with a short `--idle` and
/// the default.
pub(super) fn check_leaking(until_s: u64, timeline: &str, expected: &[&str]) {
    for (idle_ms, every_s) in [(10_000, 2), (60_000, 5)] {
        let reports = watch(idle_ms, every_s, until_s, timeline);
        let last = &reports.last().unwrap().flagged;
        assert_eq!(last, expected, "--idle {idle_ms} ms");
    }
}
