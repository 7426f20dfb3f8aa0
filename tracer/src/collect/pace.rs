//! The time between two snapshots. Pure: the session reports what a snapshot cost and found.

use std::time::Duration;

/// Pause between snapshots while something changes.
const PAUSE: Duration = Duration::from_secs(1);
/// Pause between snapshots when nothing has changed for some time.
const CALM_PAUSE: Duration = Duration::from_secs(10);
/// The pause is at most `--idle` divided by this, so that a verdict is delayed only a little.
const IDLE_DIVISOR: u32 = 6;
/// The pause is at least the CPU time of the latest snapshot multiplied by this, so that snapshots
/// take at most 1% of one CPU.
const COST_FACTOR: u32 = 100;
/// Longest pause because of the cost.
const COST_PAUSE_MAX: Duration = Duration::from_secs(30);

/// The pauses of one run.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    shortest: Duration,
    longest: Duration,
    /// Pause by what changes.
    pause: Duration,
    /// Pause by the cost of the latest snapshot.
    cost_pause: Duration,
}

impl Pace {
    /// Starts with the shortest pause. With an `interval`, the pause does not depend on what changes.
    /// `idle` is the value of `--idle`.
    pub(crate) fn new(interval: Option<Duration>, idle: Duration) -> Self {
        let calm = (idle / IDLE_DIVISOR).clamp(PAUSE, CALM_PAUSE);
        let (shortest, longest) = interval.map_or((PAUSE, calm), |interval| (interval, interval));
        Self { shortest, longest, pause: shortest, cost_pause: Duration::ZERO }
    }

    /// A snapshot was taken, with this CPU time. Pauses grow by half while nothing has changed.
    pub(crate) fn snapshot_taken(&mut self, cpu_time: Duration, has_changed: bool) {
        let grown = self.pause.saturating_add(self.pause / 2).min(self.longest);
        self.pause = if has_changed { self.shortest } else { grown };
        self.cost_pause = cpu_time.saturating_mul(COST_FACTOR).min(COST_PAUSE_MAX);
    }

    /// An event arrived: the pause becomes short again.
    pub(crate) const fn event_arrived(&mut self) {
        self.pause = self.shortest;
    }

    /// The time from the end of one snapshot to the start of the next.
    pub(crate) fn pause(&self) -> Duration {
        self.pause.max(self.cost_pause)
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

    #[test]
    fn snapshots_take_at_most_one_percent_of_a_cpu() {
        let mut pace = Pace::new(None, IDLE);
        pace.snapshot_taken(Duration::from_millis(150), true);
        assert_eq!(pace.pause(), Duration::from_secs(15));
        pace.event_arrived();
        assert_eq!(pace.pause(), Duration::from_secs(15), "not shorter after an event");
        pace.snapshot_taken(Duration::from_secs(3), true);
        assert_eq!(pace.pause(), COST_PAUSE_MAX, "limited");
        let mut pace = Pace::new(Some(Duration::from_millis(10)), IDLE);
        pace.snapshot_taken(Duration::from_millis(20), true);
        assert_eq!(pace.pause(), Duration::from_secs(2), "also with a short interval");
    }
}
