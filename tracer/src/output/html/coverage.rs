//! What could be seen, and what could not.

use maud::{Markup, html};

use super::text::visible;
use crate::output::incident::Incident;
use crate::output::{
    coverage, escape,
    quantity::{counted, duration_ms},
    words,
};

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let report = incident.report;
    let seen = &report.coverage;
    let lost = coverage::events_lost(&seen.loss);
    let gaps = coverage::gaps(seen);
    let probes = coverage::probes_missing(seen).map(words::probe);
    html! {
        section {
            h2 { "What could not be seen" }
            p {
                @if seen.complete { "Everything that matters could be seen: " }
                @else { strong { "Not everything could be seen. " } "There were " }
                (counted(seen.sockets, "TCP socket", "TCP sockets")) " at the last look, "
                (counted(seen.snapshots, "look", "looks")) " over "
                (duration_ms(report.at.ms_since(report.started_at))) ", and "
                (counted(lost, "event", "events")) " lost"
                @if lost > 0 && seen.complete { ", for which later looks made up" }
                "."
            }
            ul {
                @for gap in gaps { li { (gap) } }
                @for (kind, count) in &seen.not_judged {
                    li { "Not judged: " (counted(*count, &visible(kind), &visible(kind))) }
                }
                @for probe in probes { li { (escape::sentence(&probe)) } }
                @for note in &seen.notes { li { (escape::sentence(&words::note(note))) } }
            }
        }
    }
}
