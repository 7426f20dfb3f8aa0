//! What was found, a row each.

use maud::{Markup, html};
use tracer_core::{Confidence, Finding, Verdict};

use super::{
    finding::badge,
    table::{Column, table},
    text::{FINDINGS_MAX, visible},
};
use crate::output::incident::{self, Incident};
use crate::output::quantity::{self, grouped};

/// Rows of a table; the rest is counted, for what matters is not to be a long way down.
const ROWS: (usize, &str, &str) = (FINDINGS_MAX, "more finding", "more findings");

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let leaks: Vec<&Finding> = incident.leaks().collect();
    let information: Vec<&Finding> = incident.information().collect();
    html! {
        @if !leaks.is_empty() {
            section {
                h2 { "What was found" }
                (standing(incident, &leaks))
            }
        }
        @if !information.is_empty() {
            section {
                h2 { "Worth knowing, and not a leak" }
                (standing(incident, &information))
            }
        }
    }
}

fn standing(incident: &Incident<'_>, findings: &[&Finding]) -> Markup {
    let columns = [
        Column::Number("#"),
        Column::Text("Process and connections"),
        Column::Number("Count"),
        Column::Text("Verdict"),
        Column::Text("Since"),
        Column::Number("Growth"),
        Column::Code("Line of code"),
    ];
    let growth =
        |it: &Finding| quantity::growth(it.growth_per_min_milli, it.growth_is_reconstructed);
    table(&columns, findings, ROWS, |it| {
        vec![
            number(incident, it),
            who(it),
            html! { (grouped(it.count as u64)) },
            verdict(it.verdict, it.confidence),
            in_words(&incident.since(it)),
            html! { (growth(it)) },
            line(it),
        ]
    })
}

/// The number of the finding, which leads to its section if it has one.
fn number(incident: &Incident<'_>, finding: &Finding) -> Markup {
    let has_section = incident.leaks().take(FINDINGS_MAX).any(|it| it.id == finding.id);
    html! {
        @if has_section { a href=(format!("#finding-{}", finding.id)) { (finding.id) } }
        @else { (finding.id) }
    }
}

/// Whose connections, and where they lead.
fn who(finding: &Finding) -> Markup {
    html! { strong { (incident::process(finding)) } " " (incident::whereto(finding)) }
}

fn verdict(verdict: Verdict, confidence: Confidence) -> Markup {
    html! { (badge(confidence)) " " span.whole { (verdict) } }
}

/// Text of which no word is broken, for dates break at their hyphens.
fn in_words(text: &str) -> Markup {
    html! { @for word in text.split(' ') { span.whole { (word) } " " } }
}

fn line(finding: &Finding) -> Markup {
    html! { (finding.call_site.as_deref().map_or("not known".to_owned(), visible)) }
}

/// What was found and is a leak no more.
pub(super) fn taken_back(incident: &Incident<'_>) -> Markup {
    let findings: Vec<&Finding> = incident.taken_back().collect();
    if findings.is_empty() {
        return Markup::default();
    }
    let columns = [
        Column::Number("#"),
        Column::Text("Process and connections"),
        Column::Number("Most"),
        Column::Text("Verdict"),
        Column::Text("Taken back"),
        Column::Number("Had stood"),
        Column::Code("Line of code"),
    ];
    html! {
        section {
            h2 { "Taken back" }
            p { "These were found, and their connections were then closed or used again." }
            (table(&columns, &findings, ROWS, |it| {
                let ago = it.retracted_at.map_or(0, |at| incident.report.at.ms_since(at));
                vec![
                    html! { (it.id) },
                    who(it),
                    html! { (grouped(it.peak_count as u64)) },
                    verdict(it.verdict, it.peak_confidence),
                    in_words(&incident.moment(ago)),
                    html! { (quantity::duration_ms(it.active_ms)) },
                    line(it),
                ]
            }))
        }
    }
}
