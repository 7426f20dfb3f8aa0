//! Groups the times at which something happened to several connections into clusters.
//!
//! A single snapshot shows the past: connections that went idle at several separate times
//! accumulated one by one, and connections that went idle together probably had one cause, such
//! as a restart or the end of a burst.
//!
//! A *series*, or run, is a sequence of occurrences without a pause of more than a twelfth of
//! `--idle` between one and the next. It is one *cluster*; if it lasts longer than `--idle`, it
//! counts as one cluster per `--idle`.
//!
//! A time may be known only as an interval. Two occurrences are separate only if their intervals
//! are certainly far enough apart.

use alloc::vec::Vec;

use crate::{Interval, Timestamp};

/// Summary of the times at which something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeparateTimes {
    /// The number of clusters that are certainly separate.
    pub(crate) count: usize,
    /// The shortest possible time from the first cluster to the last, in milliseconds.
    pub(crate) span_ms: u64,
    /// The latest time at which the first cluster can have begun.
    pub(crate) first: Timestamp,
    /// The latest possible time of any occurrence.
    pub(crate) latest: Timestamp,
    /// The largest number of occurrences in one cluster. If a series counts as several clusters,
    /// their average.
    pub(crate) largest: usize,
    /// The number of clusters that the longest series counts as.
    pub(crate) longest_run: usize,
    /// The only series, if no occurrence is outside of it.
    pub(crate) series: Option<Series>,
    /// The number of series; a single occurrence is one too.
    pub(crate) runs: usize,
    /// How long the latest series lasted, in milliseconds; 0 if the times are not known well enough.
    latest_run_ms: u64,
}

/// A single series that has all occurrences.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    /// How many there were.
    pub(crate) count: usize,
    /// The shortest possible time from the first occurrence to the last, in milliseconds.
    pub(crate) span_ms: u64,
    /// The longest possible time between two of them, in milliseconds.
    pub(crate) pause_max_ms: u64,
}

/// Fewer occurrences, or a shorter time, are not reported as a series: a restart may take that long.
const SERIES_MIN: usize = 3;
const SERIES_MIN_MS: u64 = 5_000;

/// Snapshots may be 30s apart and inspections late, however short `--idle` is: for this long, an
/// accumulation continues.
const RECENT_MIN_MS: u64 = 300_000;

/// A series of occurrences without a pause.
struct Run {
    /// The latest possible time of the first occurrence.
    first: Timestamp,
    /// The earliest possible time of the last occurrence.
    last: Timestamp,
    /// The latest possible time of any occurrence.
    latest: Timestamp,
    occurrences: usize,
    /// The longest possible time between two occurrences, in milliseconds.
    pause_max_ms: u64,
}

impl Run {
    const fn length_ms(&self) -> u64 {
        self.last.ms_since(self.first)
    }
}

impl SeparateTimes {
    /// Counts the clusters. Occurrences whose time is not known to within `gap_ms` do not fill a
    /// pause between others, and count on their own only if they are certainly `idle_ms` apart.
    pub(crate) fn of(
        intervals: impl IntoIterator<Item = Interval>,
        gap_ms: u64,
        idle_ms: u64,
    ) -> Self {
        let is_dated = |it: &Interval| it.latest.ms_since(it.earliest) <= gap_ms;
        let (dated, undated): (Vec<Interval>, Vec<Interval>) =
            intervals.into_iter().partition(is_dated);
        let latest = dated.iter().chain(&undated).map(|interval| interval.latest).max();
        let is_all_dated = undated.is_empty();
        let (dated, undated) = (Self::of_dated(dated, gap_ms, idle_ms), apart(undated, idle_ms));
        let most = if undated.count > dated.count { undated } else { dated };
        let series = most.series.filter(|_| is_all_dated);
        Self { latest: latest.unwrap_or_default(), series, ..most }
    }

