//! The number of open file descriptors of a process over time, and when it reaches its limit.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};
use tracer_core::ProcessSummary;

use super::{
    axis::{BELOW, CountAxis, LEFT, RIGHT, TimeAxis, WIDTH},
    text::visible,
};
use crate::output::incident::Incident;
use crate::output::quantity::{self, grouped};

const TOP: i64 = 260;
const BOTTOM: i64 = 1_700;

/// The limit is in the chart if it is reached within this many times the observed time; otherwise
/// the observed part would be too small to see.
const AHEAD_MAX: i32 = 4;

/// The chart, if the process will reach its limit and there are several samples.
pub(super) fn figure(incident: &Incident<'_>, summary: &ProcessSummary) -> Markup {
    let (Some(limit), Some(hit)) = (summary.fd_limit, incident.limit_time(summary)) else {
        return Markup::default();
    };
    let clock = incident.context.clock;
    let samples = incident.history.samples.iter();
    let seen: Vec<(Timestamp, u64)> = samples
        .filter_map(|it| Some((clock.wall_time(it.at), *it.fds.get(&summary.key)?)))
        .collect();
    let ([(first, _), _, ..], Some(&(last, used))) = (&*seen, seen.last()) else {
        return Markup::default();
    };
    let watched = last.duration_since(*first);
    let is_near = hit.duration_since(last) <= watched * AHEAD_MAX;
    let end = if is_near { (hit, limit) } else { (later(last, watched), ahead(summary, watched)) };
    let most = seen.iter().map(|(_, count)| *count).max().unwrap_or(used).max(end.1);
    let times = TimeAxis::new(*first, end.0);
    let counts = CountAxis::new(most, TOP, BOTTOM);
    let process = format!("{}[{}]", visible(&summary.comm.0), summary.key.pid);
    let title = format!("Open fds of {process}, and the forecast at the current rate");
    let caption = caption(incident, summary, limit);
    let id = format!("forecast-{}-{}", summary.key.pid, summary.key.start_time_ns);
    html! {
        figure {
            figcaption { (title) }
            svg.chart viewBox=(format!("0 0 {WIDTH} {}", BOTTOM + BELOW)) role="img"
                aria-labelledby=(format!("{id}-title {id}-text")) {
                title id=(format!("{id}-title")) { (title) }
                desc id=(format!("{id}-text")) { (grouped(used)) " now; " (caption) }
                (counts.markup())
                (times.markup(TOP, BOTTOM))
                @if is_near { path.limit d=(format!("M{LEFT} {}H{RIGHT}", counts.y(limit))) {} }
                path.seen d=(steps(&times, &counts, &seen)) {}
                path.ahead d=(format!(
                    "M{} {}L{} {}", times.x(last), counts.y(used), times.x(end.0), counts.y(end.1)
                )) {}
                text.said x=(LEFT) y="130" { (caption) }
            }
        }
    }
}

/// `limit of 1,024 reached in about 46h, at 2026-03-03 10:00:00 UTC`: short, for small screens.
fn caption(incident: &Incident<'_>, summary: &ProcessSummary, limit: u64) -> String {
    let left = summary.seconds_to_fd_limit.map(quantity::prediction_s).unwrap_or_default();
    let at = incident.limit_reached_at(summary).unwrap_or_default();
    format!("limit of {} reached in about {left}, at {at}", grouped(limit))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// The expected number of open fds after a duration.
fn ahead(summary: &ProcessSummary, after: SignedDuration) -> u64 {
    let rate_milli = u128::try_from(summary.growth_per_min_milli.unwrap_or(0)).unwrap_or(0);
    let more = rate_milli * after.as_millis().unsigned_abs() / 60_000_000;
    summary.used_fds().saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
}

/// Draws the number as constant between snapshots.
fn steps(times: &TimeAxis, counts: &CountAxis, seen: &[(Timestamp, u64)]) -> String {
    let mut path = String::new();
    for (index, (at, count)) in seen.iter().enumerate() {
        let (x, y) = (times.x(*at), counts.y(*count));
        path.extend([if index == 0 { format!("M{x} {y}") } else { format!("H{x}V{y}") }]);
    }
    path
}
