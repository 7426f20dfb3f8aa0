//! The time between two snapshots. Pure: the session passes in the CPU time used and whether
//! anything changed.

use std::{collections::VecDeque, time::Duration};

/// Pause between snapshots while something changes.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause between snapshots when nothing has changed for some time.
const CALM_PAUSE: Duration = Duration::from_secs(10);
/// The pause is at most `--idle` divided by this, so that verdicts are delayed only slightly.
const IDLE_DIVISOR: u32 = 6;
/// The pause is at least the CPU time that tracer uses per snapshot multiplied by this, so that
/// tracer uses less than 1% of one CPU. The margin of 5% is for its start.
const COST_FACTOR: u32 = 105;
/// Longest pause due to the cost.
const COST_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Number of snapshots over which the CPU time of the tracer is averaged.
const AVERAGED: u8 = 8;
/// Number of snapshots over which the CPU time of inspections is averaged: the scan of a large
/// process, and whatever a process does to make its inspection expensive, delays many snapshots
/// slightly instead of a few for a long time.
const INSPECTIONS_AVERAGED: u8 = 60;

/// The pauses of one run.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    shortest: Duration,
    longest: Duration,
    /// The pause without regard to the cost.
    pause: Duration,
    /// CPU time of the latest snapshots, each including the work that followed from it, without
    /// inspections.
    costs: VecDeque<Duration>,
    /// CPU time of the inspections after each of the latest snapshots.
    inspections: VecDeque<Duration>,
}

/// CPU time used since the previous snapshot.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CpuTime {
    /// CPU time of the tracer itself, including events and output.
    pub(crate) tracer: Duration,
    /// CPU time of inspections.
    pub(crate) inspections: Duration,
}

impl Pace {
    /// Starts with the shortest pause. With an `interval`, the pause does not depend on what changes.
    /// `idle` is the value of `--idle`.
    pub(crate) fn new(interval: Option<Duration>, idle: Duration) -> Self {
        let calm = (idle / IDLE_DIVISOR).clamp(PAUSE, CALM_PAUSE);
        let (shortest, longest) = interval.map_or((PAUSE, calm), |interval| (interval, interval));
        Self {
            shortest,
            longest,
            pause: shortest,
            costs: VecDeque::new(),
            inspections: VecDeque::new(),
        }
    }

    /// Records a snapshot. Pauses grow by half while nothing changes.
    pub(crate) fn snapshot_taken(&mut self, cpu_time: CpuTime, has_changed: bool) {
        let grown = self.pause.saturating_add(self.pause / 2).min(self.longest);
        self.pause = if has_changed { self.shortest } else { grown };
        keep(&mut self.costs, cpu_time.tracer, AVERAGED);
        keep(&mut self.inspections, cpu_time.inspections, INSPECTIONS_AVERAGED);
    }

    /// Records an event: the pause becomes short again.
    pub(crate) const fn event_arrived(&mut self) {
        self.pause = self.shortest;
    }

    /// The time from the end of one snapshot to the start of the next.
    pub(crate) fn pause(&self) -> Duration {
        // Later pauses compensate for the cost of the first snapshots.
        let average = self.costs.iter().sum::<Duration>() / u32::from(AVERAGED)
            + self.inspections.iter().sum::<Duration>() / u32::from(INSPECTIONS_AVERAGED);
        self.pause.max(average.saturating_mul(COST_FACTOR).min(COST_PAUSE_MAX))
    }
}

