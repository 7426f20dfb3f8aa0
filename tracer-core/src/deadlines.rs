//! When the verdict on an unchanged connection may change merely because time passes.

use crate::{Timestamp, connection_view::ConnectionView};

/// The first deadline of all connections of one process: the first time at which a verdict may
/// change although no connection does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) at: Timestamp,
    is_known: bool,
}

impl Deadline {
    /// `known` is the first deadline as of a time not later than `known_at`, if nothing has changed
    /// since.
    pub(crate) fn new(known: Option<Timestamp>, known_at: Timestamp, now: Timestamp) -> Self {
        let known = known.filter(|at| known_at <= now && now < *at);
        Self { at: known.unwrap_or(Timestamp::END), is_known: known.is_some() }
    }

    /// Takes one of the connections into account.
    pub(crate) fn add(&mut self, view: &ConnectionView<'_>) {
        if !self.is_known {
            self.at = self.at.min(next(view));
        }
    }
}

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
        options.out_of_sight_ms(),
        options.pool_idle_ms,
        options.gap_ms(),
        view.suspect_after_ms(),
    ];
    let longest_ms = durations_ms.into_iter().max().unwrap_or_default().saturating_add(1);
    let mut next = Timestamp::END;
    // Most of these times are too long ago to matter.
    for at in happened.filter(|at| at.after_ms(longest_ms) > view.now) {
        // Some durations are reached, others are exceeded; both in whole milliseconds.
        let durations = durations_ms.into_iter().flat_map(|it| [it, it.saturating_add(1)]);
        let times = durations.map(|duration_ms| at.after_ms(duration_ms));
        next = times.filter(|at| *at > view.now).fold(next, Timestamp::min);
    }
    next
}
