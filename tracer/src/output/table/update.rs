//! Whether a report has enough news to be printed again.

use std::collections::BTreeMap;

use tracer_core::{Confidence, Finding, ProcessKey, Report, Verdict};

use crate::output::listing;

/// A count is news if it has grown by this much, in percent.
const GROWTH_MIN_PERCENT: u128 = 10;

/// What a printed report said, apart from what changes with time alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Printed {
    /// By the number of the finding.
    findings: BTreeMap<u64, Facts>,
    at_limit: Vec<ProcessKey>,
    /// Whether findings that may be leaks are counted, but not listed.
    has_folded: bool,
    /// Whether connections are too young to be judged.
    has_young: bool,
}

/// The shown parts of a finding that do not change with time alone.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Facts {
    verdict: Verdict,
    confidence: Confidence,
    is_retracted: bool,
    call_site: Option<String>,
    /// Connections and responses.
    counts: [usize; 2],
}

impl Printed {
    /// What a report says. Findings with at least the confidence `least` are listed.
    pub(crate) fn of(report: &Report, least: Confidence) -> Self {
        let is_retracted = |it: &&Finding| it.retracted_at.is_some();
        let retracted = report.findings.iter().filter(is_retracted);
        let retracted = retracted.filter(|it| listing::was_listed(it, least));
        let findings = listing::listed(report, least).chain(retracted);
        let mut at_limit: Vec<_> = listing::at_limit(report).iter().map(|it| it.key).collect();
        at_limit.sort_unstable();
        let mut folded = listing::folded(report, least).into_iter();
        Self {
            findings: findings.map(|it| (it.id, Facts::of(it))).collect(),
            at_limit,
            has_folded: folded.any(|it| it.confidence > Confidence::Info),
            has_young: report.coverage.recently_closed.is_some(),
        }
    }

    /// Whether this report has news for someone who has read an `earlier` one: something other than
    /// a count changed, or a count has grown by at least a tenth.
    pub(crate) fn has_news_since(&self, earlier: &Self) -> bool {
        let is_same = |id, facts: &Facts| {
            earlier.findings.get(id).is_some_and(|earlier| !facts.has_news_since(earlier))
        };
        let first_line = |it: &Self| (it.findings.is_empty(), it.has_folded, it.has_young);
        self.at_limit != earlier.at_limit
            || (self.findings.is_empty() && first_line(self) != first_line(earlier))
            || self.findings.len() != earlier.findings.len()
            || !self.findings.iter().all(|(id, facts)| is_same(id, facts))
    }
}

impl Facts {
    fn of(finding: &Finding) -> Self {
        Self {
            verdict: finding.verdict,
            confidence: finding.confidence,
            is_retracted: finding.retracted_at.is_some(),
            call_site: finding.call_site.clone(),
            counts: [finding.count, finding.responses],
        }
    }

    fn has_news_since(&self, earlier: &Self) -> bool {
        let has_grown = |(&now, &before): (&usize, &usize)| {
            now > before && now as u128 * 100 >= before as u128 * (100 + GROWTH_MIN_PERCENT)
        };
        let is_same = Self { counts: earlier.counts, ..self.clone() } == *earlier;
        !is_same || self.counts.iter().zip(&earlier.counts).any(has_grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::fixture;

    fn has_news(change: fn(&mut Report)) -> bool {
        let mut report = fixture::mixed();
        report.findings[0].count = 100;
        let earlier = Printed::of(&report, Confidence::Likely);
        change(&mut report);
        Printed::of(&report, Confidence::Likely).has_news_since(&earlier)
    }

    #[test]
    fn time_and_small_changes_of_a_count_are_no_news() {
        assert!(!has_news(|report| report.findings[0].count = 109));
        assert!(!has_news(|report| report.findings[0].count = 50));
        assert!(!has_news(|report| report.findings[0].oldest_age_ms += 9_000));
        assert!(!has_news(|report| report.findings.reverse()));
        assert!(!has_news(|report| report.findings[2].count = 999), "it is not listed");
    }

    #[test]
    fn another_first_line_is_news() {
        let mut report = fixture::mixed();
        let possible = report.findings.remove(2);
        report.findings.clear();
        let printed = |report: &Report| Printed::of(report, Confidence::Likely);
        let nothing = printed(&report);
        report.findings.push(possible);
        let with_possible = printed(&report);
        assert!(with_possible.has_news_since(&nothing));
        assert!(nothing.has_news_since(&with_possible));
        report.findings[0].count += 1_000;
        assert!(!printed(&report).has_news_since(&with_possible));
    }

    #[test]
    fn a_grown_count_and_every_other_change_are_news() {
        assert!(has_news(|report| report.findings[0].count = 110));
        assert!(has_news(|report| report.findings[0].responses = 1));
        assert!(has_news(|report| report.findings[0].confidence = Confidence::Certain));
        assert!(has_news(|report| report.findings[0].call_site = Some("main.f a.go:1".into())));
        assert!(has_news(|report| report.findings[0].retracted_at = Some(fixture::now())));
        assert!(has_news(|report| report.findings[2].confidence = Confidence::Likely));
        assert!(has_news(|report| drop(report.findings.remove(0))));
        assert!(has_news(|report| report.processes[0].open_fds = Some(65_000)));
    }
}
