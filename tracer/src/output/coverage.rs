//! What a run could see and what it could not, in words, and counts for all outputs.

use tracer_core::{Coverage, Loss, Probe, Report};

use super::{
    escape,
    quantity::{counted, duration_ms},
    words,
};

/// Lost events of all kinds: the `events_lost` of JSON and CSV.
pub(crate) const fn events_lost(loss: &Loss) -> u64 {
    loss.events()
}

/// What is missing, one phrase each; empty if nothing is missing.
pub(crate) fn gaps(coverage: &Coverage) -> Vec<String> {
    let mut gaps: Vec<String> = coverage.gaps().iter().map(words::note).collect();
    if coverage.processes_unreadable > 0 {
        let processes = counted(coverage.processes_unreadable, "process", "processes");
        gaps.push(format!("{processes} could not be read"));
    }
    gaps
}

/// The hooks that are not attached.
pub(crate) fn probes_missing(coverage: &Coverage) -> impl Iterator<Item = &Probe> {
    coverage.probes.iter().filter(|probe| !probe.is_attached())
}

/// `Observed 62 TCP sockets of 14 processes in 103 snapshots over 3m 20s, 1.5s apart (at most 4.1s);
/// no events lost.`
pub(crate) fn observed(report: &Report) -> String {
    let coverage = &report.coverage;
    let over = match report.at.ms_since(report.started_at) {
        0 => String::new(),
        milliseconds => format!(" over {}", duration_ms(milliseconds)),
    };
    let lost = match events_lost(&coverage.loss) {
        0 => "no events".to_owned(),
        lost => counted(lost, "event", "events"),
    };
    let apart = coverage.snapshot_interval.map(|it| {
        let [median, max] = [it.median_ms, it.max_ms].map(interval);
        format!(", {median} apart (at most {max})")
    });
    let apart = apart.unwrap_or_default();
    format!(
        "Observed {} of {} in {}{over}{apart}; {lost} lost.",
        counted(coverage.sockets, "TCP socket", "TCP sockets"),
        counted(coverage.processes, "process", "processes"),
        counted(coverage.snapshots, "snapshot", "snapshots"),
    )
}

/// `850ms`, `4.6s`, `12s`: rounded so that intervals of a few seconds are distinguishable.
fn interval(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => duration_ms(milliseconds),
        9_950.. => duration_ms(milliseconds.saturating_add(500)),
        _ => {
            let tenths = (milliseconds + 50) / 100;
            format!("{}.{}s", tenths / 10, tenths % 10)
        }
    }
}

/// Whether everything was seen, and if not, what is missing and what to do.
pub(crate) fn completeness(coverage: &Coverage) -> String {
    let mut gaps = gaps(coverage);
    let uncorrected = events_lost(&coverage.uncorrected);
    if uncorrected > 0 {
        let events = counted(uncorrected, "event was", "events were");
        gaps.push(format!("{events} lost since the latest snapshot began"));
    }
    let gaps = gaps.join(", ");
    if coverage.complete {
        let has_lost = events_lost(&coverage.loss) > 0;
        return match (gaps.is_empty(), has_lost) {
            (true, false) => "Coverage is complete.".to_owned(),
            (true, true) => "Coverage is complete: later snapshots corrected the loss.".to_owned(),
            (false, _) => format!("Coverage is complete now; earlier in the run, {gaps}."),
        };
    }
    let missing = if gaps.is_empty() { String::new() } else { format!(": {gaps}") };
    let remedy = remedy(coverage);
    format!("COVERAGE IS INCOMPLETE{missing}.{remedy}")
}

/// What to do about incomplete coverage, as a sentence after a space; empty if nothing is known to
/// help.
fn remedy(coverage: &Coverage) -> &'static str {
    if coverage.processes_unreadable > 0 {
        " Run as root, in the host's pid namespace."
    } else if coverage.outside_hidden {
        " Run in the host's pid namespace (docker run --pid=host), or name processes with --pid."
    } else if coverage.processes_stopped > 0 {
        " Run again once the stopped processes have resumed."
    } else if coverage.table_full > 0 || coverage.responses_full > 0 {
        " Select processes with --pid or --comm."
    } else if coverage.uncorrected.snapshots_failed > 0 || events_lost(&coverage.uncorrected) > 0 {
        " Run again, for longer."
    } else {
        ""
    }
}

/// `Not analyzed (not plain TCP): 2 mptcp, 1 smc.`, or nothing.
pub(crate) fn not_judged(coverage: &Coverage) -> Option<String> {
    let kinds = coverage.not_judged.iter().map(|(kind, count)| {
        let kind = escape::visible(kind);
        counted(*count, &kind, &kind)
    });
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    (!kinds.is_empty()).then(|| format!("Not analyzed (not plain TCP): {kinds}."))
}

#[cfg(test)]
mod tests {
    use tracer_core::SnapshotInterval;

    use super::*;
    use crate::output::fixture;

    #[test]
    fn the_interval_of_snapshots_is_shown() {
        let mut report = fixture::report(Vec::new());
        let interval = SnapshotInterval { median_ms: 4_620, max_ms: 23_600 };
        report.coverage.snapshot_interval = Some(interval);
        let text = observed(&report).replace('\u{a0}', " ");
        assert!(text.contains("in 3 snapshots over 3s, 4.6s apart (at most 24s);"), "{text}");
    }
}
