//! Whether a process comes back to the dead connections of a group, and how many it uses at one time.
//!
//! *Dead* are connections that nobody has any use for, as far as can be seen: closed by their peer,
//! or unread for so long that they have a verdict. A *clean-up* is a process that closes one that has
//! been dead for longer than a twelfth of `--idle`. Pools do so when they come to such a connection, so
//! of a group with clean-ups only the dead beyond the largest number alive at one time are evidence,
//! and only if those became more from one clean-up to the next. A process that *uses* one says so of
//! this one only, and raises `--min-count` for the group for a while.
//!
//! A garbage collector closes some and leaves others that died before and after them, puts no new ones
//! in their place, and leaves more behind each time. That is no clean-up.

use alloc::vec::Vec;

use crate::{Timestamp, group_size::GroupSize};

/// Clean-ups across which the excess has to grow.
const CLEAN_UPS: usize = 3;
/// Closes at one time that may be those of a garbage collector.
const COLLECTED_MIN: usize = 2;
/// How often `--min-count` is raised for one group at most.
const STEPS_MAX: u64 = 4;

/// A dead connection that the process closed or used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cleaned {
    /// Since when it was dead.
    pub(crate) dead_since: Timestamp,
    /// The largest number of connections of the group that were alive at one time since then.
    pub(crate) outlived: usize,
    /// It was used, not closed.
    pub(crate) was_used: bool,
}

/// The turnover of one group. Of constant size.
#[derive(Clone, Debug)]
pub(crate) struct Turnover {
    /// When the group was first observed.
    pub(crate) since: Timestamp,
    /// The largest number of connections alive at one time.
    pub(crate) alive_max: usize,
    /// When that was.
    pub(crate) alive_max_at: Timestamp,
    /// There was a clean-up.
    pub(crate) has_clean_ups: bool,
    /// The process closed or used a dead connection.
    pub(crate) came_back: bool,
    /// The dead beyond `alive_max` became more across three clean-ups.
    pub(crate) excess_grew: bool,
    /// The excess after each of the latest clean-ups.
    excesses: [usize; CLEAN_UPS],
    /// How many of `excesses` there are.
    measured: usize,
    cleaned_at: Timestamp,
    /// What the latest garbage collection left.
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

    /// Takes in what a snapshot at `at` shows.
    pub(crate) fn observe(&mut self, at: Timestamp, size: GroupSize) {
        if size.alive > self.alive_max {
            (self.alive_max, self.alive_max_at) = (size.alive, at);
        }
        // More were used at one time than was known, or the dead were closed.
        self.excess_grew &= size.count > self.alive_max;
    }

    /// Takes in what the process did to dead connections since the snapshot before. `left` are the
    /// times since when those that remain have been dead.
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
        // The process came back to one that was beyond what it uses at one time.
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

    /// Some that died between others were closed, not in exchange for new ones, and more are left than
    /// by the collection before.
    fn is_collection(&self, closed: &[&Cleaned], left: &[Timestamp], size: GroupSize) -> bool {
        let times = || closed.iter().map(|closed| closed.dead_since);
        let (Some(first), Some(last)) = (times().min(), times().max()) else { return false };
        closed.len() >= COLLECTED_MIN
            && left.iter().any(|left| first < *left && *left < last)
            && size.fresh < closed.len()
            && left.len() > self.left_by_collection
    }

    /// By how much `--min-count` is raised at `now`, in multiples of itself: once for each time that
    /// connections of the group were used again after they had a verdict, less one for each ten times
    /// `--idle` since.
    pub(crate) fn steps(&self, now: Timestamp, idle_ms: u64) -> usize {
        let decayed = now.ms_since(self.stepped_at) / idle_ms.saturating_mul(10).max(1);
        usize::try_from(self.steps.saturating_sub(decayed)).unwrap_or(usize::MAX)
    }
}