/// Adds a value to the latest ones, of which `count` are kept.
fn keep(latest: &mut VecDeque<Duration>, value: Duration, count: u8) {
    if latest.len() == usize::from(count) {
        latest.pop_front();
    }
    latest.push_back(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(1);
    const CHEAP: CpuTime =
        CpuTime { tracer: Duration::from_micros(100), inspections: Duration::ZERO };

    /// The pauses after snapshots in which nothing had changed, in milliseconds.
    fn calm(pace: &mut Pace, snapshots: usize) -> Vec<u128> {
        let pauses = (0..snapshots).map(|_| {
            pace.snapshot_taken(CHEAP, false);
            pace.pause().as_millis()
        });
        pauses.collect()
    }

    #[test]
    fn pauses_grow_while_nothing_changes() {
        let mut pace = Pace::new(None, IDLE);
        assert_eq!(pace.pause(), PAUSE);
        assert_eq!(calm(&mut pace, 7), [1_500, 2_250, 3_375, 5_062, 7_593, 10_000, 10_000]);
        pace.snapshot_taken(CHEAP, true);
        assert_eq!(pace.pause(), PAUSE);
        assert_eq!(calm(&mut pace, 2), [1_500, 2_250]);
        pace.event_arrived();
        assert_eq!(pace.pause(), PAUSE, "an event arrived");
    }

    #[test]
    fn the_longest_pause_depends_on_idle() {
        let longest = |seconds| calm(&mut Pace::new(None, Duration::from_secs(seconds)), 50)[49];
        assert_eq!([1, 6, 30, 60, 600].map(longest), [1_000, 1_000, 5_000, 10_000, 10_000]);
    }

    #[test]
    fn an_interval_does_not_change() {
        for interval in [Duration::from_millis(20), Duration::from_secs(45)] {
            let mut pace = Pace::new(Some(interval), IDLE);
            pace.snapshot_taken(CHEAP, false);
            assert_eq!(pace.pause(), interval);
            pace.snapshot_taken(CHEAP, true);
            assert_eq!(pace.pause(), interval);
        }
    }

    /// The pauses after snapshots that cost this much.
    fn busy(pace: &mut Pace, tracer: Duration, snapshots: usize) -> Vec<Duration> {
        let pauses = (0..snapshots).map(|_| {
            pace.snapshot_taken(CpuTime { tracer, ..CpuTime::default() }, true);
            pace.pause()
        });
        pauses.collect()
    }

    #[test]
    fn tracer_takes_less_than_one_percent_of_a_cpu() {
        let mut pace = Pace::new(None, IDLE);
        let cost = Duration::from_millis(100);
        let pauses: Duration = busy(&mut pace, cost, 200).iter().sum();
        assert!(pauses > 100 * 200 * cost, "{pauses:?}");
        assert_eq!(pace.pause(), Duration::from_millis(10_500));
        pace.event_arrived();
        assert_eq!(pace.pause(), Duration::from_millis(10_500), "not shorter after an event");
        busy(&mut pace, Duration::from_secs(3), 8);
        assert_eq!(pace.pause(), COST_PAUSE_MAX, "limited");
        let mut pace = Pace::new(Some(Duration::from_millis(10)), IDLE);
        busy(&mut pace, Duration::from_millis(20), 8);
        assert_eq!(pace.pause(), Duration::from_millis(2_100), "even with a short interval");
    }

    #[test]
    fn what_is_done_once_delays_several_snapshots_a_little() {
        let mut pace = Pace::new(None, IDLE);
        busy(&mut pace, Duration::ZERO, 20);
        let mut pauses = busy(&mut pace, Duration::from_millis(400), 1);
        pauses.extend(busy(&mut pace, Duration::ZERO, 8));
        let delayed = Duration::from_millis(5_250);
        assert_eq!(pauses, [[delayed; 8].as_slice(), &[PAUSE]].concat());
    }

    #[test]
    fn an_expensive_inspection_delays_many_snapshots_less() {
        let mut pace = Pace::new(None, IDLE);
        let inspections = Duration::from_secs(2);
        pace.snapshot_taken(CpuTime { inspections, ..CpuTime::default() }, true);
        let mut pauses = vec![pace.pause()];
        pauses.extend(busy(&mut pace, Duration::ZERO, 60));
        let delayed = Duration::from_millis(3_500);
        assert_eq!(pauses.pop(), Some(PAUSE));
        assert!(pauses.iter().all(|pause| pause.abs_diff(delayed) < PAUSE / 100), "{pauses:?}");
        assert!(pauses.iter().sum::<Duration>() > inspections * 100, "less than one percent");
    }
}
