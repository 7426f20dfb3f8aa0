//! What could be seen, and what could not.

use maud::{Markup, html};

use crate::output::incident::Incident;
use crate::output::{coverage, escape, words};

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let report = incident.report;
    let seen = &report.coverage;
    let probes = coverage::probes_missing(seen).map(words::probe);
    let notes: Vec<String> = probes.chain(seen.notes.iter().map(words::note)).collect();
    html! {
        section {
            h2 { "Coverage" }
            p {
                (coverage::observed(report)) " "
                @if seen.complete { (coverage::completeness(seen)) }
                @else { strong { (coverage::completeness(seen)) } }
                @if let Some(kinds) = coverage::not_judged(seen) { " " (kinds) }
            }
            @if !notes.is_empty() {
                ul { @for note in notes { li { (escape::sentence(&note)) } } }
            }
        }
    }
}
