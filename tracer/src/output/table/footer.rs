//! What the run could see, and when and where it ran.

use tracer_core::{Coverage, Report};

use super::text::{Paint, wrap};
use crate::output::{
    Context, coverage, escape,
    quantity::{counted, duration_ms},
    words,
};

/// Notes, then the line that says whether everything was seen, then when and where.
pub(super) fn lines(report: &Report, context: &Context, width: usize, paint: Paint) -> Vec<String> {
    let coverage = &report.coverage;
    let mut lines = Vec::new();
    let probes = coverage::probes_missing(coverage).map(words::probe);
    for note in probes.chain(coverage.notes.iter().map(words::note)) {
        lines.extend(wrap("Note: ", &escape::sentence(&note), width));
    }
    let seen = wrap("", &seen(coverage), width);
    if coverage.complete {
        lines.extend(seen);
    } else {
        lines.extend(seen.iter().map(|line| paint.warning(line)));
    }
    lines.extend(wrap("", &colophon(report, context), width).iter().map(|line| paint.dim(line)));
    lines
}

/// `Seen: 10 234 TCP sockets, 3 snapshots, 0 events lost. Complete.`
fn seen(coverage: &Coverage) -> String {
    let lost = coverage::events_lost(&coverage.loss);
    let gaps = coverage::gaps(coverage).join(", ");
    let verdict = match (coverage.complete, gaps.is_empty()) {
        (true, true) if lost > 0 => "Complete: later snapshots made up for the loss.".to_owned(),
        (true, true) => "Complete.".to_owned(),
        (true, false) => format!("Complete, although {gaps}."),
        (false, true) if lost > 0 => {
            "NOT COMPLETE: no later snapshot has made up for the loss.".to_owned()
        }
        (false, true) => "NOT COMPLETE.".to_owned(),
        (false, false) => format!("NOT COMPLETE: {gaps}."),
    };
    let kinds = coverage.not_judged.iter().map(|(kind, count)| counted(*count, kind, kind));
    let kinds = kinds.collect::<Vec<_>>().join(", ");
    let not_judged =
        if kinds.is_empty() { String::new() } else { format!(" Not judged: {kinds}.") };
    format!(
        "Seen: {}, {}, {} lost. {verdict}{not_judged}",
        counted(coverage.sockets, "TCP socket", "TCP sockets"),
        counted(coverage.snapshots, "snapshot", "snapshots"),
        counted(lost, "event", "events"),
    )
}

/// `tracer 0.1.0 on web1, 2026-03-01 12:00:03 UTC, watched for 3s`.
fn colophon(report: &Report, context: &Context) -> String {
    let at = context.clock.rfc3339(report.at);
    // Seconds are enough here; the milliseconds are in the exports.
    let at = at.split('.').next().unwrap_or_default().replace('T', " ");
    let watched_ms = report.at.ms_since(report.started_at);
    let watched = match watched_ms {
        0 => String::new(),
        _ => format!(", watched for {}", duration_ms(watched_ms)),
    };
    format!("tracer {} on {}, {at} UTC{watched}", context.version, escape::visible(&context.host))
}
