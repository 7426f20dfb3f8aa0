//! The size of a group of connections.

use alloc::vec::Vec;

use crate::{Timestamp, group::GroupKey};

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
    /// When the oldest connection of the group was opened.
    pub(crate) oldest: Timestamp,
}

impl GroupSize {
    /// A group without connections at `at`.
    pub(crate) const fn empty(at: Timestamp) -> Self {
        Self { count: 0, alive: 0, peak: (0, at), oldest: at }
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.alive += other.alive;
        // The peaks may have been at different times.
        self.peak.0 = self.alive;
        self.oldest = self.oldest.min(other.oldest);
    }
}

/// The largest number of connections that were alive at once, and when that was reached.
/// `lifetimes` holds, for each connection, when it was opened and when it died ([`Timestamp::END`]
/// if it is alive).
pub(crate) fn peak(lifetimes: &[(Timestamp, Timestamp)]) -> (usize, Timestamp) {
    let mut opened: Vec<Timestamp> = lifetimes.iter().map(|(opened, _)| *opened).collect();
    let mut died: Vec<Timestamp> =
        lifetimes.iter().map(|(opened, died)| *died.max(opened)).collect();
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
        if alive > peak.0 {
            peak = (alive, at);
        }
    }
    peak
}

#[test]
fn the_peak_is_the_largest_number_alive_at_once() {
    let at = Timestamp::from_ms;
    let lifetimes = |all: &[(u64, u64)]| -> Vec<(Timestamp, Timestamp)> {
        all.iter().map(|(opened, died)| (at(*opened), at(*died))).collect()
    };
    assert_eq!(peak(&[]).0, 0);
    assert_eq!(peak(&lifetimes(&[(1, 5), (2, 4), (4, 9), (6, 7)])), (3, at(4)));
    assert_eq!(peak(&lifetimes(&[(1, 2), (3, 4), (5, 6)])), (1, at(1)));
    let alive = [(at(1), Timestamp::END), (at(9), Timestamp::END), (at(3), at(5))];
    assert_eq!(peak(&alive), (2, at(3)));
    assert_eq!(peak(&lifetimes(&[(5, 3)])), (1, at(5)), "times that are known only roughly");
}
