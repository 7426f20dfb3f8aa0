//! The rounds of a run: their thresholds and schedules.

use std::time::Duration;

/// The tracer's default of `--idle`.
const IDLE: Duration = Duration::from_mins(1);
/// The tracer's default of `--pool-idle`.
const POOL_IDLE: Duration = Duration::from_mins(5);
/// The tracer's default of `--growth-for`.
const GROWTH_FOR: Duration = Duration::from_mins(3);
/// An audit runs this long before the end of each third.
const BEFORE_END: Duration = Duration::from_secs(8);

/// One run of all exhibits, watched by a tracer with these thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// As a heading: `--idle 10s`.
    pub(crate) name: String,
    pub(crate) idle: Duration,
    /// Options of the tracer.
    pub(crate) options: Vec<String>,
    /// Time from when all exhibits have their load until the end.
    pub(crate) length: Duration,
}

impl Round {
    /// The rounds of the whole zoo.
    pub(crate) fn whole() -> Vec<Self> {
        vec![
            Self::with_idle(Duration::from_secs(10), Duration::from_mins(10)),
            Self {
                name: "default thresholds".to_owned(),
                idle: IDLE,
                options: Vec::new(),
                length: Duration::from_mins(25),
            },
        ]
    }

    /// The rounds of the reduced set, together below ten minutes: one with `--idle` alone, and one
    /// with all thresholds divided by the same number.
    pub(crate) fn reduced() -> Vec<Self> {
        let scale = 4;
        let milliseconds = |time: Duration| format!("{}ms", (time / scale).as_millis());
        vec![
            Self::short(),
            Self {
                name: format!("default thresholds divided by {scale}"),
                idle: IDLE / scale,
                options: vec![
                    "--idle".to_owned(),
                    milliseconds(IDLE),
                    "--pool-idle".to_owned(),
                    milliseconds(POOL_IDLE),
                    "--growth-for".to_owned(),
                    milliseconds(GROWTH_FOR),
                ],
                length: Duration::from_secs(305),
            },
        ]
    }

    /// The round of the short set.
    pub(crate) fn short() -> Self {
        Self::with_idle(Duration::from_secs(10), Duration::from_secs(205))
    }

    /// A round in which the other thresholds have their defaults.
    pub(crate) fn with_idle(idle: Duration, length: Duration) -> Self {
        let seconds = format!("{}s", idle.as_secs());
        Self {
            name: format!("--idle {seconds}"),
            idle,
            options: vec!["--idle".to_owned(), seconds],
            length,
        }
    }

    /// When exhibits are disturbed: in the middle of each third.
    pub(crate) fn disturbances(&self) -> Vec<Duration> {
        let third = self.length / 3;
        (0..3).map(|index| third * index + third / 2).collect()
    }

    /// When the host is audited: one and a half times `--idle` after each disturbance, and at the end
    /// of each third.
    pub(crate) fn audits(&self) -> Vec<Duration> {
        let later = self.disturbances().into_iter().map(|time| time + self.idle * 3 / 2);
        let ends = (1..=3).map(|index| (self.length / 3 * index).saturating_sub(BEFORE_END));
        let mut times: Vec<_> = later.chain(ends).collect();
        times.sort();
        times
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Round;

    #[test]
    fn a_round_ends_with_an_audit() {
        for round in Round::whole().into_iter().chain(Round::reduced()) {
            let (disturbances, audits) = (round.disturbances(), round.audits());
            assert_eq!((disturbances.len(), audits.len()), (3, 6), "{}", round.name);
            assert!(audits[5] > disturbances[2] + round.idle && audits[5] < round.length);
            // Five times --idle for the twins, after the time that their leaks take.
            assert!(round.length > round.idle * 20, "{}", round.name);
        }
    }

    #[test]
    fn the_reduced_rounds_take_less_than_ten_minutes() {
        let lengths: Duration = Round::reduced().iter().map(|round| round.length).sum();
        assert!(lengths < Duration::from_mins(9));
    }

    #[test]
    fn a_round_of_its_own_leaves_the_other_thresholds() {
        let round = Round::with_idle(Duration::from_secs(10), Duration::from_mins(1));
        assert_eq!(round.options, ["--idle", "10s"]);
        assert_eq!(round.name, "--idle 10s");
    }
}
