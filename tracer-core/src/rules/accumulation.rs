//! How dead connections accumulated: one by one, as leaks do, or all at once, as in a pool.
//!
//! A restart of the server, the end of a burst of load or a network failure leaves many dead
//! connections at once: a single cluster, which is not evidence. A pool reuses the connection
//! that was returned last, so each burst that needs fewer connections than the previous one leaves
//! another batch of connections in the pool to die: a few clusters, each of many connections, until
//! a burst is large enough to use them again.
//!
//! Connections *accumulated* if they died in one of these ways, and others were opened after the
//! first of them was last used, other than in place of dead ones:
//!
//! - **One by one**: at separate times and still accumulating, with no more than a third of the
//!   connections in one cluster; and either at least half as many clusters as connections, or at
//!   least twenty clusters, or a series without a pause that counts as at least three. Once it has
//!   stopped, a snapshot cannot distinguish it from a pool that shrank: then more than four times
//!   `--pool-size` connections in at least twenty clusters are required.
//! - **In bursts that were watched**: at least five clusters were watched, the process closed or
//!   used none of the connections, and there are more than twice as many as were alive at once.
//! - **More than the process closes or uses**: the process closed or used others of the group, and
//!   the excess of dead connections over the peak number alive at once grew across three clean-ups.
//!
//! The opening time of a connection that was opened before tracing is unknown. If it carried one
//! request, the time of that request is used instead; if nothing was sent, the kernel still has the
//! time of the opening.

use super::Claimed;
use crate::{Interval, Timestamp, connection_view::ConnectionView, separate_times::SeparateTimes};

/// A series that counts as at least this many clusters lasts too long to be a burst.
const CLUSTERS_OF_RUN: usize = 3;
/// More clusters than a pool shows at once if batches of its connections died one after another as
/// load fell.
const CLUSTERS_OF_MANY: usize = 20;
/// The number of bursts that must be watched.
const BURSTS: usize = 5;

/// How connections accumulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulation {
    /// At once: nothing shows more than one cluster.
    AtOnce,
    /// In a way that does not exclude a pool.
    Undecided {
        /// The length of a run that would show whether it was a pool, in milliseconds.
        watch_ms: u64,
    },
    /// One by one, as leaks do.
    OneByOne,
}

