//! The result of each run of a case.

use std::fmt;

use super::baseline::Counts;
use super::label::{Label, Mistake, Mode};
use super::observed::Observed;

/// The result of one run of a case.
pub(crate) enum Outcome {
    JudgedCase(JudgedCase),
    /// The program did not work, so there is no result.
    Broken(String),
    /// Something that the case needs is missing.
    Skipped(String),
}

/// What was reported about a case.
#[derive(Clone)]
pub(crate) struct JudgedCase {
    pub(crate) label: Label,
    pub(crate) live: Observed,
    pub(crate) audit: Observed,
    pub(crate) counts: Counts,
    /// The reports of audits with other thresholds, in order.
    pub(crate) variants: Vec<Observed>,
}

impl JudgedCase {
    /// How the reports differ from the label, as text; empty if they do not.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let wrong = |name, mistake: Option<Mistake>| mistake.map(|it| format!("{name}: {it}"));
        let live = wrong("live", self.mistake(Mode::Live));
        let audit = wrong("audit", self.mistake(Mode::Audit));
        live.into_iter().chain(audit).collect()
    }

    /// How one of the two reports differs from the label.
    pub(crate) fn mistake(&self, mode: Mode) -> Option<Mistake> {
        self.label.compare(mode, self.observed(mode)).err()
    }

    /// One of the two reports.
    pub(crate) fn observed(&self, mode: Mode) -> &Observed {
        match mode {
            Mode::Live => &self.live,
            Mode::Audit => &self.audit,
        }
    }
}

/// The numbers of the summary line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) as_labeled: u64,
    pub(crate) not_as_labeled: u64,
    pub(crate) broken: u64,
    /// The reason for each skipped run.
    skipped: Vec<String>,
}

impl Summary {
    pub(crate) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut summary = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::JudgedCase(judged) if judged.mistakes().is_empty() => {
                    summary.as_labeled += 1;
                }
                Outcome::JudgedCase(_) => summary.not_as_labeled += 1,
                Outcome::Broken(_) => summary.broken += 1,
                Outcome::Skipped(why) => summary.skipped.push(why.clone()),
            }
        }
        summary
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped.len() as u64
    }

    pub(crate) fn is_success(&self) -> bool {
        self.not_as_labeled == 0 && self.broken == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { as_labeled, not_as_labeled, broken, skipped } = self;
        let all = as_labeled + not_as_labeled + broken + self.skipped();
        let cases = if all == 1 { "case" } else { "cases" };
        write!(formatter, "corpus: {all} {cases}: {as_labeled} as labeled, {not_as_labeled} not")?;
        if *broken > 0 {
            write!(formatter, ", {broken} broken")?;
        }
        write!(formatter, ", {} skipped", skipped.len())?;
        let mut reasons = skipped.clone();
        reasons.sort();
        reasons.dedup();
        if !reasons.is_empty() {
            write!(formatter, " ({})", reasons.join("; "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{JudgedCase, Outcome, Summary};
    use crate::corpus::baseline::Counts;
    use crate::corpus::confidence::Confidence;
    use crate::corpus::label::Label;
    use crate::corpus::observed::Observed;

    fn healthy(reported: &[(&str, Confidence, u64)]) -> Outcome {
        Outcome::JudgedCase(JudgedCase {
            label: Label::Healthy { info: Vec::new() },
            live: Observed::default(),
            audit: Observed::active(reported),
            counts: Counts::default(),
            variants: Vec::new(),
        })
    }

    #[test]
    fn the_summary_counts_every_run_once() {
        let outcomes = [
            healthy(&[]),
            healthy(&[("ghost", Confidence::Likely, 6)]),
            Outcome::Skipped("no java".to_owned()),
            Outcome::Skipped("no java".to_owned()),
            Outcome::Broken("it exited".to_owned()),
        ];
        let summary = Summary::of(outcomes.iter());
        assert!(!summary.is_success());
        let line = "corpus: 5 cases: 1 as labeled, 1 not, 1 broken, 2 skipped (no java)";
        assert_eq!(summary.to_string(), line);
        let line = "corpus: 1 case: 1 as labeled, 0 not, 0 skipped";
        assert_eq!(Summary::of(outcomes.iter().take(1)).to_string(), line);
    }

    #[test]
    fn a_mistake_names_the_report() {
        let Outcome::JudgedCase(judged) = healthy(&[("ghost", Confidence::Likely, 6)]) else {
            panic!()
        };
        assert_eq!(judged.mistakes(), ["audit: flagged as ghost (likely)"]);
    }
}
