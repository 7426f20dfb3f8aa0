//! What a process does with the dead connections of a group, and how many connections it uses at
//! once: whether it has a pool, or a garbage collector closes its connections.
//!
//! A connection is *dead* if it is of no further use to the process: its peer has closed it, it is
//! in CLOSE, or it has a verdict because its data is unread. It is *alive* otherwise.
//!
//! In a *clean-up*, the process closes a connection that has been dead for longer than a quarter of
//! `--idle` and that a snapshot showed dead. A pool does so when it is about to use the connection
//! again. In a group with three clean-ups, only the dead connections that a pool cannot keep are
//! evidence. They are beyond a pool if the *excess*, which is the number of connections beyond the
//! largest number ever alive at once, grew across three clean-ups: each time it was larger than
//! before, and it was never smaller in between.
//!
//! If the process *uses* a dead connection, that is no clean-up: only that connection loses its
//! verdict, and `--min-count` is raised for the group for a while.
//!
//! A garbage collection is no clean-up either. It closes several connections at once and leaves
//! others that died before and after them, and the program opens no new ones in their place. After
//! a collection, or if the process has closed several connections at once for another reason,
//! connections that died later are not evidence until the next collection is overdue.

use alloc::vec::Vec;

use crate::{
    ConnectionId, Direction, Interval, Options, Timestamp,
    group_size::{GroupSize, REPLACED_WITHIN_MS},
};

/// The number of clean-ups across which the excess must grow.
const CLEAN_UPS: usize = 3;
/// A garbage collector is recognized for the first time only if it closes at least this many
/// connections at once.
const COLLECTED_MIN: usize = 2;
/// Up to one in this many connections that a collector closes may look like a clean-up, because
/// another one is opened at that time.
const COINCIDENCE: usize = 4;
/// A collection is overdue after `COLLECTOR_PAUSES` times the longest time between two collections,
/// or after `COLLECTOR_IDLES` times `--idle`, whichever is shorter.
const COLLECTOR_PAUSES: u64 = 2;
const COLLECTOR_IDLES: u64 = 4;
/// A process may still close a connection that has been dead for up to `WAITS` times as long as the
/// one that it closed the latest after its death. At most `WAIT_IDLES` times `--idle` counts as the
/// time of that one.
const WAITS: u64 = 2;
const WAIT_IDLES: u64 = 10;
/// A dead connection is closed promptly if it is closed within `--idle` divided by this number.
const PROMPT: u64 = 4;
/// How far below the largest number in use a later burst may be and still count as equal: the
/// largest number of leaked connections that may have been among those in use.
pub(crate) const LESSER: usize = 5;
/// The maximum number of times that `--min-count` is raised for one group.
const RAISES_MAX: u64 = 4;

/// A dead connection that the process closed or used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaned {
    pub(crate) id: ConnectionId,
    /// When the connection was closed or used.
    pub(crate) at: Timestamp,
    /// The time since which the connection had been dead.
    pub(crate) dead_since: Timestamp,
    /// When the peer closed the connection; `None` if it did not.
    pub(crate) peer_closed: Option<Interval>,
    /// The largest number of connections of the group that were alive at once since the connection
    /// died.
    pub(crate) alive_max_since: usize,
    /// Whether the connection was used, not closed.
    pub(crate) was_used: bool,
    /// Whether a snapshot showed the connection dead.
    pub(crate) was_seen_dead: bool,
}

/// The remaining connections of a group of which some were closed, as a snapshot shows them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remaining {
    /// The time since which each dead connection has been dead.
    pub(crate) dead_since: Vec<Timestamp>,
    /// When the connections that were not in the previous snapshot were opened.
    pub(crate) opened: Vec<(Timestamp, ConnectionId)>,
}

/// What closed dead connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClosedBy {
    Pool,
    Collector,
    /// A pool or a garbage collector.
    Either,
}

