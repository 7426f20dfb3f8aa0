//! The time between two snapshots. Pure: the session passes in the CPU time used and whether
//! anything changed.

use std::{collections::VecDeque, time::Duration};

/// Pause between snapshots while something changes.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause between snapshots when nothing has changed for some time.
const CALM_PAUSE: Duration = Duration::from_secs(10);
/// The pause is at most `--idle` divided by this, so that verdicts are delayed only slightly.
const IDLE_DIVISOR: u32 = 6;
/// The average time from one snapshot to the next is at least the CPU time that tracer uses per
/// snapshot multiplied by this, so that tracer uses less than 1% of one CPU.
const COST_FACTOR: u32 = 102;
/// Longest pause due to the cost.
const COST_PAUSE_MAX: Duration = Duration::from_secs(30);
/// Number of snapshots whose median cost determines the pause. What was used beyond that, such as
/// for the start or for inspecting a large process, is made up for over as many pauses: it delays
/// several snapshots slightly instead of one for long.
const SPREAD: u8 = 16;
/// Of fewer snapshots, the cost is assumed to be lower.
const USUAL_MIN: usize = 5;
/// The pauses can be shorter for this much time in total after longer ones than necessary.
const SAVED_MAX: Duration = Duration::from_secs(10);

/// The pauses of one run.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    shortest: Duration,
    longest: Duration,
    /// The pause without regard to the cost.
    pause: Duration,
    /// CPU time of the latest snapshots, each including the work that followed from it.
    costs: VecDeque<Duration>,
    /// How much longer all pauses so far should have been because of the CPU time used.
    owed: Duration,
    /// How much shorter they could have been.
    saved: Duration,
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
            owed: Duration::ZERO,
            saved: Duration::ZERO,
        }
    }

    /// Records a snapshot. `cpu_time` is that of tracer in the `elapsed` time since the previous
    /// snapshot, including events, inspections and output. Pauses grow by half while nothing
    /// changes.
    pub(crate) fn snapshot_taken(
        &mut self,
        cpu_time: Duration,
        elapsed: Duration,
        has_changed: bool,
    ) {
        let grown = self.pause.saturating_add(self.pause / 2).min(self.longest);
        self.pause = if has_changed { self.shortest } else { grown };
        if self.costs.len() == usize::from(SPREAD) {
            self.costs.pop_front();
        }
        self.costs.push_back(cpu_time);
        let due = cpu_time.saturating_mul(COST_FACTOR).saturating_add(self.owed);
        let had = elapsed.saturating_add(self.saved);
        self.owed = due.saturating_sub(had).min(COST_PAUSE_MAX * SPREAD.into());
        self.saved = had.saturating_sub(due).min(SAVED_MAX);
    }

    /// Records an event: the pause becomes short again.
    pub(crate) const fn event_arrived(&mut self) {
        self.pause = self.shortest;
    }

    /// The time from the end of one snapshot to the start of the next.
    pub(crate) fn pause(&self) -> Duration {
        let usual = self.usual_cost().saturating_mul(COST_FACTOR);
        let (longer, shorter) = (self.owed / SPREAD.into(), self.saved / SPREAD.into());
        let due = usual.saturating_add(longer).saturating_sub(shorter);
        self.pause.max(due.min(COST_PAUSE_MAX))
    }

    /// The median cost of the latest snapshots. The first ones, which include the start and the
    /// first inspection of each process, are not usual.
    fn usual_cost(&self) -> Duration {
        let mut costs: Vec<Duration> = self.costs.iter().copied().collect();
        costs.resize(costs.len().max(USUAL_MIN), Duration::ZERO);
        costs.sort_unstable();
        costs.get(costs.len() / 2).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(1);
    const CHEAP: Duration = Duration::from_micros(100);

    /// The pauses after snapshots in which nothing had changed, in milliseconds.
    fn calm(pace: &mut Pace, snapshots: usize) -> Vec<u128> {
        let pauses = (0..snapshots).map(|_| {
            pace.snapshot_taken(CHEAP, pace.pause(), false);
            pace.pause().as_millis()
        });
        pauses.collect()
    }

    #[test]
    fn pauses_grow_while_nothing_changes() {
        let mut pace = Pace::new(None, IDLE);
        assert_eq!(pace.pause(), PAUSE);
        assert_eq!(calm(&mut pace, 7), [1_500, 2_250, 3_375, 5_062, 7_593, 10_000, 10_000]);
        pace.snapshot_taken(CHEAP, pace.pause(), true);
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
            pace.snapshot_taken(CHEAP, pace.pause(), false);
            assert_eq!(pace.pause(), interval);
            pace.snapshot_taken(CHEAP, pace.pause(), true);
            assert_eq!(pace.pause(), interval);
        }
    }

    /// The pauses after snapshots that cost this much, including inspections.
    fn busy(pace: &mut Pace, cost: Duration, snapshots: usize) -> Vec<Duration> {
        let pauses = (0..snapshots).map(|_| {
            pace.snapshot_taken(cost, pace.pause(), true);
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
        let usual = Duration::from_millis(10_200);
        let settled = |pause: Duration| pause.abs_diff(usual) < Duration::from_millis(10);
        assert!(settled(pace.pause()), "{:?}", pace.pause());
        pace.event_arrived();
        assert!(settled(pace.pause()), "not shorter after an event");
        busy(&mut pace, Duration::from_secs(3), 8);
        assert_eq!(pace.pause(), COST_PAUSE_MAX, "limited");
        let mut pace = Pace::new(Some(Duration::from_millis(10)), IDLE);
        busy(&mut pace, Duration::from_millis(20), 200);
        let expected = Duration::from_millis(2_040);
        assert!(pace.pause().abs_diff(expected) < Duration::from_millis(10), "a short interval");
    }

    #[test]
    fn what_is_done_once_delays_several_snapshots_a_little() {
        let mut pace = Pace::new(None, IDLE);
        let cost = Duration::from_millis(40);
        busy(&mut pace, cost, 200);
        let mut pauses = busy(&mut pace, Duration::from_millis(400), 1);
        pauses.extend(busy(&mut pace, cost, 100));
        let usual = Duration::from_millis(4_080);
        assert!(pauses.iter().all(|pause| *pause < usual * 8 / 5), "{pauses:?}");
        let more: Duration = pauses.iter().map(|pause| pause.saturating_sub(usual)).sum();
        let expected = Duration::from_millis(360) * COST_FACTOR;
        assert!(more.abs_diff(expected) < expected / 50, "{more:?}");
    }

    #[test]
    fn saved_time_shortens_later_pauses_a_little() {
        let mut pace = Pace::new(None, IDLE);
        calm(&mut pace, 100);
        let cost = Duration::from_millis(40);
        let pauses = busy(&mut pace, cost, 200);
        let usual = Duration::from_millis(4_080);
        let less: Duration = pauses.iter().skip(16).map(|it| usual.saturating_sub(*it)).sum();
        assert!(less < SAVED_MAX, "{less:?}");
        assert!(pauses[199].abs_diff(usual) < Duration::from_millis(10));
    }
}
