//! When a connection that does not change may be judged in another way, because time has passed.

use crate::{Timestamp, connection_view::ConnectionView};

/// The first time after `view.now` at which some rule may claim the connection, or not claim it any
/// more, some question about it may be due, or data of it counts as neglected, if nothing about it
/// changes until then.
///
/// All of these compare the time since something happened to it with one of a few durations. So the
/// times at which any such comparison changes are candidates, whether it matters for this connection
/// or not.
pub(crate) fn next(view: &ConnectionView<'_>) -> Timestamp {
    // Responses carry times of their own, and what waits for a peer is judged by more than its own
    // times.
    if !view.listed.is_empty() || view.tracked.waits.is_some() {
        return view.now;
    }
    let (facts, tracked, options) = (view.facts, view.tracked, view.options);
    let closed = tracked.peer_closed.into_iter().chain(tracked.died);
    let unread_since = (facts.unread_bytes > 0).then_some(tracked.unread_since);
    let happened = [
        Some(tracked.opened_at),
        Some(tracked.known_since),
        facts.last_sent_at,
        facts.last_received_at,
        facts.last_ack_at,
        tracked.read_at,
        unread_since,
        tracked.reader.as_deref().map(|seen| seen.at),
    ];
    let happened =
        happened.into_iter().flatten().chain(closed.flat_map(|it| [it.earliest, it.latest]));
    let durations_ms = [
        options.idle_ms,
        options.idle_ms - options.idle_ms / 6,
        options.pool_idle_ms,
        options.gap_ms(),
        view.suspect_after_ms(),
    ];
    let longest_ms = durations_ms.into_iter().max().unwrap_or_default().saturating_add(1);
    let mut next = Timestamp::END;
    // Most of it was too long ago.
    for at in happened.filter(|at| at.after_ms(longest_ms) > view.now) {
        for duration_ms in durations_ms {
            // Some durations are reached, others are exceeded; both in whole milliseconds.
            for at in [at.after_ms(duration_ms), at.after_ms(duration_ms.saturating_add(1))] {
                if at > view.now {
                    next = next.min(at);
                }
            }
        }
    }
    next
}
