//! How dead connections accumulate: one by one, as a leak leaves them, or all at once, as a pool does.
//!
//! A restart of the server, the end of a burst of load or a network that fails leaves many dead
//! connections at one time: one event, which says nothing. A pool hands out the connection that was
//! returned last, so each burst that is less deep than the one before leaves another layer of it dead:
//! some events, each of many connections, until a burst is deep enough to come back to them.
//!
//! Connections *accumulate* if they died in one of these ways, and others were opened after the first
//! of them was no longer used:
//!
//! - **One by one**: at separate times, none of them of more than a third of the connections, and half
//!   as many events as connections, at least twenty, or three without a pause; and that keeps
//!   happening. If it has stopped, a snapshot cannot tell it from a pool that shrank: it takes more
//!   than four times `--pool-size` at twenty events.
//! - **In bursts that were watched**: at least five events, while the process came back to none of
//!   them, and more than twice as many connections as were alive at one time.
//! - **Beyond what the process comes back to**: it came back to others of the group, and the dead
//!   beyond the largest number alive at one time became more across three clean-ups.
//!
//! What was opened before tracing has no time of opening; the last request of a connection that
//! carried one exchange stands for it. Where nothing was sent, that is the opening itself.

use super::Claimed;
use crate::{Interval, Timestamp, connection_view::ConnectionView, separate_times::SeparateTimes};

/// How often a run counts that lasts too long to be a burst.
const EVENTS_OF_RUN: usize = 3;
/// More events than a pool shows at one time, whose layers died one after the other under falling load.
const EVENTS_OF_MANY: usize = 20;
/// Bursts that have to be watched.
const BURSTS: usize = 5;

/// How connections accumulated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accumulation {
    /// At one time, as far as is known.
    AtOnce,
    /// Not so that a pool could be excluded.
    Undecided {
        /// Time of watching that would show it, in milliseconds.
        watch_ms: u64,
    },
    /// As a leak does.
    OneByOne,
}

impl<'a> Claimed<'_, 'a> {
    /// How those of the connections that pass `test` accumulated.
    pub(crate) fn accumulation(&self, test: impl Fn(&ConnectionView<'a>) -> bool) -> Accumulation {
        let members = || self.members.iter().filter(|member| test(member));
        let count = members().count();
        let times = self.separate_times(members().map(self.occurred));
        let is_excess = self.turnover.is_some_and(|turnover| turnover.excess_grew);
        let has_accumulated =
            is_excess || self.is_one_by_one(count, times) || self.is_in_bursts(members(), count);
        if has_accumulated && goes_on(members(), times.first) {
            return Accumulation::OneByOne;
        }
        if times.count <= 1 {
            return Accumulation::AtOnce;
        }
        self.undecided(times)
    }

    /// How those of the dead connections accumulated that are more than a pool keeps. Of those that
    /// carried at most one exchange (`is_unused`), that is more than `--pool-size`; of `all`, which a
    /// pool may have one for each of many threads, four times as many. To several addresses, a pool
    /// may keep as many for each.
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
        if is_leak(of_unused, unused > self.pool_max())
            || is_leak(of_all, count > self.large_pool_max().saturating_mul(2))
        {
            return Accumulation::OneByOne;
        }
        match of_all {
            // They are too few so far.
            Accumulation::OneByOne => self.undecided(self.times),
            of_all => of_all,
        }
    }

    /// It would be seen after as many events as have to be watched.
    fn undecided(&self, times: SeparateTimes) -> Accumulation {
        let (idle_ms, events) = (self.options.idle_ms, u64::try_from(BURSTS).unwrap_or(u64::MAX));
        let pauses = u64::try_from(times.count).unwrap_or(u64::MAX).saturating_sub(1).max(1);
        let pause_ms = (times.span_ms / pauses).max(idle_ms);
        let watch_ms = pause_ms.saturating_mul(events).saturating_add(idle_ms);
        Accumulation::Undecided { watch_ms }
    }

    fn separate_times(&self, intervals: impl Iterator<Item = Interval>) -> SeparateTimes {
        SeparateTimes::of(intervals, self.options.gap_ms(), self.options.idle_ms)
    }

    fn is_one_by_one(&self, count: usize, times: SeparateTimes) -> bool {
        let idle_ms = self.options.idle_ms;
        let is_even = 3 * times.largest <= count
            && (2 * times.count >= count
                || times.count >= EVENTS_OF_MANY
                || times.longest_run >= EVENTS_OF_RUN);
        let is_many = count > 2 * self.large_pool_max() && times.count >= EVENTS_OF_MANY;
        is_even && (times.is_rising(idle_ms, self.now) || (is_many && times.is_spread_out(idle_ms)))
    }

    fn is_in_bursts<'m>(
        &self,
        members: impl Iterator<Item = &'m ConnectionView<'a>>,
        count: usize,
    ) -> bool
    where
        'a: 'm,
    {
        let Some(turnover) = self.turnover.filter(|turnover| !turnover.came_back) else {
            return false;
        };
        let watched = members.map(self.occurred).filter(|it| it.earliest >= turnover.since);
        let times = self.separate_times(watched);
        times.count >= BURSTS
            && count > 2 * turnover.alive_max
            && times.is_rising(self.options.idle_ms, self.now)
    }
}

/// Some were opened after the first of them was no longer used: a pool is bounded, a leak goes on. A
/// peer may take so long to close that all were opened before the first of them died.
fn goes_on<'m, 'a: 'm>(
    members: impl Iterator<Item = &'m ConnectionView<'a>> + Clone,
    first_event: Timestamp,
) -> bool {
    let unused = members.clone().map(ConnectionView::last_used_at).min();
    let first = unused.map_or(first_event, |unused| unused.min(first_event));
    let mut openings = members.filter_map(ConnectionView::known_opening);
    openings.any(|opened| opened > first)
}
