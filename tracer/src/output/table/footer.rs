//! The lines below the table: what the run could see, the thresholds in force, and when and where it
//! ran.

use tracer_core::{Note, Report};

use super::text::{Paint, wrap};
use crate::{
    output::{Context, coverage, escape, incident, words},
    program,
};

/// Notes, then the line that says whether everything was seen, then how, when and where it ran.
/// `has_leaks`: some are listed, so the first line does not say what is too early to tell.
pub(super) fn lines(
    report: &Report,
    context: &Context,
    has_leaks: bool,
    width: usize,
    paint: Paint,
) -> Vec<String> {
    let coverage = &report.coverage;
    let mut lines = Vec::new();
    if let Some(recently_closed) = coverage.recently_closed.as_ref().filter(|_| has_leaks) {
        let text = words::recently_closed(recently_closed, report.options.idle_ms);
        lines.extend(wrap("Note: ", &text, width));
    }
    let probes = coverage::probes_missing(coverage).map(words::probe);
    let notes = coverage.notes.iter().filter(|note| has_leaks || !explains_nothing_found(note));
    for note in probes.chain(notes.map(words::note)) {
        lines.extend(wrap("Note: ", &escape::sentence(&note), width));
    }
    let observed = [coverage::observed(report), coverage::completeness(coverage)];
    let observed: Vec<String> =
        observed.into_iter().chain(coverage::not_judged(coverage)).collect();
    let observed = wrap("", &observed.join(" "), width);
    if coverage.complete {
        lines.extend(observed);
    } else {
        lines.extend(observed.iter().map(|line| paint.warning(line)));
    }
    for text in [settings(report, context), origin(report, context)] {
        lines.extend(wrap("", &text, width).iter().map(|line| paint.dim(line)));
    }
    lines
}

/// Whether the first line of a report without leaks has the note: the run may have been about the
/// wrong process.
pub(super) const fn explains_nothing_found(note: &Note) -> bool {
    matches!(note, Note::DescendantsNotObserved { .. })
}

/// `Thresholds: --idle 1m, --min-count 5. Command: tracer audit --pid 4711`.
fn settings(report: &Report, context: &Context) -> String {
    let tracer = program::name();
    let command = incident::command_line(&context.arguments);
    let recorded = context.recorded_with.as_deref().map(incident::command_line);
    let recorded = recorded.map(|it| format!(". Recorded with: {tracer} {it}")).unwrap_or_default();
    let thresholds = words::thresholds(&report.options);
    format!("Thresholds: {thresholds}. Command: {tracer} {command}{recorded}").trim_end().to_owned()
}

/// `tracer 0.1.0 on web1, 2026-03-01 12:00:03 UTC`.
fn origin(report: &Report, context: &Context) -> String {
    let (host, at) = (escape::visible(&context.host), time(report, context));
    format!("tracer {} on {host}, {at}", context.version)
}

/// `2026-03-01 12:00:03 UTC`: the time of the report.
pub(super) fn time(report: &Report, context: &Context) -> String {
    let at = context.clock.rfc3339(report.at);
    // Seconds are enough here; the milliseconds are in the exports.
    let at = at.split('.').next().unwrap_or_default().replace('T', " ");
    format!("{at} UTC")
}