    fn of_dated(mut dated: Vec<Interval>, gap_ms: u64, idle_ms: u64) -> Self {
        dated.sort_unstable_by_key(|interval| (interval.earliest, interval.latest));
        let mut runs: Vec<Run> = Vec::new();
        for interval in &dated {
            match runs.last_mut() {
                Some(run) if interval.earliest.ms_since(run.latest) <= gap_ms => {
                    run.first = run.first.min(interval.latest);
                    run.pause_max_ms = run.pause_max_ms.max(interval.latest.ms_since(run.last));
                    run.last = interval.earliest;
                    run.latest = run.latest.max(interval.latest);
                    run.occurrences += 1;
                }
                _ => runs.push(Run {
                    first: interval.latest,
                    last: interval.earliest,
                    latest: interval.latest,
                    occurrences: 1,
                    pause_max_ms: 0,
                }),
            }
        }
        let clusters = |run: &Run| {
            usize::try_from(run.length_ms() / idle_ms.max(1)).unwrap_or(usize::MAX).max(1)
        };
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else { return Self::default() };
        Self {
            count: runs.iter().map(clusters).fold(0, usize::saturating_add),
            span_ms: last.last.ms_since(first.first),
            first: first.first,
            latest: last.latest,
            largest: runs.iter().map(|it| it.occurrences / clusters(it)).max().unwrap_or(0),
            longest_run: runs.iter().map(clusters).max().unwrap_or(0),
            series: (runs.len() == 1).then(|| Series::of(last)).flatten(),
            runs: runs.len(),
            latest_run_ms: last.length_ms(),
        }
    }

    /// Whether there are at least three clusters that span at least `idle_ms`.
    pub(crate) const fn is_at_separate_times(self, idle_ms: u64) -> bool {
        self.count >= 3 && self.span_ms >= idle_ms
    }

    /// Whether the accumulation continues: the last cluster is no longer ago than twice the span,
    /// 30 × `idle_ms` or [`RECENT_MIN_MS`], whichever is longest.
    pub(crate) fn is_still_accumulating(self, idle_ms: u64, now: Timestamp) -> bool {
        let recent_ms = self.span_ms.saturating_mul(2).max(idle_ms.saturating_mul(30));
        let recent_ms = recent_ms.max(RECENT_MIN_MS);
        self.is_at_separate_times(idle_ms) && now.ms_since(self.latest) <= recent_ms
    }

    /// How long the latest series has lasted, in milliseconds, if it still continues. Its latest
    /// occurrence is always at least `idle_ms` ago, because only connections that have been idle for
    /// that long are suspicious.
    pub(crate) fn continuing_ms(&self, idle_ms: u64, now: Timestamp) -> Option<u64> {
        let is_recent = now.ms_since(self.latest) <= idle_ms.saturating_add(idle_ms / 4);
        (is_recent && self.latest_run_ms > SERIES_MIN_MS).then_some(self.latest_run_ms)
    }
}

impl Series {
    fn of(run: &Run) -> Option<Self> {
        let (count, span_ms) = (run.occurrences, run.length_ms());
        let is_series = count >= SERIES_MIN && span_ms > SERIES_MIN_MS;
        is_series.then_some(Self { count, span_ms, pause_max_ms: run.pause_max_ms })
    }
}

/// The largest number of intervals that are certainly more than `gap_ms` apart.
fn apart(mut intervals: Vec<Interval>, gap_ms: u64) -> SeparateTimes {
    // Greedy interval scheduling: the interval that ends first leaves the most room.
    intervals.sort_unstable_by_key(|interval| (interval.latest, interval.earliest));
    let Some(first) = intervals.first() else { return SeparateTimes::default() };
    let (mut last, mut count) = (first, 1);
    for interval in &intervals {
        if interval.earliest > last.latest && interval.earliest.ms_since(last.latest) > gap_ms {
            count += 1;
            last = interval;
        }
    }
    SeparateTimes {
        count,
        span_ms: last.earliest.ms_since(first.latest),
        first: first.latest,
        latest: last.latest,
        // It is unknown how many are in one cluster: it may be all of them.
        largest: intervals.len(),
        longest_run: 1,
        series: None,
        runs: count,
        latest_run_ms: 0,
    }
}
