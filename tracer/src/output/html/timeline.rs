//! The connections of one finding, a line each: opened, last used, closed by the peer, dead.

use maud::{Markup, html};
use tracer_core::{Connection, Finding, Interval, Timestamp};

use super::{
    axis::{BELOW, LEFT, TimeAxis, WIDTH},
    pattern,
};
use crate::output::incident::Incident;
use crate::output::quantity::grouped;

/// The maximum number of connections with a line.
const LINES_MAX: usize = 24;
const LINE: i64 = 230;
const TOP: i64 = 60;
/// Half the height of a bar.
const HALF: i64 = 70;

/// The chart and its legend.
pub(super) fn figure(incident: &Incident<'_>, finding: &Finding) -> Markup {
    let connections = chosen(&finding.connections);
    if connections.is_empty() {
        return Markup::default();
    }
    let title = format!("Connections of finding {}, the oldest first", finding.id);
    let id = format!("timeline-{}", finding.id);
    let times = Times { incident };
    let opened = connections.iter().map(|connection| times.opened(connection)).min();
    let clock = incident.context.clock;
    let now = incident.report.at;
    let axis = TimeAxis::new(clock.wall_time(opened.unwrap_or(now)), clock.wall_time(now));
    let bottom = TOP + LINE * i64::try_from(connections.len()).unwrap_or(0);
    let shown = connections.len();
    html! {
        figure.timeline {
            figcaption {
                (title)
                @if shown < finding.count {
                    " (" (grouped(shown as u64)) " of " (grouped(finding.count as u64))
                    ", evenly sampled)"
                }
            }
            svg.chart viewBox=(format!("0 0 {WIDTH} {}", bottom + BELOW)) role="img"
                aria-labelledby=(format!("{id}-title {id}-text")) {
                title id=(format!("{id}-title")) { (title) }
                desc id=(format!("{id}-text")) {
                    "One line per connection: from when it was opened, to when data was last sent or "
                    "received, to now. The evidence above says the same in words."
                }
                (axis.markup(TOP, bottom))
                @for (row, connection) in (0..).zip(&connections) {
                    (line(&times, &axis, connection, TOP + row * LINE + LINE / 2))
                }
            }
            (signs(&connections))
        }
    }
}

/// At most [`LINES_MAX`] connections, evenly sampled from the oldest to the youngest.
fn chosen(connections: &[Connection]) -> Vec<&Connection> {
    let count = connections.len();
    if count <= LINES_MAX {
        return connections.iter().collect();
    }
    (0..LINES_MAX).map(|line| &connections[line * (count - 1) / (LINES_MAX - 1)]).collect()
}

/// When events of a connection occurred.
struct Times<'a> {
    incident: &'a Incident<'a>,
}

impl Times<'_> {
    fn opened(&self, connection: &Connection) -> Timestamp {
        self.incident.report.at.before_ms(connection.age_ms)
    }

    fn last_used(&self, connection: &Connection) -> Timestamp {
        self.incident.report.at.before_ms(connection.idle_ms).max(self.opened(connection))
    }

    fn x(&self, axis: &TimeAxis, at: Timestamp) -> i64 {
        axis.x(self.incident.context.clock.wall_time(at))
    }
}

fn line(times: &Times<'_>, axis: &TimeAxis, connection: &Connection, y: i64) -> Markup {
    let x = |at| times.x(axis, at);
    let opened = x(times.opened(connection));
    let used = x(times.last_used(connection));
    let now = x(times.incident.report.at);
    let fd = connection.owners.first().map(|owner| owner.fd);
    // A connection that was used only briefly must stay visible.
    let busy = (used - opened).max(40);
    html! {
        text.row x=(LEFT - 120) y=(y + 45) text-anchor="end" {
            @if let Some(fd) = fd { "fd " (fd) }
        }
        rect.idle x=(opened) y=(y - HALF) width=((now - opened).max(40)) height=(2 * HALF)
            fill=(pattern::fill(1)) {}
        rect.busy x=(opened) y=(y - HALF) width=(busy) height=(2 * HALF) {}
        @if connection.age_is_lower_bound {
            path.sign d=(format!("M{} {}l-90 70l90 70z", opened, y - 70)) {}
        }
        @if let Some(closed) = connection.peer_closed {
            (between(times, axis, closed, y))
            path.sign d=(format!("M{} {}h160l-80 140z", x(closed.latest) - 80, y - HALF)) {}
        }
        @if let Some(died) = connection.died {
            (between(times, axis, died, y))
            path.cross d=(format!("M{} {}l140 140m0 -140l-140 140", x(died.latest) - 70, y - 70)) {}
        }
    }
}

/// A time known only as an interval.
fn between(times: &Times<'_>, axis: &TimeAxis, interval: Interval, y: i64) -> Markup {
    let [earliest, latest] = [interval.earliest, interval.latest].map(|at| times.x(axis, at));
    html! {
        @if latest - earliest > 160 {
            path.between d=(format!("M{earliest} {}v80M{earliest} {y}H{latest}", y - 40)) {}
        }
    }
}

/// The legend: the signs that are used.
fn signs(connections: &[&Connection]) -> Markup {
    let some = |is: fn(&Connection) -> bool| connections.iter().any(|connection| is(connection));
    html! {
        ul.signs {
            li { (sign(&html! { rect.busy x="5" y="10" width="230" height="140" {} })) "in use" }
            li {
                (sign(&html! {
                    rect.idle x="5" y="10" width="230" height="140" fill=(pattern::fill(1)) {}
                }))
                "idle until now"
            }
            @if some(|it| it.age_is_lower_bound) {
                li { (sign(&html! { path.sign d="M160 10l-90 70l90 70z" {} })) "opened before tracing" }
            }
            @if some(|it| it.peer_closed.is_some()) {
                li {
                    (sign(&html! { path.sign d="M40 10h160l-80 140z" {} }))
                    "closed by the peer: at this time, or at an unknown time along the line to the left"
                }
            }
            @if some(|it| it.died.is_some()) {
                li {
                    (sign(&html! { path.cross d="M50 10l140 140m0 -140l-140 140" {} }))
                    "dead (CLOSE), its fd still open"
                }
            }
        }
    }
}

fn sign(shape: &Markup) -> Markup {
    html! { svg.swatch viewBox="0 0 240 160" aria-hidden="true" { (shape) } }
}
