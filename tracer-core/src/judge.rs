//! From the open connections to findings: groups them, asks the rules, weighs growth.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Options, ProcessFacts, ProcessKey, Timestamp,
    group::GroupKey,
    history::{History, rate_milli},
    moments::Moments,
    rules::{Assessment, Claimed, RULES, growing},
    sighting::Sighting,
    table::Table,
    tracked::Tracked,
};

/// Connections of one group with one verdict.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) group: GroupKey,
    /// Which rule: an index into [`RULES`], one more for growth alone. With the group it is the
    /// identity of the finding.
    pub(crate) rule: usize,
    pub(crate) members: Vec<Sighting<'a>>,
    pub(crate) assessment: Assessment,
    pub(crate) growth: Growth,
}

/// By how much a finding grows a minute, in thousandths, and how that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) per_min_milli: Option<i64>,
    pub(crate) reconstructed: bool,
}

/// What is judged and by which measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    pub(crate) table: &'a Table,
    pub(crate) processes: &'a BTreeMap<ProcessKey, ProcessFacts>,
    pub(crate) histories: &'a BTreeMap<GroupKey, History>,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

impl<'a> Case<'a> {
    /// The open connections by group.
    pub(crate) fn groups(&self) -> BTreeMap<GroupKey, Vec<Sighting<'a>>> {
        let mut groups: BTreeMap<GroupKey, Vec<Sighting<'a>>> = BTreeMap::new();
        for tracked in self.table.open() {
            if let Some((group, sighting)) = self.sight(tracked) {
                groups.entry(group).or_default().push(sighting);
            }
        }
        groups
    }

    fn sight(&self, tracked: &'a Tracked) -> Option<(GroupKey, Sighting<'a>)> {
        let process = tracked.accountable()?.key;
        let direction = self.table.direction(tracked);
        let stopped = self.processes.get(&process).is_some_and(|facts| facts.stopped);
        let sighting = Sighting::new(tracked, direction, self.now, self.options, stopped)?;
        Some((GroupKey::of(process, direction, sighting.facts), sighting))
    }

    /// The verdicts, one a connection at the most.
    pub(crate) fn verdicts(
        &self,
        groups: &BTreeMap<GroupKey, Vec<Sighting<'a>>>,
    ) -> Vec<Judged<'a>> {
        groups.iter().flat_map(|(group, members)| self.judge_group(*group, members)).collect()
    }

    fn judge_group(&self, group: GroupKey, sightings: &[Sighting<'a>]) -> Vec<Judged<'a>> {
        let mut claimed: [Vec<Sighting<'a>>; RULES.len()] = Default::default();
        for sighting in sightings {
            if let Some(rule) = RULES.iter().position(|rule| (rule.claims)(sighting)) {
                claimed[rule].push(*sighting);
            }
        }
        let growing = self.histories.get(&group).and_then(growing::evidence);
        let mut judged: Vec<Judged<'a>> = claimed
            .into_iter()
            .enumerate()
            .filter(|(_, members)| !members.is_empty())
            .map(|(rule, members)| {
                let watched = self.watched(&group, sightings.len());
                self.assess(group, rule, members, watched, growing.as_ref())
            })
            .collect();
        if let (Some(evidence), true) = (growing, judged.is_empty()) {
            judged.push(Judged {
                group,
                rule: RULES.len(),
                members: sightings.to_vec(),
                assessment: growing::assess(evidence),
                growth: self.watched(&group, sightings.len()),
            });
        }
        judged
    }

    fn assess(
        &self,
        group: GroupKey,
        rule: usize,
        members: Vec<Sighting<'a>>,
        mut growth: Growth,
        growing: Option<&String>,
    ) -> Judged<'a> {
        // What happened within a twelfth of T (5 s by default) counts as one time.
        let gap_ms = self.options.idle_ms / 12;
        let moments =
            Moments::of(members.iter().map(|member| (RULES[rule].moment)(member)), gap_ms);
        let claimed = Claimed { members, moments, options: self.options };
        let mut assessment = (RULES[rule].assess)(&claimed);
        if let Some(evidence) = growing {
            assessment.confidence = assessment.confidence.raised();
            assessment.evidence.push(evidence.clone());
        }
        if growth.per_min_milli.is_none() && claimed.rising() {
            let rate = rate_milli(1, claimed.count(), moments.spread_ms);
            growth = Growth { per_min_milli: Some(rate), reconstructed: true };
        }
        Judged { group, rule, members: claimed.members, assessment, growth }
    }

    /// The growth of the whole group, if it was watched for long enough.
    fn watched(&self, group: &GroupKey, count: usize) -> Growth {
        let history = self.histories.get(group);
        Growth {
            per_min_milli: history.and_then(|history| history.per_min_milli(self.now, count)),
            reconstructed: false,
        }
    }

    /// The processes that some rule suspects of something; whether they are stopped is left out,
    /// since that is what one then asks.
    pub(crate) fn suspects(&self) -> impl Iterator<Item = ProcessKey> {
        self.table.open().filter_map(|tracked| {
            let (group, sighting) = self.sight(tracked)?;
            let sighting = Sighting { stopped: false, ..sighting };
            RULES.iter().any(|rule| (rule.claims)(&sighting)).then_some(group.process)
        })
    }
}