/// The turnover of one group. Its size does not depend on the number of connections.
#[derive(Clone, Debug)]
pub(crate) struct Turnover {
    /// Who opened the connections of the group.
    direction: Direction,
    /// When the group was first observed.
    pub(crate) since: Timestamp,
    /// The largest number of connections alive in one snapshot.
    alive_max: usize,
    /// The largest number of connections alive at once, between snapshots as well.
    pub(crate) peak: usize,
    /// The largest number of connections in use at once, and when that was last reached.
    pub(crate) in_use_max: (usize, Timestamp),
    /// For `less` from 1 to `LESSER`: the latest two times, at least `--idle` apart, at which at
    /// least (the largest number in use - `less`) connections were in use.
    lesser: [[Timestamp; 2]; LESSER],
    /// The number of dead connections closed by clean-ups.
    cleaned: usize,
    /// The number of dead connections closed by a garbage collector.
    collected: usize,
    /// The number of connections that were closed long after they had died. Those that the garbage
    /// collector of a client closed are not counted.
    closed_late: usize,
    /// The longest time that one of these had been dead, in milliseconds.
    wait_max_ms: u64,
    /// The latest time at which one of these had died.
    closed_death_at: Timestamp,
    /// Whether the process closed or used a dead connection.
    pub(crate) has_returned: bool,
    /// Whether the excess, the number of connections beyond `peak`, grew across three clean-ups.
    pub(crate) excess_grew: bool,
    /// The excess after each of the latest clean-ups. Each entry is larger than the one before, and
    /// the excess has not been smaller since.
    excesses: [usize; CLEAN_UPS],
    /// The number of valid entries in `excesses`.
    measured: usize,
    cleaned_at: Timestamp,
    /// When the latest garbage collection was.
    collected_at: Option<Timestamp>,
    /// The longest time between two collections, in milliseconds.
    collector_pause_ms: u64,
    /// How many times `--min-count` was raised, because connections of the group were used again
    /// after they had a verdict, and when it last was.
    raises: u64,
    raised_at: Timestamp,
}

impl Turnover {
    pub(crate) fn new(direction: Direction, since: Timestamp) -> Self {
        Self {
            direction,
            since,
            alive_max: 0,
            peak: 0,
            in_use_max: (0, since),
            lesser: [[Timestamp::default(); 2]; LESSER],
            cleaned: 0,
            collected: 0,
            closed_late: 0,
            wait_max_ms: 0,
            closed_death_at: Timestamp::default(),
            has_returned: false,
            excess_grew: false,
            excesses: [0; CLEAN_UPS],
            measured: 0,
            cleaned_at: Timestamp::default(),
            collected_at: None,
            collector_pause_ms: 0,
            raises: 0,
            raised_at: since,
        }
    }

    /// Updates the state with what a snapshot at `at` shows.
    pub(crate) fn observe(&mut self, size: GroupSize, idle_ms: u64) {
        self.alive_max = self.alive_max.max(size.alive);
        self.peak = self.peak.max(size.alive).max(size.peak.0);
        self.observe_in_use(size.in_use, idle_ms);
        // Either more connections were alive at once than before, or the dead ones were closed.
        self.excess_grew &= size.count > self.peak;
    }

    fn observe_in_use(&mut self, (in_use, at): (usize, Timestamp), idle_ms: u64) {
        let (max, max_at) = self.in_use_max;
        if in_use == 0 {
            return;
        }
        if in_use > max {
            let before = self.lesser;
            for (less, times) in (1..).zip(&mut self.lesser) {
                // The distances are now from the new maximum: `less` below it is
                // `less + max - in_use` below the old one.
                *times = match (less + max).checked_sub(in_use) {
                    None => Default::default(),
                    Some(0) => [Timestamp::default(), max_at],
                    Some(less) => before[less - 1],
                };
            }
            self.in_use_max = (in_use, at);
        } else if in_use == max {
            self.in_use_max.1 = at.max(max_at);
        }
        let less = self.in_use_max.0 - in_use;
        for [second, last] in self.lesser.iter_mut().skip(less.saturating_sub(1)) {
            if at.ms_since(*last) >= idle_ms {
                (*second, *last) = (*last, at);
            }
        }
    }

    /// When the largest number of connections in use was last reached, if that was measured.
    pub(crate) fn in_use_max_at(&self) -> Option<Timestamp> {
        let (max, at) = self.in_use_max;
        (max > 0).then_some(at)
    }

    /// Whether at least (the largest number in use - `less`) connections were in use at two times
    /// since `since`, at least `--idle` apart.
    pub(crate) fn was_nearly_reached_twice(&self, less: usize, since: Timestamp) -> bool {
        let times = less.checked_sub(1).and_then(|index| self.lesser.get(index));
        times.is_some_and(|[second, _]| *second > since)
    }