impl<'a> Claimed<'_, 'a> {
    /// How the connections that pass `test` accumulated.
    pub(crate) fn accumulation(&self, test: impl Fn(&ConnectionView<'a>) -> bool) -> Accumulation {
        let members = || self.members.iter().filter(|member| test(member));
        let count = members().count();
        let times = self.separate_times(members().map(self.occurred));
        let has_accumulated = self.is_beyond_pool()
            || self.is_one_by_one(count, times)
            || self.is_in_bursts(members(), count);
        if has_accumulated && has_continued(members(), times.first) {
            return Accumulation::OneByOne;
        }
        if times.count <= 1 {
            return Accumulation::AtOnce;
        }
        self.undecided(times)
    }

    /// How the dead connections accumulated, if there are more than a pool keeps: more than
    /// `--pool-size` connections that carried at most one request (`is_unused`), or more than four
    /// times `--pool-size` connections of `all`, because a pool may have one for each of many
    /// threads. If a pool was watched and the connections are beyond it, more than `--pool-size`
    /// connections of `all` are enough. With several addresses, a pool may keep that many for each.
    pub(crate) fn dead_accumulation(
        &self,
        is_unused: impl Fn(&ConnectionView<'a>) -> bool,
        all: impl Fn(&ConnectionView<'a>) -> bool,
    ) -> Accumulation {
        let (unused, count) = (self.count_where(&is_unused), self.count_where(&all));
        let of_unused = self.accumulation(is_unused);
        let is_leak = |accumulation, is_enough| {
            accumulation == Accumulation::OneByOne && is_enough && !self.is_by_port
        };
        let of_all = self.accumulation(all);
        let all_max = if self.is_beyond_pool() {
            self.pool_max()
        } else {
            self.large_pool_max().saturating_mul(2)
        };
        if is_leak(of_unused, unused > self.pool_max()) || is_leak(of_all, count > all_max) {
            return Accumulation::OneByOne;
        }
        match of_all {
            // There are too few so far.
            Accumulation::OneByOne => self.undecided(self.times),
            of_all => of_all,
        }
    }

    /// Whether the number of dead connections beyond the number that the process returns to has
    /// grown.
    fn is_beyond_pool(&self) -> bool {
        self.turnover.is_some_and(|turnover| turnover.excess_grew)
    }

    /// Undecided until the required number of clusters has been watched; a single series without a
    /// pause, until it is too long to be a burst.
    fn undecided(&self, times: SeparateTimes) -> Accumulation {
        if times.longest_run == times.count && times.count < CLUSTERS_OF_RUN {
            let idle_ms = self.options.idle_ms;
            let run_ms = idle_ms.saturating_mul(u64::try_from(CLUSTERS_OF_RUN).unwrap_or(u64::MAX));
            // A connection of the series counts once it has been idle for `--idle`.
            let watch_ms = run_ms.saturating_sub(times.span_ms).saturating_add(idle_ms);
            return Accumulation::Undecided { watch_ms };
        }
        let (idle_ms, bursts) = (self.options.idle_ms, u64::try_from(BURSTS).unwrap_or(u64::MAX));
        let pauses = u64::try_from(times.count).unwrap_or(u64::MAX).saturating_sub(1).max(1);
        let pause_ms = (times.span_ms / pauses).max(idle_ms);
        let watch_ms = pause_ms.saturating_mul(bursts).saturating_add(idle_ms);
        Accumulation::Undecided { watch_ms }
    }

    fn separate_times(&self, intervals: impl Iterator<Item = Interval>) -> SeparateTimes {
        SeparateTimes::of(intervals, self.options.gap_ms(), self.options.idle_ms)
    }

    fn is_one_by_one(&self, count: usize, times: SeparateTimes) -> bool {
        let idle_ms = self.options.idle_ms;
        let is_even = 3 * times.largest <= count
            && (2 * times.count >= count
                || times.count >= CLUSTERS_OF_MANY
                || times.longest_run >= CLUSTERS_OF_RUN);
        let is_many = count > 2 * self.large_pool_max() && times.count >= CLUSTERS_OF_MANY;
        is_even
            && (times.is_still_accumulating(idle_ms, self.now)
                || (is_many && times.is_at_separate_times(idle_ms)))
    }

    fn is_in_bursts<'m>(
        &self,
        members: impl Iterator<Item = &'m ConnectionView<'a>>,
        count: usize,
    ) -> bool
    where
        'a: 'm,
    {
        let Some(turnover) = self.turnover.filter(|turnover| !turnover.has_returned) else {
            return false;
        };
        let watched = members.map(self.occurred).filter(|it| it.earliest >= turnover.since);
        let times = self.separate_times(watched);
        times.count >= BURSTS
            && count > 2 * turnover.peak
            && times.is_still_accumulating(self.options.idle_ms, self.now)
    }
}

/// Whether others were opened after the first of them was last used: a pool is bounded, a leak
/// continues. The death of the first is not what counts, because a peer may take so long to close
/// that all were opened before that.
///
/// If the openings were watched, one is enough that did not take the place of a dead connection: a
/// pool replaces those that it finds dead, while others stay below them. Otherwise, most must have
/// been opened later: a pool may have replaced a few.
fn has_continued<'m, 'a: 'm>(
    members: impl Iterator<Item = &'m ConnectionView<'a>> + Clone,
    first_cluster: Timestamp,
) -> bool {
    let unused = members.clone().map(ConnectionView::last_used_at).min();
    let first = unused.map_or(first_cluster, |unused| unused.min(first_cluster));
    let (mut known, mut later) = (0_usize, 0_usize);
    for member in members {
        let Some(opened) = member.known_opening() else { continue };
        let is_later = opened > first;
        if !member.may_predate_tracing() {
            if is_later && !member.tracked.is_replacement {
                return true;
            }
            continue;
        }
        known += 1;
        later += usize::from(is_later);
    }
    2 * later > known
}
