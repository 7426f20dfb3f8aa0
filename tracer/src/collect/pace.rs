//! How long to pause between two looks. Pure: the session says what a look took and found.

use std::time::Duration;

/// Between looks while something changes.
const PAUSE: Duration = Duration::from_secs(1);
/// Between looks when nothing has changed for long.
const CALM_PAUSE: Duration = Duration::from_secs(10);
/// The pause is not longer than one part in this many of the time after which a silent connection
/// is suspicious, so that a verdict is hardly later than it could be.
const IDLE_SHARE: u32 = 6;
/// Looking takes one part in this many of a processor at the most: looks get rarer where there is
/// much to see.
const LOOK_SHARE: u32 = 100;
/// They do not get rarer than this for it.
const COSTLY_PAUSE: Duration = Duration::from_secs(30);

/// The pauses of one run.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    shortest: Duration,
    longest: Duration,
    /// By what changes.
    pause: Duration,
    /// By what the last look took.
    due: Duration,
}

impl Pace {
    /// Starts with the shortest pause. An `interval` that was asked for is kept whatever changes;
    /// else pauses depend on that, and on T, which is `idle`.
    pub(crate) fn new(interval: Option<Duration>, idle: Duration) -> Self {
        let calm = (idle / IDLE_SHARE).clamp(PAUSE, CALM_PAUSE);
        let (shortest, longest) = interval.map_or((PAUSE, calm), |interval| (interval, interval));
        Self { shortest, longest, pause: shortest, due: Duration::ZERO }
    }

    /// A look has ended that took this much of a processor. Pauses grow by half while nothing
    /// changes.
    pub(crate) fn look(&mut self, took: Duration, stirred: bool) {
        let grown = self.pause.saturating_add(self.pause / 2).min(self.longest);
        self.pause = if stirred { self.shortest } else { grown };
        self.due = took.saturating_mul(LOOK_SHARE).min(COSTLY_PAUSE);
    }

    /// Something changes: the next look may be nearer than it was.
    pub(crate) const fn stir(&mut self) {
        self.pause = self.shortest;
    }

    /// From the end of one look to the next.
    pub(crate) fn pause(&self) -> Duration {
        self.pause.max(self.due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_mins(1);
    const CHEAP: Duration = Duration::from_micros(100);

    /// The pauses after looks at which nothing had changed, in milliseconds.
    fn calm(pace: &mut Pace, looks: usize) -> Vec<u128> {
        let pauses = (0..looks).map(|_| {
            pace.look(CHEAP, false);
            pace.pause().as_millis()
        });
        pauses.collect()
    }

    #[test]
    fn pauses_grow_while_nothing_changes_and_are_short_again_when_something_does() {
        let mut pace = Pace::new(None, IDLE);
        assert_eq!(pace.pause(), PAUSE);
        assert_eq!(calm(&mut pace, 7), [1_500, 2_250, 3_375, 5_062, 7_593, 10_000, 10_000]);
        pace.look(CHEAP, true);
        assert_eq!(pace.pause(), PAUSE);
        assert_eq!(calm(&mut pace, 2), [1_500, 2_250]);
        pace.stir();
        assert_eq!(pace.pause(), PAUSE, "an event came meanwhile");
    }

    #[test]
    fn a_verdict_is_not_much_later_than_it_could_be() {
        let longest = |seconds| calm(&mut Pace::new(None, Duration::from_secs(seconds)), 50)[49];
        assert_eq!([1, 6, 30, 60, 600].map(longest), [1_000, 1_000, 5_000, 10_000, 10_000]);
    }

    #[test]
    fn an_interval_is_kept() {
        for interval in [Duration::from_millis(20), Duration::from_secs(45)] {
            let mut pace = Pace::new(Some(interval), IDLE);
            pace.look(CHEAP, false);
            assert_eq!(pace.pause(), interval);
            pace.look(CHEAP, true);
            assert_eq!(pace.pause(), interval);
        }
    }

    #[test]
    fn looking_takes_one_percent_of_a_processor_at_the_most() {
        let mut pace = Pace::new(None, IDLE);
        pace.look(Duration::from_millis(150), true);
        assert_eq!(pace.pause(), Duration::from_secs(15));
        pace.stir();
        assert_eq!(pace.pause(), Duration::from_secs(15), "whatever happens");
        pace.look(Duration::from_secs(3), true);
        assert_eq!(pace.pause(), COSTLY_PAUSE, "not as rare as that");
        let mut pace = Pace::new(Some(Duration::from_millis(10)), IDLE);
        pace.look(Duration::from_millis(20), true);
        assert_eq!(pace.pause(), Duration::from_secs(2), "nor if often is asked for");
    }
}
