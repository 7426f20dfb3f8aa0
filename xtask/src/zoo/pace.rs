//! The rounds of a run: thresholds, and when something happens.

use std::time::Duration;

/// The tracer's default of `--idle`.
const IDLE: Duration = Duration::from_mins(1);
/// The tracer's default of `--pool-idle`.
const POOL_IDLE: Duration = Duration::from_mins(5);
/// The tracer's default of `--growth-for`.
const GROWTH_FOR: Duration = Duration::from_mins(3);
/// An audit is made this much before the end of each third.
const BEFORE_END: Duration = Duration::from_secs(8);

/// All exhibits, once, beside a tracer with these thresholds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Round {
    /// As a heading: `--idle 10s`.
    pub(crate) name: String,
    pub(crate) idle: Duration,
    /// Options of the tracer.
    pub(crate) options: Vec<String>,
    /// From when all exhibits have their load until the end.
    pub(crate) length: Duration,
}

/// What the harness does at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Disturb,
    Audit,
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
            Self::with_idle(Duration::from_secs(5), Duration::from_mins(3)),
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
                length: Duration::from_secs(320),
            },
        ]
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

    /// What happens when, in order: in each third a disturbance in the middle, an audit one and a
    /// half times `--idle` later, and one at the end.
    pub(crate) fn schedule(&self) -> Vec<(Duration, Action)> {
        let third = self.length / 3;
        let mut schedule = Vec::new();
        for index in 0..3 {
            let disturbed = third * index + third / 2;
            schedule.push((disturbed, Action::Disturb));
            schedule.push((disturbed + self.idle * 3 / 2, Action::Audit));
            schedule.push(((third * (index + 1)).saturating_sub(BEFORE_END), Action::Audit));
        }
        schedule.sort_by_key(|(time, _)| *time);
        schedule
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Action, Round};

    #[test]
    fn the_schedule_ends_with_an_audit_before_the_round_does() {
        for round in Round::whole().into_iter().chain(Round::reduced()) {
            let schedule = round.schedule();
            assert_eq!(schedule.len(), 9);
            assert_eq!(schedule.iter().filter(|(_, it)| *it == Action::Disturb).count(), 3);
            let (last, action) = schedule[8];
            assert_eq!(action, Action::Audit);
            assert!(last < round.length, "{}", round.name);
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
