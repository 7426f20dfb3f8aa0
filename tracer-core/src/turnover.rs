//! Whether a process returns to the dead connections of a group, and how many connections it uses
//! at one time.
//!
//! A connection is *dead* if it appears to be of no further use: closed by its peer, or unread for
//! so long that it has a verdict. In a *clean-up*, the process closes a connection that has been
//! dead for longer than a twelfth of `--idle`. Pools do so when they come to such a connection. So
//! in a group with clean-ups, only the dead connections beyond the largest number alive at one time
//! are evidence, and only if their number grew from one clean-up to the next. If the process *uses*
//! a dead connection, only that connection is acquitted, and `--min-count` is raised for the group
//! for a while.
//!
//! A garbage collector closes some, leaves others that died before and after them, opens no new
//! ones in their place, and leaves more behind each time. That is not a clean-up.

use alloc::vec::Vec;

use crate::{Timestamp, group_size::GroupSize};

/// The number of clean-ups across which the excess must grow.
const CLEAN_UPS: usize = 3;
/// The minimum number of closes at one time that may be those of a garbage collector.
const COLLECTED_MIN: usize = 2;
/// The maximum number of times that `--min-count` is raised for one group.
const STEPS_MAX: u64 = 4;

/// A dead connection that the process closed or used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaned {
    /// Since when it had been dead.
    pub(crate) dead_since: Timestamp,
    /// The largest number of connections of the group that were alive at one time since then.
    pub(crate) outlived: usize,
    /// Whether it was used, not closed.
    pub(crate) was_used: bool,
}

/// The turnover of one group. Constant size.
#[derive(Clone, Debug)]
pub(crate) struct Turnover {
    /// When the group was first observed.
    pub(crate) since: Timestamp,
    /// The largest number of connections alive at one time.
    pub(crate) alive_max: usize,
    /// When that was.
    pub(crate) alive_max_at: Timestamp,
    /// Whether there was a clean-up.
    pub(crate) has_clean_ups: bool,
    /// Whether the process closed or used a dead connection.
    pub(crate) came_back: bool,
    /// Whether the number of dead connections beyond `alive_max` grew across three clean-ups.
    pub(crate) excess_grew: bool,
    /// The excess after each of the latest clean-ups.
    excesses: [usize; CLEAN_UPS],
    /// The number of valid entries in `excesses`.
    measured: usize,
    cleaned_at: Timestamp,
    /// The number of dead connections that the latest garbage collection left.
    left_by_collection: usize,
    /// How often connections of the group were used again after they had a verdict, and when last.
    steps: u64,
    stepped_at: Timestamp,
}

impl Turnover {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self {
            since,
            alive_max: 0,
            alive_max_at: since,
            has_clean_ups: false,
            came_back: false,
            excess_grew: false,
            excesses: [0; CLEAN_UPS],
            measured: 0,
            cleaned_at: Timestamp::default(),
            left_by_collection: 0,
            steps: 0,
            stepped_at: since,
        }
    }

    /// Updates the state with what a snapshot at `at` shows.
    pub(crate) fn observe(&mut self, at: Timestamp, size: GroupSize) {
        if size.alive > self.alive_max {
            (self.alive_max, self.alive_max_at) = (size.alive, at);
        }
        // More connections were used at one time than was known, or the dead ones were closed.
        self.excess_grew &= size.count > self.alive_max;
    }

    /// Updates the state with what the process did to dead connections since the previous snapshot.
    /// `left` has the times since which the remaining ones have been dead.
    pub(crate) fn clean_up(
        &mut self,
        at: Timestamp,
        cleaned: &[Cleaned],
        left: &[Timestamp],
        size: GroupSize,
        gap_ms: u64,
    ) {
        if cleaned.iter().any(|cleaned| cleaned.was_used) && at.ms_since(self.stepped_at) > gap_ms {
            self.steps = (self.steps + 1).min(STEPS_MAX);
            self.stepped_at = at;
        }
        let closed = || cleaned.iter().filter(|cleaned| !cleaned.was_used);
        if self.is_collection(&closed().collect::<Vec<_>>(), left, size) {
            self.left_by_collection = left.len();
            return;
        }
        self.came_back = true;
        if closed().next().is_none() {
            return;
        }
        let is_continued = self.has_clean_ups && at.ms_since(self.cleaned_at) <= gap_ms;
        (self.has_clean_ups, self.cleaned_at) = (true, at);
        // The process returned to a connection beyond the number that it uses at one time.
        if closed().any(|cleaned| cleaned.outlived >= self.alive_max.max(1)) {
            (self.measured, self.excess_grew) = (0, false);
            return;
        }
        if is_continued {
            return;
        }
        let excess = size.count.saturating_sub(self.alive_max);
        self.excesses.rotate_left(1);
        self.excesses[CLEAN_UPS - 1] = excess;
        self.measured = (self.measured + 1).min(CLEAN_UPS);
        let grew = self.excesses.windows(2).all(|pair| pair[0] < pair[1]);
        self.excess_grew |= self.measured == CLEAN_UPS && grew;
    }

    /// Whether this was a garbage collection: connections that died between others were closed and
    /// not replaced by new ones, and more are left than after the previous collection.
    fn is_collection(&self, closed: &[&Cleaned], left: &[Timestamp], size: GroupSize) -> bool {
        let times = || closed.iter().map(|closed| closed.dead_since);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return false };
        closed.len() >= COLLECTED_MIN
            && left.iter().any(|left| first < *left && *left < last)
            && size.fresh < closed.len()
            && left.len() > self.left_by_collection
    }

    /// The multiple of itself by which `--min-count` is raised at `now`: one for each time that
    /// connections of the group were used again after they had a verdict, less one for every ten
    /// times `--idle` since.
    pub(crate) fn steps(&self, now: Timestamp, idle_ms: u64) -> usize {
        let decayed = now.ms_since(self.stepped_at) / idle_ms.saturating_mul(10).max(1);
        usize::try_from(self.steps.saturating_sub(decayed)).unwrap_or(usize::MAX)
    }
}
