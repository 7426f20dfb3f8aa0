//! All findings, one row each.

use std::collections::BTreeSet;

use maud::{Markup, html};
use tracer_core::{Confidence, Finding, Verdict};

use super::{
    finding::badge,
    table::{Column, table},
    text::{FINDINGS_MAX, visible},
};
use crate::output::{
    incident::Incident,
    listing::{self, Row},
    quantity::{self, grouped},
    words,
};

/// The maximum number of rows of a table; further findings are counted, so that the sections below
/// stay close.
const ROWS: (usize, &str, &str) = (FINDINGS_MAX, "more finding", "more findings");

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let leaks = incident.leak_rows();
    let information = incident.information_rows();
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
        (folded(incident))
    }
}

fn active(incident: &Incident<'_>, rows: &[Row<'_>]) -> Markup {
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
    let sections: BTreeSet<u64> =
        incident.leak_rows().iter().take(FINDINGS_MAX).map(|it| it.finding.id).collect();
    table(&columns, rows, ROWS, |row| {
        let finding = &*row.finding;
        vec![
            number(finding.id, &sections),
            subject(&words::processes(row), finding),
            html! { (grouped(finding.count as u64)) },
            verdict(finding.verdict, finding.confidence),
            in_words(&incident.since(finding)),
            html! { (growth(finding)) },
            call_site(finding),
        ]
    })
}

/// Findings that are only counted.
fn folded(incident: &Incident<'_>) -> Markup {
    let folded = listing::folded(incident.report, incident.least);
    if folded.is_empty() {
        return Markup::default();
    }
    let columns = [
        Column::Text("Verdict"),
        Column::Number("Findings"),
        Column::Number("Connections"),
        Column::Number("Processes"),
        Column::Code("List with"),
    ];
    html! {
        section {
            h2 { "Findings that are not listed" }
            (table(&columns, &folded, ROWS, |it| {
                vec![
                    verdict(it.verdict, it.confidence),
                    html! { (grouped(it.findings as u64)) },
                    html! { (grouped(it.connections as u64)) },
                    html! { (grouped(it.processes as u64)) },
                    html! { (words::show_option(it.confidence)) },
                ]
            }))
        }
    }
}

/// The number of the finding, which links to its section if it has one.
fn number(id: u64, sections: &BTreeSet<u64>) -> Markup {
    html! {
        @if sections.contains(&id) { a href=(format!("#finding-{id}")) { (id) } }
        @else { (id) }
    }
}

/// The process and its destination.
fn subject(process: &str, finding: &Finding) -> Markup {
    html! { strong { (process) } " " (words::destination(finding)) }
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
                    subject(&words::process(it), it),
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
