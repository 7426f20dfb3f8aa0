//! The lines of code that the connections in findings come from.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use maud::{Markup, html};

use super::{
    table::{Column, table},
    text::visible,
};
use crate::output::incident::{self, Incident};
use crate::output::quantity::{counted, grouped};

/// Lines of code listed; the rest is counted.
const ROWS_MAX: usize = 10;

#[derive(Default)]
struct Count {
    connections: u64,
    responses: u64,
    findings: BTreeSet<u64>,
}

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let mut counts: BTreeMap<(String, &str), Count> = BTreeMap::new();
    let mut unknown = 0;
    for finding in incident.leaks() {
        for connection in &finding.connections {
            // Of a connection of HTTP/2 the finding knows whose responses it is about.
            let site = finding.call_site.as_deref().or(connection.call_site.as_deref());
            let Some(site) = site else {
                unknown += 1;
                continue;
            };
            let count = counts.entry((incident::process(finding), site)).or_default();
            count.connections += 1;
            count.responses += connection.responses as u64;
            count.findings.insert(finding.id);
        }
    }
    if counts.is_empty() && unknown == 0 {
        return Markup::default();
    }
    let mut ranked: Vec<_> = counts.into_iter().collect();
    ranked.sort_by_key(|(_, count)| Reverse(count.connections));
    html! {
        section {
            h2 { "Top call sites" }
            @if !ranked.is_empty() { (listed(&ranked)) }
            @if unknown > 0 {
                p {
                    "Of " (counted(unknown, "connection", "connections"))
                    " the line is not known: they were open before the recording began, or their "
                    "stack was not kept or could not be followed."
                }
            }
        }
    }
}

fn listed(ranked: &[((String, &str), Count)]) -> Markup {
    let columns = [
        Column::Code("Line of code"),
        Column::Text("Process"),
        Column::Number("Connections"),
        Column::Number("Responses"),
        Column::Text("Findings"),
    ];
    let rows = (ROWS_MAX, "more line", "more lines");
    table(&columns, ranked, rows, |((process, site), count)| {
        vec![
            html! { (visible(site)) },
            html! { (process) },
            html! { (grouped(count.connections)) },
            html! { (grouped(count.responses)) },
            html! { (findings(&count.findings)) },
        ]
    })
}

fn findings(numbers: &BTreeSet<u64>) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
}
