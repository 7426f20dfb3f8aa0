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
        let mut unclaimed = Vec::new();
        for sighting in sightings {
            match RULES.iter().position(|rule| (rule.claims)(sighting)) {
                Some(rule) => claimed[rule].push(*sighting),
                None => unclaimed.push(*sighting),
            }
        }
        let growing = self.histories.get(&group).and_then(growing::evidence);
        let mut judged: Vec<Judged<'a>> = claimed
            .into_iter()
            .enumerate()
            .filter(|(_, members)| !members.is_empty())
            .map(|(rule, members)| {
                // The growth of the whole group is that of a finding only if that is most of it.
                let most = members.len() > sightings.len() / 2;
                let watched = self.watched(&group, sightings.len()).filter(|_| most);
                self.assess(group, rule, members, watched, growing.as_ref())
            })
            .collect();
        // A few bad ones among many do not hide that the many grow.
        let most =
            unclaimed.len() >= self.options.count_min && unclaimed.len() > sightings.len() / 2;
        if let (Some(evidence), true) = (growing, most) {
            judged.push(Judged {
                group,
                rule: RULES.len(),
                members: unclaimed,
                assessment: growing::assess(evidence),
                growth: Growth {
                    per_min_milli: self.watched(&group, sightings.len()),
                    reconstructed: false,
                },
            });
        }
        judged
    }

    fn assess(
        &self,
        group: GroupKey,
        rule: usize,
        members: Vec<Sighting<'a>>,
        watched: Option<i64>,
        growing: Option<&String>,
    ) -> Judged<'a> {
        // What happened within a twelfth of T (5 s by default) counts as one time.
        let gap_ms = self.options.idle_ms / 12;
        let moments =
            Moments::of(members.iter().map(|member| (RULES[rule].moment)(member)), gap_ms);
        let claimed = Claimed { members, moments, options: self.options, now: self.now };
        let mut assessment = (RULES[rule].assess)(&claimed);
        if let (Some(evidence), true) = (growing, assessment.growth_tells) {
            assessment.confidence = assessment.confidence.raised();
            assessment.evidence.push(evidence.clone());
        }
        let rate = || rate_milli(1, claimed.count(), moments.spread_ms);
        let reconstructed = watched.is_none() && claimed.rising();
        let growth =
            Growth { per_min_milli: watched.or_else(|| reconstructed.then(rate)), reconstructed };
        Judged { group, rule, members: claimed.members, assessment, growth }
    }

    /// The growth of the whole group, if it was watched for long enough.
    fn watched(&self, group: &GroupKey, count: usize) -> Option<i64> {
        self.histories.get(group)?.per_min_milli(self.now, count)
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