    /// Updates the state with what the process did to dead connections since the previous snapshot.
    pub(crate) fn clean_up(
        &mut self,
        at: Timestamp,
        cleaned: &[Cleaned],
        remaining: &Remaining,
        size: GroupSize,
        options: &Options,
    ) {
        let gap_ms = options.gap_ms();
        if cleaned.iter().any(|cleaned| cleaned.was_used) && at.ms_since(self.raised_at) > gap_ms {
            self.raises = (self.raises + 1).min(RAISES_MAX);
            self.raised_at = at;
        }
        let closed: Vec<&Cleaned> = cleaned.iter().filter(|cleaned| !cleaned.was_used).collect();
        let closed_at = closed.iter().map(|closed| closed.at).collect();
        let is_replaced = replacements(closed_at, remaining.opened.clone()).len() >= closed.len();
        let is_swept = closed.len() >= COLLECTED_MIN && !is_replaced;
        let closed_by = self.closed_by(&closed, &remaining.dead_since, is_replaced);
        // A busy process may take a while to close what its peers have closed. If no snapshot has
        // shown a connection dead, what the process did with it until then is unknown.
        let prompt_ms = options.idle_ms / PROMPT;
        let is_late =
            |it: &&&Cleaned| it.was_seen_dead && it.at.ms_since(it.dead_since) > prompt_ms;
        let returned: Vec<&Cleaned> = closed.iter().filter(is_late).copied().collect();
        // How long a connection that a garbage collector closes had been dead says nothing about
        // how long the process takes to close the others.
        let says_when = closed_by != ClosedBy::Collector || self.direction == Direction::Inbound;
        for cleaned in returned.iter().filter(|_| says_when) {
            self.closed_late = self.closed_late.saturating_add(1);
            self.wait_max_ms = self.wait_max_ms.max(cleaned.at.ms_since(cleaned.dead_since));
            self.closed_death_at = self.closed_death_at.max(cleaned.dead_since);
        }
        if closed_by == ClosedBy::Collector || is_swept {
            // A connection that died between the collection and the snapshot awaits the next one.
            let collected_at = closed.iter().map(|closed| closed.at).max();
            self.collect(collected_at.unwrap_or(at));
        }
        if closed_by == ClosedBy::Collector {
            self.collected = self.collected.saturating_add(closed.len());
        }
        if closed_by != ClosedBy::Pool {
            return;
        }
        self.has_returned |= !returned.is_empty() || closed.len() < cleaned.len();
        if returned.is_empty() {
            return;
        }
        let is_continued = self.cleaned > 0 && at.ms_since(self.cleaned_at) <= gap_ms;
        (self.cleaned, self.cleaned_at) = (self.cleaned.saturating_add(returned.len()), at);
        // A connection that was already beyond the largest number alive at once was closed: the
        // process closes such connections too, so the excess is not evidence.
        if returned.iter().any(|cleaned| cleaned.alive_max_since >= self.alive_max.max(1)) {
            (self.measured, self.excess_grew) = (0, false);
            return;
        }
        if is_continued {
            return;
        }
        self.measure(size.count.saturating_sub(self.peak));
    }

    /// Records the excess after a clean-up.
    fn measure(&mut self, excess: usize) {
        let smaller = self.excesses[..self.measured].partition_point(|before| *before < excess);
        let is_known = self.excesses[..self.measured].get(smaller) == Some(&excess);
        self.measured = smaller + usize::from(is_known);
        if is_known {
            return;
        }
        if self.measured == CLEAN_UPS {
            self.excesses.rotate_left(1);
            self.measured -= 1;
        }
        self.excesses[self.measured] = excess;
        self.measured += 1;
        self.excess_grew |= self.measured == CLEAN_UPS;
    }

