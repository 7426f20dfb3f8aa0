//! How many file descriptors the processes have open, and when they reach their limit.

use maud::{Markup, html};
use tracer_core::ProcessSummary;

use super::{
    forecast,
    table::{Column, table},
    text::visible,
};
use crate::output::incident::Incident;
use crate::output::quantity::{self, grouped};

/// The maximum number of processes listed; the rest are counted.
const ROWS_MAX: usize = 20;
/// The maximum number of processes with a chart, if they will reach their limit.
const CHARTS_MAX: usize = 3;

pub(super) fn section(incident: &Incident<'_>) -> Markup {
    let mut processes: Vec<&ProcessSummary> = incident.processes();
    if processes.is_empty() {
        return Markup::default();
    }
    processes.sort_by_key(|it| (it.seconds_to_fd_limit.unwrap_or(u64::MAX), it.key));
    let columns = [
        Column::Text("Process"),
        Column::Number("TCP fds"),
        Column::Number("Open fds"),
        Column::Number("Limit"),
        Column::Text("Used"),
        Column::Number("Growth"),
        Column::Text("Limit reached"),
    ];
    let rows = (ROWS_MAX, "more process", "more processes");
    let unknown = || "unknown".to_owned();
    html! {
        section {
            h2 { "File descriptor limits" }
            p { "When each process reaches its limit (RLIMIT_NOFILE) if its number of open fds keeps "
                "growing at the same rate." }
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

/// The part of the limit that is used, as a bar and in percent.
fn used(it: &ProcessSummary) -> Markup {
    let open = it.used_fds();
    let Some(limit) = it.fd_limit.filter(|limit| *limit > 0) else {
        return html! { "unknown" };
    };
    let thousandths = u128::from(open.min(limit)) * 1_000 / u128::from(limit);
    html! {
        svg.meter viewBox="0 0 1000 120" preserveAspectRatio="none" aria-hidden="true" {
            rect.outline x="0" y="0" width="1000" height="120" {}
            rect.busy x="0" y="0" width=(thousandths) height="120" {}
        }
        " " (thousandths / 10) "." (thousandths % 10) "%"
    }
}

fn when(incident: &Incident<'_>, it: &ProcessSummary) -> String {
    let left = it.seconds_to_fd_limit.zip(incident.limit_reached_at(it));
    match (left, it.growth_per_min_milli) {
        (Some((seconds, at)), _) => {
            format!("in about {}, at {at}", quantity::prediction_s(seconds))
        }
        (None, Some(..=0)) => "never: the number does not grow".to_owned(),
        _ => "unknown".to_owned(),
    }
}
