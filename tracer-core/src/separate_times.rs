//! How often something certainly happened at separate times.
//!
//! One snapshot carries its own history: connections that went silent at several separate times
//! accumulated one by one, and connections that went silent together were hit by one event, such as
//! a restart.

use alloc::vec::Vec;

use crate::{Interval, Timestamp};

/// Summary of the times at which something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeparateTimes {
    /// The largest number of the given intervals that lie apart by more than the gap.
    pub(crate) count: usize,
    /// From the first of those to the last, at least.
    pub(crate) span_ms: u64,
    /// The latest possible time of all.
    pub(crate) latest: Timestamp,
}

impl SeparateTimes {
    /// Counts the intervals that are apart by more than `gap_ms`.
    pub(crate) fn of(intervals: impl IntoIterator<Item = Interval>, gap_ms: u64) -> Self {
        let mut intervals: Vec<Interval> = intervals.into_iter().collect();
        // Greedy interval scheduling: the interval that ends first leaves the most room.
        intervals.sort_unstable_by_key(|interval| (interval.latest, interval.earliest));
        let Some(first) = intervals.first() else { return Self::default() };
        let mut last = first;
        let mut count = 1;
        for interval in &intervals {
            if interval.earliest > last.latest && interval.earliest.ms_since(last.latest) > gap_ms {
                count += 1;
                last = interval;
            }
        }
        let latest = intervals.iter().map(|interval| interval.latest).max().unwrap_or_default();
        Self { count, span_ms: last.earliest.ms_since(first.latest), latest }
    }

    /// At least three separate times that span at least `idle_ms`.
    pub(crate) const fn is_spread_out(self, idle_ms: u64) -> bool {
        self.count >= 3 && self.span_ms >= idle_ms
    }

    /// Spread out and recent: the last time is at most twice the span ago, or ten times `idle_ms`.
    pub(crate) fn is_rising(self, idle_ms: u64, now: Timestamp) -> bool {
        let recent_ms = self.span_ms.saturating_mul(2).max(idle_ms.saturating_mul(10));
        self.is_spread_out(idle_ms) && now.ms_since(self.latest) <= recent_ms
    }
}
