//! The interval between the snapshots of a run, and the time of a judgment.

use alloc::{collections::VecDeque, vec::Vec};

use crate::Timestamp;

/// The number of intervals kept: ten minutes at one every 5s.
const KEPT: usize = 120;

/// The times between the starts of the latest 121 snapshots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotInterval {
    /// The median interval, in milliseconds.
    pub median_ms: u64,
    /// The longest interval, in milliseconds.
    pub max_ms: u64,
}

/// The latest intervals.
#[derive(Clone, Debug, Default)]
pub(crate) struct SnapshotIntervals {
    latest_at: Option<Timestamp>,
    intervals_ms: VecDeque<u64>,
    /// When the latest snapshot was first judged.
    judged_at: Option<Timestamp>,
}

impl SnapshotIntervals {
    /// Takes the start of a snapshot.
    pub(crate) fn observe(&mut self, at: Timestamp) {
        self.judged_at = None;
        if let Some(before) = self.latest_at.replace(at) {
            if self.intervals_ms.len() == KEPT {
                self.intervals_ms.pop_front();
            }
            self.intervals_ms.push_back(at.ms_since(before));
        }
    }

    /// The time as of which the latest snapshot is judged at `now`: the time of its first judgment.
    /// A later judgment has more answers, but whether a connection was used since the first one is
    /// unknown.
    pub(crate) fn judged_as_of(&mut self, now: Timestamp) -> Timestamp {
        *self.judged_at.get_or_insert(now)
    }

    /// The median and the longest interval; `None` before the second snapshot.
    pub(crate) fn summary(&self) -> Option<SnapshotInterval> {
        let mut sorted: Vec<u64> = self.intervals_ms.iter().copied().collect();
        sorted.sort_unstable();
        let median_ms = *sorted.get(sorted.len().checked_sub(1)? / 2)?;
        Some(SnapshotInterval { median_ms, max_ms: *sorted.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_intervals_count() {
        let mut intervals = SnapshotIntervals::default();
        let mut now_ms = 5_000;
        intervals.observe(Timestamp::from_ms(now_ms));
        assert_eq!(intervals.summary(), None);
        let mut after = |interval_ms: u64| {
            now_ms += interval_ms;
            intervals.observe(Timestamp::from_ms(now_ms));
            let SnapshotInterval { median_ms, max_ms } = intervals.summary()?;
            Some((median_ms, max_ms))
        };
        assert_eq!(after(24_000), Some((24_000, 24_000)));
        assert_eq!(after(1_000), Some((1_000, 24_000)));
        assert_eq!(after(2_000), Some((2_000, 24_000)));
        let last = (0..120).map(|_| after(3_000)).last();
        assert_eq!(last, Some(Some((3_000, 3_000))), "the first ones are forgotten");
    }
}
