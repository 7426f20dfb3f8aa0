//! When the verdict on an unchanged connection may change merely because time passes.

use crate::{Timestamp, connection_view::ConnectionView};

/// The first time after `view.now` at which, if nothing about the connection changes until then, a
/// rule may begin or cease to claim it, a question about it may be due, or its unread data has been
/// pending for too long.
///
/// All of these compare the time since something happened with one of a few durations. So each time
/// at which such a comparison changes is a candidate, even if it does not matter for this
/// connection.
pub(crate) fn next(view: &ConnectionView<'_>) -> Timestamp {
    // Responses have their own times, and the verdicts on a process that waits for a peer also
    // depend on other times.
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
        options.idle_ms / 2,
        options.idle_ms - options.idle_ms / 6,
        options.pool_idle_ms,
        options.gap_ms(),
        view.suspect_after_ms(),
    ];
    let longest_ms = durations_ms.into_iter().max().unwrap_or_default().saturating_add(1);
    let mut next = Timestamp::END;
    // Most of these times are too long ago to matter.
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
