//! From the open connections to findings: groups them, asks the rules, weighs growth.

mod left;
mod spread;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::cmp::Reverse;

use left::Left;

use crate::{
    Options, ProcessKey, Timestamp,
    group::GroupKey,
    history::{History, rate_milli},
    moments::Moments,
    pages::Response,
    processes::Processes,
    rules::{self, Assessment, Claimed, RULES, Responses, Suspicion, growing},
    sighting::{ProcessView, Share, Sighting},
    table::Table,
    tracked::Tracked,
};

/// The open connections by what they have in common.
type Groups<'a> = BTreeMap<GroupKey, Vec<Sighting<'a>>>;

/// What there is to judge.
#[derive(Debug)]
pub(crate) struct Docket<'a> {
    /// The groups of which some rule claims a connection, or that grow, whole; and the groups of
    /// other addresses of the same port.
    groups: Groups<'a>,
    /// Connections of each process, of any group, on which it waits for the peer to read.
    stalled: BTreeMap<ProcessKey, usize>,
}

/// Connections of one group with one verdict.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) group: GroupKey,
    /// Which rule: an index into [`RULES`], one more for growth alone. With the group and the call
    /// site it is the identity of the finding.
    pub(crate) rule: usize,
    /// Where the responses were asked for that it is about; of any other rule, `None`.
    pub(crate) site: Option<&'a str>,
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

/// How large a group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) count: usize,
    /// When the oldest of its connections was opened.
    pub(crate) oldest: Timestamp,
}

