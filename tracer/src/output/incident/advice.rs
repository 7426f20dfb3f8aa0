//! The steps that an incident report advises, and their order.

use tracer_core::Confidence;

use super::Incident;
use crate::output::words;

/// What to do next, the most urgent first.
pub(crate) fn steps(incident: &Incident<'_>) -> Vec<String> {
    let rows = incident.leak_rows();
    let Some(row) = rows.first() else { return without_leak(incident) };
    let leak = row.largest();
    let mut steps = Vec::new();
    if leak.confidence <= Confidence::Possible {
        steps.push(words::verification(leak, &incident.report.options));
        steps.push(words::fix_if_leak(leak));
    } else {
        steps.push(words::fix(leak));
    }
    let limit = incident.process_of(leak).and_then(|summary| incident.limit_reached_at(summary));
    steps.push(words::restart(row, limit.as_deref()));
    steps.push(words::check_of_fix(&incident.provenance.comparison()));
    steps
}

fn without_leak(incident: &Incident<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(at) = incident.retracted().find_map(|finding| finding.retracted_at) {
        // The last report before the retraction has the finding; times are compared in whole
        // milliseconds.
        steps.push(words::earlier_report(&incident.context.clock.rfc3339(at.before_ms(1))));
    }
    let possible = incident.possible_not_listed();
    if possible > 0 {
        steps.push(words::possible_leaks(possible));
    }
    steps.push(words::if_not_found(&incident.provenance.options));
    if !incident.report.coverage.complete {
        steps.push(words::completion().to_owned());
    }
    steps
}
