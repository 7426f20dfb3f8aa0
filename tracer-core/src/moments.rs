use alloc::vec::Vec;

use crate::{Interval, Timestamp};

/// How many separate times something certainly happened, and over how long.
///
/// A snapshot carries its own history: connections that went silent at several separate times have
/// been accumulating; ones that all stopped together were hit by one event, such as a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Moments {
    /// The largest number of the given intervals that lie apart by more than the gap.
    pub(crate) separate: usize,
    /// From the first of those to the last, at the least, in milliseconds.
    pub(crate) spread_ms: u64,
    /// When the last of all can have been.
    pub(crate) last: Timestamp,
}

impl Moments {
    /// Counts intervals that are apart by more than `gap_ms`.
    pub(crate) fn of(intervals: impl IntoIterator<Item = Interval>, gap_ms: u64) -> Self {
        let mut intervals: Vec<Interval> = intervals.into_iter().collect();
        // Taking the interval that ends first leaves the most room for the others.
        intervals.sort_unstable_by_key(|interval| (interval.latest, interval.earliest));
        let Some(first) = intervals.first() else { return Self::default() };
        let mut last = first;
        let mut separate = 1;
        for interval in &intervals {
            if interval.earliest > last.latest && interval.earliest.ms_since(last.latest) > gap_ms {
                separate += 1;
                last = interval;
            }
        }
        let latest = intervals.iter().map(|interval| interval.latest).max().unwrap_or_default();
        Self { separate, spread_ms: last.earliest.ms_since(first.latest), last: latest }
    }

    /// They came at three separate times or more, spread over at least `idle_ms`.
    pub(crate) const fn gathered(self, idle_ms: u64) -> bool {
        self.separate >= 3 && self.spread_ms >= idle_ms
    }

    /// They gathered and may go on to: the last is not longer ago than twice the time they took, or
    /// ten times `idle_ms`.
    pub(crate) fn rising(self, idle_ms: u64, now: Timestamp) -> bool {
        let recent_ms = self.spread_ms.saturating_mul(2).max(idle_ms.saturating_mul(10));
        self.gathered(idle_ms) && now.ms_since(self.last) <= recent_ms
    }
}
