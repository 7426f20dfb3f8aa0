//! From the open connections to findings: groups them, asks the rules, weighs growth.

use alloc::{collections::BTreeMap, string::String, vec::Vec};

use crate::{
    Options, ProcessKey, Timestamp,
    group::GroupKey,
    history::{History, rate_milli},
    moments::Moments,
    processes::Processes,
    rules::{self, Assessment, Claimed, RULES, Suspicion, growing},
    sighting::{ProcessView, Sighting},
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
    pub(crate) processes: &'a Processes,
    pub(crate) histories: &'a BTreeMap<GroupKey, History>,
    pub(crate) suspended_ns: u64,
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
        let facts = self.processes.facts.get(&process);
        let is_unasked = facts.is_none() && !self.processes.unreadable.contains(&process);
        let view = ProcessView { facts, is_unasked, suspended_ns: self.suspended_ns };
        let sighting = Sighting::new(tracked, direction, self.now, self.options, view)?;
        Some((GroupKey::of(process, direction, sighting.facts), sighting))
    }

    /// The verdicts, one a connection at the most.
    pub(crate) fn verdicts(
        &self,
        groups: &BTreeMap<GroupKey, Vec<Sighting<'a>>>,
    ) -> Vec<Judged<'a>> {
        let mut stalled: BTreeMap<ProcessKey, usize> = BTreeMap::new();
        for (group, members) in groups {
            let count = members.iter().filter(|member| rules::is_stalled(member)).count();
            *stalled.entry(group.process).or_default() += count;
        }
        let stalled = |group: &GroupKey| stalled.get(&group.process).copied().unwrap_or_default();
        groups
            .iter()
            .flat_map(|(group, members)| self.judge_group(*group, members, stalled(group)))
            .collect()
    }

    /// Every rule assesses what it claims; the surest one, of equally sure ones the most specific,
    /// has its connections, and the others assess what is left.
    fn judge_group(
        &self,
        group: GroupKey,
        sightings: &[Sighting<'a>],
        stalled: usize,
    ) -> Vec<Judged<'a>> {
        let growing = self.histories.get(&group).and_then(growing::evidence);
        let mut left: Vec<(Sighting<'a>, Claims)> =
            sightings.iter().map(|sighting| (*sighting, Claims::on(sighting))).collect();
        let mut judged = Vec::new();
        loop {
            let assess = |rule: usize| {
                let claimed = || left.iter().filter(|(_, claims)| claims.include(rule));
                let members: Vec<Sighting<'a>> = claimed().map(|(sighting, _)| *sighting).collect();
                // The growth of the whole group is that of a finding only if that is most of it.
                let most = members.len() > sightings.len() / 2;
                let watched = self.watched(&group, sightings.len()).filter(|_| most);
                let context = Context { group, sightings, stalled, growing: growing.as_ref() };
                self.assess(rule, members, &context, watched)
            };
            let surest = (0..RULES.len()).filter_map(assess).max_by(|a, b| {
                a.assessment.confidence.cmp(&b.assessment.confidence).then(b.rule.cmp(&a.rule))
            });
            let Some(surest) = surest else { break };
            left.retain(|(_, claims)| !claims.include(surest.rule));
            judged.push(surest);
        }
        // A few bad ones among many do not hide that the many grow.
        let most = left.len() >= self.options.count_min && left.len() > sightings.len() / 2;
        if let (Some(evidence), true) = (growing, most) {
            judged.push(Judged {
                group,
                rule: RULES.len(),
                members: left.into_iter().map(|(sighting, _)| sighting).collect(),
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
        rule: usize,
        members: Vec<Sighting<'a>>,
        context: &Context<'_, 'a>,
        watched: Option<i64>,
    ) -> Option<Judged<'a>> {
        if members.is_empty() {
            return None;
        }
        // What happened within a twelfth of T (5 s by default) counts as one time.
        let gap_ms = self.options.idle_ms / 12;
        let moments =
            Moments::of(members.iter().map(|member| (RULES[rule].moment)(member)), gap_ms);
        let claimed = Claimed {
            members,
            moments,
            group: context.sightings,
            stalled: context.stalled,
            process: self.processes.facts.get(&context.group.process),
            options: self.options,
            now: self.now,
        };
        // That the healthy ones of a group grow makes a few bad ones no surer.
        let is_most = claimed.count() > context.sightings.len() / 2;
        let mut assessment = (RULES[rule].assess)(&claimed)?;
        if let (Some(evidence), true) = (context.growing, assessment.growth_tells && is_most) {
            assessment.confidence = assessment.confidence.raised();
            assessment.evidence.push(evidence.clone());
        }
        let rate = || rate_milli(1, claimed.count(), moments.spread_ms);
        let reconstructed = watched.is_none() && claimed.rising();
        let growth =
            Growth { per_min_milli: watched.or_else(|| reconstructed.then(rate)), reconstructed };
        let Context { group, .. } = *context;
        Some(Judged { group, rule, members: claimed.members, assessment, growth })
    }

    /// The growth of the whole group, if it was watched for long enough.
    fn watched(&self, group: &GroupKey, count: usize) -> Option<i64> {
        self.histories.get(group)?.per_min_milli(self.now, count)
    }

    /// What is suspected of something, or would be if it were known who reads, whether or not the
    /// process is stopped.
    pub(crate) fn suspects(&self) -> impl Iterator<Item = (GroupKey, Sighting<'a>, Suspicion)> {
        self.table.open().filter_map(|tracked| {
            let (group, sighting) = self.sight(tracked)?;
            let suspended_ns = sighting.process.suspended_ns;
            let process = ProcessView { facts: None, is_unasked: false, suspended_ns };
            let sighting = Sighting { process, ..sighting };
            let suspicion = rules::suspicion(&sighting)?;
            Some((group, sighting, suspicion))
        })
    }
}

/// What is the same for all assessments of one group.
struct Context<'c, 'a> {
    group: GroupKey,
    /// All of its connections.
    sightings: &'c [Sighting<'a>],
    /// Connections of the process on which it waits for the peer to read.
    stalled: usize,
    growing: Option<&'c String>,
}

/// The rules that claim one connection: a bit each.
#[derive(Clone, Copy)]
struct Claims(u16);

const _: () = assert!(RULES.len() <= 16, "more rules than a set of them has bits");

impl Claims {
    fn on(sighting: &Sighting<'_>) -> Self {
        let bits = RULES.iter().enumerate();
        Self(bits.fold(0, |set, (bit, rule)| set | (u16::from((rule.claims)(sighting)) << bit)))
    }

    const fn include(self, rule: usize) -> bool {
        self.0 & (1 << rule) != 0
    }
}
