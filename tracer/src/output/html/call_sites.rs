//! The call sites of the connections in findings.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use maud::{Markup, html};

use super::{
    table::{Column, table},
    text::visible,
};
use crate::output::incident::Incident;
use crate::output::quantity::{counted, grouped};
use crate::output::words;

/// The maximum number of call sites listed; further ones are counted.
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
            // An HTTP/2 connection carries responses of several call sites; the finding is about one.
            let site = finding.call_site.as_deref().or(connection.call_site.as_deref());
            let Some(site) = site else {
                unknown += 1;
                continue;
            };
            let count = counts.entry((words::process(finding), site)).or_default();
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
            h2 { "Call sites" }
            @if !ranked.is_empty() { (listed(&ranked)) }
            @if unknown > 0 {
                p {
                    "The call site of " (counted(unknown, "connection", "connections"))
                    " is unknown; each finding gives the reason."
                }
            }
        }
    }
}

fn listed(ranked: &[((String, &str), Count)]) -> Markup {
    let columns = [
        Column::Code("Call site"),
        Column::Text("Process"),
        Column::Number("Connections"),
        Column::Number("Responses"),
        Column::Text("Findings"),
    ];
    let rows = (ROWS_MAX, "more call site", "more call sites");
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
