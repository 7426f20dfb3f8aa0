//! How the descriptors of a process became more, and when its limit is hit if that goes on.

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

/// A limit that is further off than so many times what was watched is not in the chart, or what was
/// watched would be a dot.
const AHEAD_MAX: i32 = 4;

/// The chart, if the process gets to its limit and was watched on the way.
pub(super) fn figure(incident: &Incident<'_>, summary: &ProcessSummary) -> Markup {
    let (Some(limit), Some(hit)) = (summary.fd_limit, incident.limit_moment(summary)) else {
        return Markup::default();
    };
    let clock = incident.context.clock;
    let samples = incident.history.samples.iter();
    let seen: Vec<(Timestamp, u64)> = samples
        .filter_map(|it| Some((clock.wall_time(it.at), *it.descriptors.get(&summary.key)?)))
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
    let title = format!("Open descriptors of {process}, and how they go on at this rate");
    let said = said(incident, summary, limit);
    let id = format!("forecast-{}-{}", summary.key.pid, summary.key.start_time_ns);
    html! {
        figure {
            figcaption { (title) }
            svg.chart viewBox=(format!("0 0 {WIDTH} {}", BOTTOM + BELOW)) role="img"
                aria-labelledby=(format!("{id}-title {id}-text")) {
                title id=(format!("{id}-title")) { (title) }
                desc id=(format!("{id}-text")) { (grouped(used)) " now; " (said) }
                (counts.markup())
                (times.markup(TOP, BOTTOM))
                @if is_near { path.limit d=(format!("M{LEFT} {}H{RIGHT}", counts.y(limit))) {} }
                path.seen d=(steps(&times, &counts, &seen)) {}
                path.ahead d=(format!(
                    "M{} {}L{} {}", times.x(last), counts.y(used), times.x(end.0), counts.y(end.1)
                )) {}
                text.said x=(LEFT) y="130" { (said) }
            }
        }
    }
}

/// `limit 1 024 is hit in 46h, at 2026-03-03 10:00:00 UTC`: as much as fits on a small screen.
fn said(incident: &Incident<'_>, summary: &ProcessSummary, limit: u64) -> String {
    let left = summary.seconds_to_fd_limit.map(quantity::duration_s).unwrap_or_default();
    let at = incident.limit_is_hit_at(summary).unwrap_or_default();
    format!("limit {} is hit in {left}, at {at}", grouped(limit))
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

/// How many there are after so long.
fn ahead(summary: &ProcessSummary, after: SignedDuration) -> u64 {
    let rate_milli = u128::try_from(summary.growth_per_min_milli.unwrap_or(0)).unwrap_or(0);
    let more = rate_milli * after.as_millis().unsigned_abs() / 60_000_000;
    summary.used_fds().saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
}

/// A look holds until the next one.
fn steps(times: &TimeAxis, counts: &CountAxis, seen: &[(Timestamp, u64)]) -> String {
    let mut path = String::new();
    for (index, (at, count)) in seen.iter().enumerate() {
        let (x, y) = (times.x(*at), counts.y(*count));
        path.extend([if index == 0 { format!("M{x} {y}") } else { format!("H{x}V{y}") }]);
    }
    path
}
