//! All findings, one row each.

use maud::{Markup, html};
use tracer_core::{Confidence, Finding, Verdict};

use super::{
    finding::badge,
    table::{Column, table},
    text::{FINDINGS_MAX, visible},
};
use crate::output::incident::Incident;
use crate::output::quantity::{self, grouped};
use crate::output::words;

/// Rows of a table; further findings are counted, so that the sections below stay near.
const ROWS: (usize, &str, &str) = (FINDINGS_MAX, "more finding", "more findings");

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let leaks: Vec<&Finding> = incident.leaks().collect();
    let information: Vec<&Finding> = incident.information().collect();
    html! {
        @if !leaks.is_empty() {
            section {
                h2 { "Findings" }
                (active(incident, &leaks))
            }
        }
        @if !information.is_empty() {
            section {
                h2 { "For information: not leaks" }
                (active(incident, &information))
            }
        }
    }
}

fn active(incident: &Incident<'_>, findings: &[&Finding]) -> Markup {
    let columns = [
        Column::Number("#"),
        Column::Text("Process and connections"),
        Column::Number("Count"),
        Column::Text("Verdict"),
        Column::Text("Oldest opened"),
        Column::Number("Growth"),
        Column::Code("Call site"),
    ];
    let growth =
        |it: &Finding| quantity::growth(it.growth_per_min_milli, it.growth_is_reconstructed);
    table(&columns, findings, ROWS, |it| {
        vec![
            number(incident, it),
            subject(it),
            html! { (grouped(it.count as u64)) },
            verdict(it.verdict, it.confidence),
            in_words(&incident.since(it)),
            html! { (growth(it)) },
            call_site(it),
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

/// The process and its destination.
fn subject(finding: &Finding) -> Markup {
    html! { strong { (words::process(finding)) } " " (words::whereto(finding)) }
}

fn verdict(verdict: Verdict, confidence: Confidence) -> Markup {
    html! { (badge(confidence)) " " span.whole { (verdict) } }
}

/// Text in which no word is broken: a browser breaks dates at their hyphens.
fn in_words(text: &str) -> Markup {
    html! { @for word in text.split(' ') { span.whole { (word) } " " } }
}

fn call_site(finding: &Finding) -> Markup {
    html! { (finding.call_site.as_deref().map_or("unknown".to_owned(), visible)) }
}

/// Findings that were retracted.
pub(super) fn retracted(incident: &Incident<'_>) -> Markup {
    let findings: Vec<&Finding> = incident.retracted().collect();
    if findings.is_empty() {
        return Markup::default();
    }
    let columns = [
        Column::Number("#"),
        Column::Text("Process and connections"),
        Column::Number("Peak"),
        Column::Text("Verdict"),
        Column::Text("Retracted"),
        Column::Number("Active for"),
        Column::Code("Call site"),
    ];
    html! {
        section {
            h2 { "Retracted findings" }
            p { "The connections of these findings were closed or used again." }
            (table(&columns, &findings, ROWS, |it| {
                let ago = it.retracted_at.map_or(0, |at| incident.report.at.ms_since(at));
                vec![
                    html! { (it.id) },
                    subject(it),
                    html! { (grouped(it.peak_count as u64)) },
                    verdict(it.verdict, it.peak_confidence),
                    in_words(&incident.time(ago)),
                    html! { (quantity::duration_ms(it.active_ms)) },
                    call_site(it),
                ]
            }))
        }
    }
}
