//! The size of a group of connections.

use alloc::vec::Vec;

use crate::{Origin, Timestamp, group::GroupKey, tracked::Tracked};

/// A pool that finds a connection dead opens another one within this time, in milliseconds.
pub(crate) const REPLACED_WITHIN_MS: u64 = 250;

/// The sizes of the groups of one process, by address and by port.
pub(crate) type GroupSizes = Vec<(GroupKey, GroupSize)>;

/// The size of a group in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupSize {
    /// The number of all connections of the group.
    pub(crate) count: usize,
    /// The number of connections that are not dead, in the sense of [`turnover`](crate::turnover).
    pub(crate) alive: usize,
    /// The largest number of connections that were alive at once, and when that number was reached,
    /// derived from the times at which connections were opened and died. Connections that have been
    /// closed since are not included.
    pub(crate) peak: (usize, Timestamp),
    /// The largest number of connections that were in use at once, and when that number was last
    /// reached; 0 if it was not measured. Unlike `peak`, it does not include leaked connections that
    /// their peers have not closed yet.
    pub(crate) in_use: (usize, Timestamp),
    /// When the oldest connection of the group was opened.
    pub(crate) oldest: Timestamp,
}

impl GroupSize {
    /// A group without connections at `at`.
    pub(crate) const fn empty(at: Timestamp) -> Self {
        Self { count: 0, alive: 0, peak: (0, at), in_use: (0, at), oldest: at }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.alive += other.alive;
        // The peaks may have been at different times.
        self.peak.0 = self.alive;
        self.oldest = self.oldest.min(other.oldest);
    }
}

/// Until when a connection was in use: a little longer than until its last use, because a pool that
/// is about to use other connections at the same time may first have to replace them. `None` if it
/// may still be in use, because a request is unanswered, or if its opening is unknown, and so are
/// its earlier uses.
pub(crate) fn in_use_until(tracked: &Tracked) -> Option<Timestamp> {
    let facts = tracked.facts.as_deref()?;
    let (sent_at, received_at) = (facts.last_sent_at, facts.last_received_at);
    let may_predate_tracing = tracked.origin == Origin::Seeded && tracked.absent_at.is_none();
    if sent_at > received_at || may_predate_tracing {
        return None;
    }
    let used_at = sent_at.max(received_at).unwrap_or(tracked.opened_at);
    Some(used_at.after_ms(REPLACED_WITHIN_MS))
}

/// The largest number of connections that were alive at once, and when that was last reached.
/// `lifetimes` holds, for each connection, when it was opened and when it died ([`Timestamp::END`]
/// if it is alive).
pub(crate) fn peak(lifetimes: impl Iterator<Item = (Timestamp, Timestamp)>) -> (usize, Timestamp) {
    let (mut opened, mut died): (Vec<Timestamp>, Vec<Timestamp>) =
        lifetimes.map(|(opened, died)| (opened, died.max(opened))).unzip();
    opened.sort_unstable();
    died.sort_unstable();
    let mut died = died.into_iter().peekable();
    let (mut dead, mut peak) = (0, (0, Timestamp::default()));
    for (number, at) in (1..).zip(opened) {
        // A connection that died just when another was opened was alive at that time.
        while died.next_if(|died| *died < at).is_some() {
            dead += 1;
        }
        let alive: usize = number - dead;
        if alive >= peak.0 {
            peak = (alive, at);
        }
    }
    peak
}

#[test]
fn the_peak_is_the_largest_number_alive_at_once() {
    let at = Timestamp::from_ms;
    let peak_of = |lifetimes: &[(u64, u64)]| {
        peak(lifetimes.iter().map(|(opened, died)| (at(*opened), at(*died))))
    };
    assert_eq!(peak_of(&[]).0, 0);
    assert_eq!(peak_of(&[(1, 5), (2, 4), (4, 9), (6, 7)]), (3, at(4)));
    assert_eq!(peak_of(&[(1, 2), (3, 4), (5, 6)]), (1, at(5)));
    let alive = [(at(1), Timestamp::END), (at(9), Timestamp::END), (at(3), at(5))];
    assert_eq!(peak(alive.into_iter()), (2, at(9)));
    assert_eq!(peak_of(&[(5, 3)]), (1, at(5)), "times that are known only roughly");
}
