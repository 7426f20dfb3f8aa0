//! The confusion matrix: what was flagged, and whether that was correct.

use super::confidence::Confidence;
use super::label::{Label, Mistake, Mode};
use super::outcome::JudgedCase;

/// The results of one method for all cases. Ambiguous cases are counted separately.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) leaks_flagged: u64,
    pub(crate) leaks_possible: u64,
    pub(crate) leaks_missed: u64,
    pub(crate) healthy_flagged: u64,
    pub(crate) healthy_possible: u64,
    pub(crate) healthy_quiet: u64,
    pub(crate) ambiguous_flagged: u64,
    pub(crate) ambiguous_possible: u64,
    pub(crate) ambiguous_quiet: u64,
    pub(crate) wrong_verdict: u64,
    pub(crate) wrong_count: u64,
}

/// What a method reported about one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reported {
    Leak,
    Possible,
    Nothing,
}

impl Score {
    /// The score of tracer, live or in an audit.
    pub(crate) fn of_tracer(rows: &[&JudgedCase], mode: Mode) -> Self {
        let mut score = Self::default();
        for row in rows {
            let observed = row.observed(mode);
            // A leak must be active at the end; a false alarm counts even if it was retracted.
            let strongest = match row.label {
                Label::Leak { .. } => observed.highest_active_confidence(),
                Label::Healthy { .. } | Label::Ambiguous { .. } => {
                    observed.highest_confidence_ever().map(|(_, confidence)| confidence)
                }
            };
            score.add(&row.label, reported(strongest));
            match row.mistake(mode) {
                Some(Mistake::WrongVerdict(_)) => score.wrong_verdict += 1,
                Some(Mistake::WrongCount { .. }) => score.wrong_count += 1,
                _ => {}
            }
        }
        score
    }

    /// The score of a baseline, which either flags a case or does not.
    pub(crate) fn of_baseline(rows: &[&JudgedCase], flags: impl Fn(&JudgedCase) -> bool) -> Self {
        let mut score = Self::default();
        for row in rows {
            score.add(&row.label, if flags(row) { Reported::Leak } else { Reported::Nothing });
        }
        score
    }

    fn add(&mut self, label: &Label, reported: Reported) {
        let cell = match (label, reported) {
            (Label::Leak { .. }, Reported::Leak) => &mut self.leaks_flagged,
            (Label::Leak { .. }, Reported::Possible) => &mut self.leaks_possible,
            (Label::Leak { .. }, Reported::Nothing) => &mut self.leaks_missed,
            (Label::Healthy { .. }, Reported::Leak) => &mut self.healthy_flagged,
            (Label::Healthy { .. }, Reported::Possible) => &mut self.healthy_possible,
            (Label::Healthy { .. }, Reported::Nothing) => &mut self.healthy_quiet,
            (Label::Ambiguous { .. }, Reported::Leak) => &mut self.ambiguous_flagged,
            (Label::Ambiguous { .. }, Reported::Possible) => &mut self.ambiguous_possible,
            (Label::Ambiguous { .. }, Reported::Nothing) => &mut self.ambiguous_quiet,
        };
        *cell += 1;
    }
}

fn reported(strongest: Option<Confidence>) -> Reported {
    match strongest {
        Some(Confidence::Likely | Confidence::Certain) => Reported::Leak,
        Some(Confidence::Possible) => Reported::Possible,
        Some(Confidence::Info) | None => Reported::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::Score;
    use crate::corpus::baseline::Counts;
    use crate::corpus::confidence::Confidence;
    use crate::corpus::label::{Count, Label, Mode};
    use crate::corpus::observed::Observed;
    use crate::corpus::outcome::JudgedCase;

    fn row(label: Label, audit: &[(&str, Confidence, u64)], close_wait: u64) -> JudgedCase {
        let counts = Counts { close_wait, idle: 0 };
        JudgedCase {
            label,
            live: Observed::default(),
            audit: Observed::active(audit),
            counts,
            variants: Vec::new(),
        }
    }

    fn leak() -> Label {
        Label::Leak {
            verdicts: vec!["ghost".to_owned()],
            count: Count::Exactly(6),
            live: Confidence::Likely,
            audit: Confidence::Likely,
            at_most: Confidence::Certain,
        }
    }

    #[test]
    fn every_case_is_in_one_cell() {
        use Confidence::{Certain, Info, Likely, Possible};
        let healthy = || Label::Healthy { info: Vec::new() };
        let ambiguous = || Label::Ambiguous { why: "it is".to_owned() };
        let rows = [
            row(leak(), &[("ghost", Certain, 6)], 0),
            row(leak(), &[("ghost", Certain, 7)], 9),
            row(leak(), &[("close-wait", Likely, 6)], 9),
            row(leak(), &[("ghost", Possible, 6)], 0),
            row(leak(), &[], 0),
            row(healthy(), &[("ghost", Likely, 6)], 9),
            row(healthy(), &[("ghost", Possible, 6)], 0),
            row(healthy(), &[("stale-pool", Info, 6)], 0),
            row(ambiguous(), &[("ghost", Possible, 6)], 9),
        ];
        let rows: Vec<_> = rows.iter().collect();
        let audit = Score {
            leaks_flagged: 3,
            leaks_possible: 1,
            leaks_missed: 1,
            healthy_flagged: 1,
            healthy_possible: 1,
            healthy_quiet: 1,
            ambiguous_possible: 1,
            wrong_verdict: 1,
            wrong_count: 1,
            ..Score::default()
        };
        assert_eq!(Score::of_tracer(&rows, Mode::Audit), audit);
        let nothing =
            Score { leaks_missed: 5, healthy_quiet: 3, ambiguous_quiet: 1, ..Score::default() };
        assert_eq!(Score::of_tracer(&rows, Mode::Live), nothing);
        let close_wait = Score {
            leaks_flagged: 2,
            leaks_missed: 3,
            healthy_flagged: 1,
            healthy_quiet: 2,
            ambiguous_flagged: 1,
            ..Score::default()
        };
        let flags = |row: &JudgedCase| row.counts.flags_close_wait();
        assert_eq!(Score::of_baseline(&rows, flags), close_wait);
    }
}
