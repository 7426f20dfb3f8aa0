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
/// tracer uses less than 1% of one CPU. The margin of 5% is for the CPU time of its start.
const COST_FACTOR: u32 = 105;
/// Longest pause due to the cost.
const COST_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Number of snapshots over which the CPU time of the tracer is averaged.
const AVERAGED: u32 = 8;
/// Each snapshot pays this part of the CPU time that inspections have used and that is not paid
/// yet.
const PAID_PART: u32 = 60;
/// What a snapshot may pay for inspections if it costs less itself.
const PAID_MIN: Duration = Duration::from_millis(10);
/// If more than this is unpaid, the pause is the longest one.
const UNPAID_MAX: Duration = Duration::from_secs(30);

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
    /// CPU time of inspections for which no pause has made up yet.
    unpaid: Duration,
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
        let (costs, unpaid) = Default::default();
        Self { shortest, longest, pause: shortest, costs, unpaid }
    }

    /// Records a snapshot. Pauses grow by half while nothing changes.
    pub(crate) fn snapshot_taken(&mut self, cpu_time: CpuTime, has_changed: bool) {
        let paid = (self.pause() / COST_FACTOR).saturating_sub(self.cost());
        self.unpaid = self.unpaid.saturating_sub(paid).saturating_add(cpu_time.inspections);
        let grown = self.pause.saturating_add(self.pause / 2).min(self.longest);
        self.pause = if has_changed { self.shortest } else { grown };
        if self.costs.len() == AVERAGED as usize {
            self.costs.pop_front();
        }
        self.costs.push_back(cpu_time.tracer);
    }

    /// Records an event: the pause becomes short again.
    pub(crate) const fn event_arrived(&mut self) {
        self.pause = self.shortest;
    }

    /// The time from the end of one snapshot to the start of the next.
    ///
    /// A process can make its inspection expensive, so inspections never more than double the
    /// pause: they are paid for by many snapshots. Only if they have used far too much, all
    /// inspections become rare, and snapshots with them.
    pub(crate) fn pause(&self) -> Duration {
        let cost = self.cost();
        let for_cost = if self.unpaid > UNPAID_MAX {
            COST_PAUSE_MAX
        } else {
            let for_inspections = (self.unpaid / PAID_PART).min(cost.max(PAID_MIN));
            cost.saturating_add(for_inspections).saturating_mul(COST_FACTOR).min(COST_PAUSE_MAX)
        };
        self.pause.max(for_cost)
    }

    /// The average CPU time of a snapshot. Later pauses make up for the cost of the first snapshots.
    fn cost(&self) -> Duration {
        self.costs.iter().sum::<Duration>() / AVERAGED
    }
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
        inspecting(pace, CpuTime { tracer, ..CpuTime::default() }, snapshots)
    }

    /// The pauses after snapshots that cost this much, with the inspections that follow.
    fn inspecting(pace: &mut Pace, cost: CpuTime, snapshots: usize) -> Vec<Duration> {
        let pauses = (0..snapshots).map(|_| {
            pace.snapshot_taken(cost, true);
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
    fn inspections_that_cost_the_same_each_time_are_paid_for() {
        let mut pace = Pace::new(None, IDLE);
        let [tracer, inspections] = [60, 30].map(Duration::from_millis);
        let cost = CpuTime { tracer, inspections };
        inspecting(&mut pace, cost, 500);
        let pauses: Duration = inspecting(&mut pace, cost, 200).iter().sum();
        assert!(pauses > 100 * 200 * (tracer + inspections), "{pauses:?}");
        assert!(pauses < 110 * 200 * (tracer + inspections), "{pauses:?}");
    }

    #[test]
    fn an_expensive_inspection_hardly_delays_snapshots() {
        for (tracer, longest) in [(1, 1_155), (8, 1_890), (40, 8_400)] {
            let mut pace = Pace::new(None, IDLE);
            let tracer = Duration::from_millis(tracer);
            busy(&mut pace, tracer, 8);
            let before = pace.pause();
            let inspections = Duration::from_secs(20);
            let mut pauses = inspecting(&mut pace, CpuTime { tracer, inspections }, 1);
            while pace.pause() > before && pauses.len() < 10_000 {
                pauses.extend(busy(&mut pace, tracer, 1));
            }
            let longest = Duration::from_millis(longest);
            assert_eq!(pauses.iter().max(), Some(&longest), "{tracer:?}");
            let all = tracer * u32::try_from(pauses.len()).unwrap() + inspections;
            let allowed = pauses.iter().sum::<Duration>() / 100;
            let unpaid = pace.unpaid;
            assert!(allowed + unpaid > all, "less than one percent: {allowed:?}, {all:?}");
            assert!(unpaid < Duration::from_secs(1), "{unpaid:?}");
        }
    }

    #[test]
    fn inspections_that_use_far_too_much_become_rare() {
        let mut pace = Pace::new(None, IDLE);
        let cost = CpuTime { inspections: Duration::from_secs(2), ..CpuTime::default() };
        let pauses = inspecting(&mut pace, cost, 20);
        assert!(pauses[..15].iter().all(|pause| *pause < 2 * PAUSE), "{pauses:?}");
        assert_eq!(pauses[19], COST_PAUSE_MAX);
        assert!(busy(&mut pace, Duration::ZERO, 200).iter().any(|pause| *pause < 2 * PAUSE));
    }
}