    /// What closed these connections. `left` has the time since which each remaining connection has
    /// been dead, and `is_replaced` says whether a new connection took the place of each closed one.
    fn closed_by(&self, closed: &[&Cleaned], left: &[Timestamp], is_replaced: bool) -> ClosedBy {
        let times = || closed.iter().map(|closed| closed.dead_since);
        let (Some(first), Some(last)) = (times().min(), times().max()) else {
            return ClosedBy::Pool;
        };
        // Those that had been dead for the longest were closed, as by a pool that closes what has
        // been idle for long.
        if !left.iter().any(|left| *left < last) {
            return ClosedBy::Pool;
        }
        let is_known = self.collected_at.is_some();
        if is_replaced && (closed.len() >= COLLECTED_MIN || !is_known) {
            return ClosedBy::Pool;
        }
        let leaves_newer = left.iter().any(|left| first < *left);
        let is_certain = closed.len() >= COLLECTED_MIN || is_known;
        if leaves_newer && !is_replaced && is_certain {
            ClosedBy::Collector
        } else {
            ClosedBy::Either
        }
    }

    fn collect(&mut self, at: Timestamp) {
        let pause_ms = at.ms_since(self.collected_at.unwrap_or(self.since));
        self.collector_pause_ms = self.collector_pause_ms.max(pause_ms);
        self.collected_at = Some(at);
    }

    /// Whether the garbage collector may not have run since `dead_since`, when a connection died.
    pub(crate) fn awaits_collection(
        &self,
        dead_since: Timestamp,
        now: Timestamp,
        idle_ms: u64,
    ) -> bool {
        let of_pause_ms = self.collector_pause_ms.saturating_mul(COLLECTOR_PAUSES);
        let overdue_ms = of_pause_ms.min(idle_ms.saturating_mul(COLLECTOR_IDLES));
        self.collected_at.is_some_and(|at| at < dead_since && now.ms_since(at) <= overdue_ms)
    }

    /// Whether the process may still close a connection of the group that died at `dead_since`,
    /// because it closed others after they had been dead for as long. A server closes each
    /// connection when its request has been handled, in any order. A client's pool closes the
    /// connections that died most recently first, so once it has closed one that died later, it has
    /// passed this one over.
    pub(crate) fn may_still_close(
        &self,
        dead_since: Timestamp,
        now: Timestamp,
        options: &Options,
    ) -> bool {
        let wait_ms = self.wait_max_ms.min(options.idle_ms.saturating_mul(WAIT_IDLES));
        let is_passed_over = self.closed_death_at.ms_since(dead_since) > options.gap_ms();
        self.closed_late >= CLEAN_UPS
            && now.ms_since(dead_since) <= wait_ms.saturating_mul(WAITS)
            && (self.direction == Direction::Inbound || !is_passed_over)
    }

    /// Whether there were enough clean-ups to conclude that the process returns to the connections
    /// of the group. If a garbage collector closes many connections, a few apparent clean-ups are
    /// coincidences: another connection was opened when it ran.
    pub(crate) const fn has_clean_ups(&self) -> bool {
        self.cleaned >= CLEAN_UPS && self.cleaned.saturating_mul(COINCIDENCE) >= self.collected
    }

    /// Whether the process did anything with dead connections that matters for later ones.
    pub(crate) const fn is_eventful(&self) -> bool {
        self.has_returned || self.collected_at.is_some()
    }

    /// The number of increments of `--min-count` in force at `now`: one for each time that
    /// connections of the group were used again after they had a verdict, less one per 10 ×
    /// `--idle` since.
    pub(crate) fn raises(&self, now: Timestamp, idle_ms: u64) -> usize {
        let decayed = now.ms_since(self.raised_at) / idle_ms.saturating_mul(10).max(1);
        usize::try_from(self.raises.saturating_sub(decayed)).unwrap_or(usize::MAX)
    }
}

/// Of the connections that were `opened` at these times, those that replaced a closed connection.
/// Each replaces one.
pub(crate) fn replacements(
    mut closed: Vec<Timestamp>,
    mut opened: Vec<(Timestamp, ConnectionId)>,
) -> Vec<ConnectionId> {
    closed.sort_unstable();
    opened.sort_unstable();
    let mut opened = opened.into_iter().peekable();
    let successor = |closed: Timestamp| {
        while opened.next_if(|(at, _)| closed.ms_since(*at) > REPLACED_WITHIN_MS).is_some() {}
        let is_near = |(at, _): &(Timestamp, _)| at.ms_since(closed) <= REPLACED_WITHIN_MS;
        opened.next_if(is_near).map(|(_, id)| id)
    };
    closed.into_iter().filter_map(successor).collect()
}
