//! How each run ended.

use std::fmt;

use super::baseline::Counts;
use super::label::{Label, Look, Mistake};
use super::observed::Observed;

/// How one run of a case ended.
pub(crate) enum Outcome {
    Judged(Judged),
    /// The program did not do what it should, so nothing was judged.
    Broken(String),
    /// What it needs cannot be had.
    Skipped(String),
}

/// What was said of a case.
#[derive(Clone)]
pub(crate) struct Judged {
    pub(crate) label: Label,
    pub(crate) live: Observed,
    pub(crate) audit: Observed,
    pub(crate) counts: Counts,
    /// What audits with other thresholds said, in their order.
    pub(crate) variants: Vec<Observed>,
}

impl Judged {
    /// What is wrong with what tracer said, in words; empty if nothing is.
    pub(crate) fn mistakes(&self) -> Vec<String> {
        let wrong = |name, mistake: Option<Mistake>| mistake.map(|it| format!("{name}: {it}"));
        let live = wrong("live", self.mistake(Look::Live));
        let audit = wrong("audit", self.mistake(Look::Audit));
        live.into_iter().chain(audit).collect()
    }

    /// What is wrong with one of the two.
    pub(crate) fn mistake(&self, look: Look) -> Option<Mistake> {
        self.label.compare(look, self.observed(look)).err()
    }

    /// What one of the two said.
    pub(crate) fn observed(&self, look: Look) -> &Observed {
        match look {
            Look::Live => &self.live,
            Look::Audit => &self.audit,
        }
    }
}

/// The numbers of the last line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) as_labelled: u64,
    pub(crate) not: u64,
    pub(crate) broken: u64,
    /// Why each skipped one was.
    skipped: Vec<String>,
}

impl Summary {
    pub(crate) fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        let mut summary = Self::default();
        for outcome in outcomes {
            match outcome {
                Outcome::Judged(judged) if judged.mistakes().is_empty() => summary.as_labelled += 1,
                Outcome::Judged(_) => summary.not += 1,
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
        self.not == 0 && self.broken == 0
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { as_labelled, not, broken, skipped } = self;
        let all = as_labelled + not + broken + self.skipped();
        write!(formatter, "corpus: {all} cases: {as_labelled} as labelled, {not} not")?;
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
    use super::{Judged, Outcome, Summary};
    use crate::corpus::baseline::Counts;
    use crate::corpus::confidence::Confidence;
    use crate::corpus::label::Label;
    use crate::corpus::observed::Observed;

    fn healthy(said: &[(&str, Confidence, u64)]) -> Outcome {
        Outcome::Judged(Judged {
            label: Label::Healthy { info: Vec::new() },
            live: Observed::default(),
            audit: Observed::standing(said),
            counts: Counts::default(),
            variants: Vec::new(),
        })
    }

    #[test]
    fn the_last_line_counts_every_case_once() {
        let outcomes = [
            healthy(&[]),
            healthy(&[("ghost", Confidence::Likely, 6)]),
            Outcome::Skipped("no java".to_owned()),
            Outcome::Skipped("no java".to_owned()),
            Outcome::Broken("it ended".to_owned()),
        ];
        let summary = Summary::of(outcomes.iter());
        assert!(!summary.is_success());
        let line = "corpus: 5 cases: 1 as labelled, 1 not, 1 broken, 2 skipped (no java)";
        assert_eq!(summary.to_string(), line);
        let line = "corpus: 1 cases: 1 as labelled, 0 not, 0 skipped";
        assert_eq!(Summary::of(outcomes.iter().take(1)).to_string(), line);
    }

    #[test]
    fn a_mistake_names_who_made_it() {
        let Outcome::Judged(judged) = healthy(&[("ghost", Confidence::Likely, 6)]) else {
            panic!()
        };
        assert_eq!(judged.mistakes(), ["audit: flagged as ghost (likely)"]);
    }
}
