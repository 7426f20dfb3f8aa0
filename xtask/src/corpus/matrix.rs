//! The confusion matrix: who flagged what, and rightly or not.

use super::confidence::Confidence;
use super::label::{Label, Look, Mistake};
use super::outcome::Judged;

/// How one way of looking did over all cases. Cases that no evidence separates count apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Score {
    pub(crate) leaks_flagged: u64,
    pub(crate) leaks_possible: u64,
    pub(crate) leaks_missed: u64,
    pub(crate) healthy_flagged: u64,
    pub(crate) healthy_possible: u64,
    pub(crate) healthy_quiet: u64,
    pub(crate) unseparable_flagged: u64,
    pub(crate) unseparable_possible: u64,
    pub(crate) unseparable_quiet: u64,
    pub(crate) wrong_verdict: u64,
    pub(crate) wrong_count: u64,
}

/// What a look said of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    Leak,
    Possible,
    Nothing,
}

impl Score {
    /// The score of tracer's live table or of its audit.
    pub(crate) fn of_tracer(rows: &[&Judged], look: Look) -> Self {
        let mut score = Self::default();
        for row in rows {
            let observed = row.observed(look);
            // A leak has to stand at the end; a false alarm counts even if it was taken back.
            let surest = match row.label {
                Label::Leak { .. } => observed.surest_now(),
                Label::Healthy { .. } | Label::Unseparable { .. } => {
                    observed.surest_ever().map(|(_, confidence)| confidence)
                }
            };
            score.add(&row.label, said(surest));
            match row.mistake(look) {
                Some(Mistake::WrongVerdict(_)) => score.wrong_verdict += 1,
                Some(Mistake::WrongCount { .. }) => score.wrong_count += 1,
                _ => {}
            }
        }
        score
    }

    /// The score of a baseline, which flags or does not.
    pub(crate) fn of_baseline(rows: &[&Judged], flags: impl Fn(&Judged) -> bool) -> Self {
        let mut score = Self::default();
        for row in rows {
            score.add(&row.label, if flags(row) { Said::Leak } else { Said::Nothing });
        }
        score
    }

    fn add(&mut self, label: &Label, said: Said) {
        let cell = match (label, said) {
            (Label::Leak { .. }, Said::Leak) => &mut self.leaks_flagged,
            (Label::Leak { .. }, Said::Possible) => &mut self.leaks_possible,
            (Label::Leak { .. }, Said::Nothing) => &mut self.leaks_missed,
            (Label::Healthy { .. }, Said::Leak) => &mut self.healthy_flagged,
            (Label::Healthy { .. }, Said::Possible) => &mut self.healthy_possible,
            (Label::Healthy { .. }, Said::Nothing) => &mut self.healthy_quiet,
            (Label::Unseparable { .. }, Said::Leak) => &mut self.unseparable_flagged,
            (Label::Unseparable { .. }, Said::Possible) => &mut self.unseparable_possible,
            (Label::Unseparable { .. }, Said::Nothing) => &mut self.unseparable_quiet,
        };
        *cell += 1;
    }
}

fn said(surest: Option<Confidence>) -> Said {
    match surest {
        Some(Confidence::Likely | Confidence::Certain) => Said::Leak,
        Some(Confidence::Possible) => Said::Possible,
        Some(Confidence::Info) | None => Said::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::Score;
    use crate::corpus::baseline::Counts;
    use crate::corpus::confidence::Confidence;
    use crate::corpus::label::{Count, Label, Look};
    use crate::corpus::observed::Observed;
    use crate::corpus::outcome::Judged;

    fn row(label: Label, audit: &[(&str, Confidence, u64)], close_wait: u64) -> Judged {
        let counts = Counts { close_wait, idle: 0 };
        Judged {
            label,
            live: Observed::default(),
            audit: Observed::standing(audit),
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
        let unseparable = || Label::Unseparable { why: "it is".to_owned() };
        let rows = [
            row(leak(), &[("ghost", Certain, 6)], 0),
            row(leak(), &[("ghost", Certain, 7)], 9),
            row(leak(), &[("close-wait", Likely, 6)], 9),
            row(leak(), &[("ghost", Possible, 6)], 0),
            row(leak(), &[], 0),
            row(healthy(), &[("ghost", Likely, 6)], 9),
            row(healthy(), &[("ghost", Possible, 6)], 0),
            row(healthy(), &[("stale-pool", Info, 6)], 0),
            row(unseparable(), &[("ghost", Possible, 6)], 9),
        ];
        let rows: Vec<_> = rows.iter().collect();
        let audit = Score {
            leaks_flagged: 3,
            leaks_possible: 1,
            leaks_missed: 1,
            healthy_flagged: 1,
            healthy_possible: 1,
            healthy_quiet: 1,
            unseparable_possible: 1,
            wrong_verdict: 1,
            wrong_count: 1,
            ..Score::default()
        };
        assert_eq!(Score::of_tracer(&rows, Look::Audit), audit);
        let silent =
            Score { leaks_missed: 5, healthy_quiet: 3, unseparable_quiet: 1, ..Score::default() };
        assert_eq!(Score::of_tracer(&rows, Look::Live), silent);
        let close_wait = Score {
            leaks_flagged: 2,
            leaks_missed: 3,
            healthy_flagged: 1,
            healthy_quiet: 2,
            unseparable_flagged: 1,
            ..Score::default()
        };
        let flags = |row: &Judged| row.counts.flags_close_wait();
        assert_eq!(Score::of_baseline(&rows, flags), close_wait);
    }
}
