//! Whether connections leaked at many separate times, as in a leak, or a few times at once, as in a
//! pool.
//!
//! A restart of the server, the end of a burst of load or a network failure leaves many dead
//! connections at once: a single cluster, which is not evidence. A LIFO pool uses the connection
//! first that was returned last. Each burst that needs fewer connections than the previous one
//! leaves some of them unused, and they die: a few clusters, each of many connections.
//!
//! Connections *accumulated* in one of these ways:
//!
//! - **One by one**: at separate times and still accumulating, with no more than a third of the
//!   connections in one cluster; and either at least half as many clusters as connections, or at
//!   least twenty clusters, or a series without a pause that counts as at least three. If they are
//!   no longer accumulating, a snapshot cannot distinguish them from a pool that shrank: then more
//!   than four times `--pool-size` connections in at least twenty clusters are required.
//! - **In bursts that were watched**: at least five clusters were watched, the process closed or
//!   used no dead connection of the group, and there are more than twice as many as were alive at
//!   once.
//! - **Beyond a pool**: the process cleans up others of the group, and the excess of dead
//!   connections grew ([`turnover`](crate::turnover)).
//!
//! In the first two ways, the leak must also have continued after it had begun: others were opened
//! after the first of them was last used, and not in place of dead ones. An excess that grew shows
//! this by itself.
//!
//! The opening time of a connection that was opened before tracing is unknown. If it carried one
//! request, the time of that request is used instead; if nothing was sent, the kernel still has the
//! time of the opening.

use super::Claimed;
use crate::{
    Caveat, Interval, Timestamp, connection_view::ConnectionView, separate_times::SeparateTimes,
};

/// A series that counts as at least this many clusters lasts too long to be a burst.
const CLUSTERS_OF_RUN: usize = 3;
/// More clusters than a pool has whose load fell in steps, so that its connections died in batches.
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
        let is_beyond_pool = self.is_beyond_pool();
        let has_accumulated = is_beyond_pool
            || self.is_one_by_one(count, times)
            || self.is_in_bursts(members(), count);
        let unused = members().map(ConnectionView::last_used_at).min();
        let first = unused.map_or(times.first, |unused| unused.min(times.first));
        // An excess that grew shows by itself that more were opened than replaced dead ones.
        let has_continued =
            || (is_beyond_pool && times.count > 1) || self.has_continued(members(), first);
        if has_accumulated && has_continued() {
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

    /// Whether others were opened after `first`, when the first of them was last used: a pool is
    /// bounded, a leak continues. `first` is not when the first of them died, because a peer may
    /// take so long to close that all were opened before.
    ///
    /// One such opening is enough if it was watched, was not in place of a dead connection, and the
    /// group has more connections than were ever alive at once. Otherwise, most must have been
    /// opened later, because a LIFO pool also opens some: it replaces the dead connections on top,
    /// and the dead ones underneath stay.
    fn has_continued<'m>(
        &self,
        members: impl Iterator<Item = &'m ConnectionView<'a>>,
        first: Timestamp,
    ) -> bool
    where
        'a: 'm,
    {
        let is_more_than_alive =
            self.turnover.is_none_or(|turnover| self.group.len() > turnover.peak);
        let (mut known, mut later) = (0_usize, 0_usize);
        for member in members {
            let Some(opened) = member.known_opening() else { continue };
            let is_watched = !member.may_predate_tracing();
            let is_later = opened > first && !(is_watched && member.tracked.is_replacement);
            if is_watched && is_later && is_more_than_alive {
                return true;
            }
            known += usize::from(!is_watched || !is_more_than_alive);
            later += usize::from(is_later);
        }
        2 * later > known
    }

    /// Undecided for as long as it takes to watch the required number of clusters, or until the
    /// latest series without a pause is too long to be a burst, whichever is shorter.
    fn undecided(&self, times: SeparateTimes) -> Accumulation {
        let (idle_ms, bursts) = (self.options.idle_ms, u64::try_from(BURSTS).unwrap_or(u64::MAX));
        let pauses = u64::try_from(times.runs.saturating_sub(1)).unwrap_or(u64::MAX);
        let pause_ms = times.span_ms.checked_div(pauses).unwrap_or(0).max(idle_ms);
        let bursts_ms = pause_ms.saturating_mul(bursts).saturating_add(idle_ms);
        let lasted_ms = times.continuing_ms(idle_ms, self.now);
        let series_ms = lasted_ms.filter(|lasted_ms| *lasted_ms < self.series_needed_ms());
        let series_ms = series_ms.map_or(bursts_ms, |lasted_ms| self.series_watch_ms(lasted_ms));
        Accumulation::Undecided { watch_ms: bursts_ms.min(series_ms) }
    }

    /// How long a series without a pause must last to be too long for a burst, in milliseconds.
    fn series_needed_ms(&self) -> u64 {
        let clusters = u64::try_from(CLUSTERS_OF_RUN).unwrap_or(u64::MAX);
        self.options.idle_ms.saturating_mul(clusters)
    }

    /// How long a run must be to show whether a series that has lasted `lasted_ms` continues for
    /// long enough, in milliseconds. The connections must then have been idle for `--idle`, and some
    /// rules must have watched them for as long.
    fn series_watch_ms(&self, lasted_ms: u64) -> u64 {
        let idle_ms = self.options.idle_ms;
        let missing_ms = self.series_needed_ms().saturating_sub(lasted_ms);
        missing_ms.saturating_add(idle_ms).max(idle_ms.saturating_mul(2))
    }

    /// Whether all of them are one series without a pause, in which connections were opened after
    /// others had died: a restart of the peer is no explanation for that.
    pub(super) fn is_replenished_series(&self) -> bool {
        self.times.series.is_some() && self.has_continued(self.members.iter(), self.times.first)
    }

    /// The caveat for such a series, if it continues and is still too short.
    pub(super) fn short_series(&self) -> Option<Caveat> {
        let lasted_ms = self.times.continuing_ms(self.options.idle_ms, self.now)?;
        let needed_ms = self.series_needed_ms();
        let is_short = lasted_ms < needed_ms && self.is_replenished_series();
        let watch_ms = self.series_watch_ms(lasted_ms);
        is_short.then_some(Caveat::ShortSeries { lasted_ms, needed_ms, watch_ms })
    }

    /// Whether their times show at which rate they died: they are still accumulating, or are a
    /// series that continues.
    pub(crate) fn has_rate(&self) -> bool {
        let idle_ms = self.options.idle_ms;
        let lasted_ms = self.times.continuing_ms(idle_ms, self.now);
        let is_series = lasted_ms.is_some_and(|lasted_ms| lasted_ms >= idle_ms / 2);
        self.is_still_accumulating() || (is_series && self.is_replenished_series())
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
