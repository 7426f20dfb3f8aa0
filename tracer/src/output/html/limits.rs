//! How near the processes are to their limit of open files, and when they get there.

use maud::{Markup, html};
use tracer_core::ProcessSummary;

use super::{
    forecast,
    table::{Column, table},
    text::visible,
};
use crate::output::incident::Incident;
use crate::output::quantity::{self, grouped};

/// Processes listed; the rest is counted.
const ROWS_MAX: usize = 20;
/// Processes that have a chart, if they get to their limit.
const CHARTS_MAX: usize = 3;

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let mut processes: Vec<&ProcessSummary> = incident.report.processes.iter().collect();
    if processes.is_empty() {
        return Markup::default();
    }
    processes.sort_by_key(|it| (it.seconds_to_fd_limit.unwrap_or(u64::MAX), it.key));
    let columns = [
        Column::Text("Process"),
        Column::Number("TCP"),
        Column::Number("Open"),
        Column::Number("Limit"),
        Column::Text("Used"),
        Column::Number("Growth"),
        Column::Text("Limit is hit"),
    ];
    let rows = (ROWS_MAX, "more process", "more processes");
    let unknown = || "not known".to_owned();
    html! {
        section {
            h2 { "Limit of open files" }
            p { "When it is hit if the number of descriptors goes on to grow as it did." }
            (table(&columns, &processes, rows, |it| {
                let growth = quantity::growth(it.growth_per_min_milli, it.growth_is_reconstructed);
                vec![
                    html! { (visible(&it.comm.0)) "[" (it.key.pid) "]" },
                    html! { (grouped(it.tcp_fds)) },
                    html! { (it.open_fds.map_or_else(unknown, grouped)) },
                    html! { (it.fd_limit.map_or_else(unknown, grouped)) },
                    used(it),
                    html! { (growth) },
                    html! { (when(incident, it)) },
                ]
            }))
            @for it in processes.iter().take(CHARTS_MAX) { (forecast::figure(incident, it)) }
        }
    }
}

/// How much of the limit is used, as a bar and in words.
fn used(it: &ProcessSummary) -> Markup {
    let open = it.used_fds();
    let Some(limit) = it.fd_limit.filter(|limit| *limit > 0) else {
        return html! { "not known" };
    };
    let thousandths = u128::from(open.min(limit)) * 1_000 / u128::from(limit);
    html! {
        svg.meter viewBox="0 0 1000 120" preserveAspectRatio="none" aria-hidden="true" {
            rect.outline x="0" y="0" width="1000" height="120" {}
            rect.busy x="0" y="0" width=(thousandths) height="120" {}
        }
        " " (thousandths / 10) "." (thousandths % 10) " %"
    }
}

fn when(incident: &Incident<'_>, it: &ProcessSummary) -> String {
    let left = it.seconds_to_fd_limit.zip(incident.limit_is_hit_at(it));
    match (left, it.growth_per_min_milli) {
        (Some((seconds, at)), _) => format!("in {}, at {at}", quantity::duration_s(seconds)),
        (None, Some(..=0)) => "not at this rate: the number does not grow".to_owned(),
        _ => "not known".to_owned(),
    }
}