impl Size {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.oldest = self.oldest.min(other.oldest);
    }
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
    /// What is to be judged. On most hosts that is little, so it is found out before anything is
    /// gathered.
    pub(crate) fn docket(&self) -> Docket<'a> {
        let mut stalled: BTreeMap<ProcessKey, usize> = BTreeMap::new();
        let growing = self.histories.iter().filter(|(_, it)| growing::evidence(it).is_some());
        let mut ports: BTreeSet<GroupKey> = growing.map(|(group, _)| group.of_port()).collect();
        for (group, sighting) in self.sightings() {
            if rules::is_stalled(&sighting) {
                *stalled.entry(group.process).or_default() += 1;
            }
            if rules::is_claimed(&sighting) {
                ports.insert(group.of_port());
            }
        }
        let mut groups = Groups::new();
        if !ports.is_empty() {
            let wanted = |group: &GroupKey| ports.contains(&group.of_port());
            for (group, sighting) in self.sightings().filter(|(group, _)| wanted(group)) {
                groups.entry(group).or_default().push(sighting);
            }
        }
        Docket { groups, stalled }
    }

    /// The open connections, each with its group.
    fn sightings(&self) -> impl Iterator<Item = (GroupKey, Sighting<'a>)> {
        let case = *self;
        let mut latest: Option<(ProcessKey, ProcessView<'a>)> = None;
        self.table.open().filter_map(move |tracked| {
            let process = tracked.accountable()?.key;
            // Those of one process mostly come one after the other.
            let known = latest.filter(|(key, _)| *key == process).map(|(_, view)| view);
            let view = known.unwrap_or_else(|| case.view(process));
            latest = Some((process, view));
            let sighting = Sighting { process: view, ..case.sighting(tracked)? };
            Some((GroupKey::of(process, sighting.direction, sighting.facts), sighting))
        })
    }

    fn view(&self, process: ProcessKey) -> ProcessView<'a> {
        let facts = self.processes.facts.get(&process);
        let is_unasked = facts.is_none() && !self.processes.unreadable.contains(&process);
        ProcessView { facts, is_unasked, suspended_ns: self.suspended_ns }
    }

    /// How many connections each group has, and each port of several addresses.
    pub(crate) fn sizes(&self) -> BTreeMap<GroupKey, Size> {
        let mut sizes: BTreeMap<GroupKey, Size> = BTreeMap::new();
        for tracked in self.table.open() {
            let (Some(owner), Some(facts)) = (tracked.accountable(), &tracked.facts) else {
                continue;
            };
            let group = GroupKey::of(owner.key, self.table.direction(tracked), facts);
            let one = Size { count: 1, oldest: tracked.opened_at };
            sizes.entry(group).and_modify(|size| size.add(one)).or_insert(one);
        }
        let ports = spread::port_sizes(&sizes);
        sizes.extend(ports);
        sizes
    }

    /// The connection, if any snapshot has shown it, and its responses.
    pub(crate) fn sighting(&self, tracked: &'a Tracked) -> Option<Sighting<'a>> {
        Some(Sighting {
            tracked,
            facts: tracked.facts.as_deref()?,
            direction: self.table.direction(tracked),
            now: self.now,
            options: self.options,
            process: ProcessView::default(),
            listed: self.listed(tracked).unwrap_or_default(),
            share: Share::Whole,
            sites: &self.processes.sites,
        })
    }

    /// What the ledger of the accountable process has on a descriptor of the connection.
    fn listed(&self, tracked: &Tracked) -> Option<&'a [Response]> {
        if self.processes.pages.are_empty() {
            return None;
        }
        let process = tracked.accountable()?.key;
        let owners = tracked.facts.iter().flat_map(|facts| &facts.owners);
        let own = owners.filter(|owner| owner.key == process);
        own.map(|owner| self.processes.pages.on(process, owner.fd))
            .find(|listed| !listed.is_empty())
    }

    /// The verdicts, one a connection at the most.
    pub(crate) fn verdicts(&self, docket: &Docket<'a>) -> Vec<Judged<'a>> {
        let Docket { groups, stalled } = docket;
        let judge = |group: GroupKey, whole: &[Sighting<'a>], members: &[Sighting<'a>]| {
            let stalled = stalled.get(&group.process).copied().unwrap_or_default();
            self.judge_group(group, whole, members, stalled)
        };
        let alone = groups.iter().flat_map(|(group, members)| judge(*group, members, members));
        spread::judge(groups, alone.collect(), self.options.count_min, judge)
    }

    /// Every rule assesses what it claims; the surest one, of equally sure ones the most specific,
    /// has its connections, and the others assess what is left. Of the whole group, only `members`
    /// are to be judged.
    fn judge_group(
        &self,
        group: GroupKey,
        sightings: &[Sighting<'a>],
        members: &[Sighting<'a>],
        stalled: usize,
    ) -> Vec<Judged<'a>> {
        let growing = self.histories.get(&group).and_then(growing::evidence);
        let responses = Responses::of(sightings);
        let context = Context { group, sightings, responses, stalled, growing: growing.as_ref() };
        let mut left = Left::of(members);
        let mut judged = Vec::new();
        loop {
            let assess = |rule: usize| {
                let parts = left.claimed(rule).into_iter();
                surest(
                    parts.filter_map(|(site, members)| self.assess(rule, site, members, &context)),
                )
            };
            let rules = (0..RULES.len())
                .filter(|rule| !group.is_spread() || !RULES[*rule].is_of_one_address);
            let candidates = rules.map(assess).filter(|judged| !judged.is_empty());
            let surest = candidates.max_by_key(|judged| {
                judged.first().map(|it| (it.assessment.confidence, Reverse(it.rule)))
            });
            let Some(surest) = surest else { break };
            let Some(rule) = surest.first().map(|judged| judged.rule) else { break };
            left.take(rule, &surest.iter().map(|judged| judged.site).collect());
            judged.extend(surest);
        }
        // A few bad ones among many do not hide that the many grow.
        let left = left.connections();
        let most = left.len() >= self.options.count_min && left.len() > sightings.len() / 2;
        if let (Some(evidence), true) = (growing, most) {
            judged.push(Judged {
                group,
                rule: RULES.len(),
                site: None,
                members: left,
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
        site: Option<&'a str>,
        members: Vec<Sighting<'a>>,
        context: &Context<'_, 'a>,
    ) -> Option<Judged<'a>> {
        let moments = members.iter().map(|member| (RULES[rule].moment)(member));
        let moments = Moments::of(moments, self.options.gap_ms());
        let runs = |key: ProcessKey| self.processes.is_running(key);
        let openers = members.iter().filter(|it| it.tracked.opener.is_some_and(runs)).count();
        let claimed = Claimed {
            members,
            openers,
            moments,
            group: context.sightings,
            is_spread: context.group.is_spread(),
            responses_of_group: context.responses,
            stalled: context.stalled,
            process: self.processes.facts.get(&context.group.process),
            options: self.options,
            now: self.now,
        };
        // That the healthy ones of a group grow makes a few bad ones no surer.
        let is_most = claimed.count() > context.sightings.len() / 2;
        let mut assessment = RULES[rule].assess(&claimed)?;
        if let (Some(evidence), true) = (context.growing, assessment.growth_tells && is_most) {
            assessment.confidence = assessment.confidence.raised();
            assessment.evidence.push(evidence.clone());
        }
        // The growth of the whole group is that of a finding only if that is most of it.
        let watched = self.watched(&context.group, context.sightings.len()).filter(|_| is_most);
        let rate = || rate_milli(1, claimed.count(), moments.spread_ms);
        let reconstructed = watched.is_none() && claimed.rising();
        let growth =
            Growth { per_min_milli: watched.or_else(|| reconstructed.then(rate)), reconstructed };
        let Context { group, .. } = *context;
        Some(Judged { group, rule, site, members: claimed.members, assessment, growth })
    }

    /// The growth of the whole group, if it was watched for long enough.
    fn watched(&self, group: &GroupKey, count: usize) -> Option<i64> {
        self.histories.get(group)?.per_min_milli(self.now, count)
    }

    /// What is suspected of something, or would be if it were known who reads, whether or not the
    /// process is stopped.
    pub(crate) fn suspects(&self) -> impl Iterator<Item = (GroupKey, Sighting<'a>, Suspicion)> {
        self.sightings().filter_map(|(group, sighting)| {
            let suspended_ns = sighting.process.suspended_ns;
            let process = ProcessView { facts: None, is_unasked: false, suspended_ns };
            let sighting = Sighting { process, ..sighting };
            let suspicion = rules::suspicion(&sighting)?;
            Some((group, sighting, suspicion))
        })
    }
}

/// The surest ones of these: those that are less sure are looked at again without them.
fn surest<'a>(judged: impl Iterator<Item = Judged<'a>>) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'a>> = judged.collect();
    let most = judged.iter().map(|judged| judged.assessment.confidence).max();
    judged.retain(|judged| Some(judged.assessment.confidence) == most);
    judged
}

/// What is the same for all assessments of one group.
struct Context<'c, 'a> {
    group: GroupKey,
    /// All of its connections.
    sightings: &'c [Sighting<'a>],
    responses: Responses,
    /// Connections of the process on which it waits for the peer to read.
    stalled: usize,
    growing: Option<&'c String>,
}
