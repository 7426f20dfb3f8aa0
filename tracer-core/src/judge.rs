//! From the open connections to findings: groups connections, applies the rules, weighs growth.
//!
//! Connections are grouped by process, network namespace, direction and destination. Within a group,
//! every rule assesses the connections that it claims. The surest assessment gets its connections,
//! among equally sure ones that of the most specific rule, and the other rules assess what is left:
//! so a connection has one verdict, and a few certain connections are not lost among many that are
//! only possible. Connections that no settled finding has are judged once more by port (`by_port`).

mod by_port;
mod excused;
mod pools;
mod runs;
mod unassigned;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

use excused::WaitedFor;
pub(crate) use excused::behind_half_closed;
use runs::{by_run, sum_by_run};
use unassigned::Unassigned;

use crate::{
    Confidence, Evidence, Options, ProcessKey, Timestamp,
    connection_view::{ConnectionView, ProcessView, ResponseSelection},
    group::GroupKey,
    group_history::GroupHistory,
    group_size::GroupSize,
    history::{History, rate_milli},
    open_responses::Response,
    processes::Processes,
    rules::{self, Assessment, Claimed, RULES, Responses, Rule, RuleKey, Suspicion, growing},
    separate_times::SeparateTimes,
    table::Table,
    tracked::Tracked,
    turnover::Turnover,
};

/// The open connections by group.
type Groups<'a> = BTreeMap<GroupKey, Vec<ConnectionView<'a>>>;

/// The groups that need to be judged.
#[derive(Debug)]
pub(crate) struct Candidates<'a> {
    /// The complete groups of which some rule claims a connection, or which grow, and the groups of
    /// other addresses of the same port.
    groups: Groups<'a>,
}

/// Connections of one group with one verdict.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) group: GroupKey,
    /// The rule that found them.
    pub(crate) rule: RuleKey,
    /// The call site of their responses; always `None` for rules that do not judge by call site.
    pub(crate) site: Option<&'a str>,
    pub(crate) members: Vec<ConnectionView<'a>>,
    pub(crate) assessment: Assessment,
    pub(crate) growth: Growth,
}

/// Growth of a finding per minute, in thousandths, and how it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) per_min_milli: Option<i64>,
    pub(crate) reconstructed: bool,
}

/// What is known at the time of a judgement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgeContext<'a> {
    pub(crate) table: &'a Table,
    pub(crate) processes: &'a Processes,
    pub(crate) histories: &'a BTreeMap<GroupKey, GroupHistory>,
    /// How many connections half-closed ones excused at earlier judgements.
    pub(crate) half_closed: &'a BTreeMap<GroupKey, History>,
    pub(crate) suspended_ns: u64,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

impl<'a> JudgeContext<'a> {
    /// The groups that need to be judged. On most hosts these are few, so they are determined before
    /// anything is collected.
    pub(crate) fn candidates(&self) -> Candidates<'a> {
        let mut waited_for: BTreeMap<ProcessKey, WaitedFor> = BTreeMap::new();
        let growing =
            self.histories.iter().filter(|(_, it)| growing::evidence(&it.counts).is_some());
        let mut ports: BTreeSet<GroupKey> = growing.map(|(group, _)| group.of_port()).collect();
        let mut latest = None;
        for (group, view) in self.views() {
            let is_claimed = rules::is_claimed(&view);
            if is_claimed && latest != Some(group) {
                ports.insert(group.of_port());
                latest = Some(group);
            }
            if view.tracked.waits.is_some() || view.facts.unread_bytes > 0 {
                waited_for.entry(group.process).or_default().note(&view, is_claimed);
            }
        }
        let mut groups = Groups::new();
        if !ports.is_empty() {
            let mut is_wanted = by_run(|group: GroupKey| ports.contains(&group.of_port()));
            for (group, view) in self.views().filter(|(group, _)| is_wanted(*group)) {
                groups.entry(group).or_default().push(view);
            }
        }
        excused::excuse(&mut groups, &waited_for);
        for (group, members) in &mut groups {
            if let Some(history) = self.histories.get(group)
                && members.len() >= self.options.count_min
            {
                pools::excuse(members, &history.turnover);
            }
        }
        Candidates { groups }
    }

    /// The open connections, each with its group.
    fn views(&self) -> impl Iterator<Item = (GroupKey, ConnectionView<'a>)> {
        let context = *self;
        let mut latest: Option<(ProcessKey, ProcessView)> = None;
        self.table.open().filter_map(move |tracked| {
            let process = tracked.accountable()?.key;
            // Connections of one process are mostly adjacent.
            let known = latest.filter(|(key, _)| *key == process).map(|(_, view)| view);
            let view = known.unwrap_or_else(|| context.process_view(process));
            latest = Some((process, view));
            let view = ConnectionView { process: view, ..context.view(tracked)? };
            Some((GroupKey::of(process, view.direction, view.facts), view))
        })
    }

    fn process_view(&self, process: ProcessKey) -> ProcessView {
        let is_unreadable = self.processes.unreadable.contains(&process);
        ProcessView {
            stop: self.processes.stop(process, self.now, self.options.idle_ms),
            is_unidentified: !is_unreadable && !self.processes.facts.contains_key(&process),
            is_unreadable,
            suspended_ns: self.suspended_ns,
        }
    }

    /// The size of each group, and of each port with several addresses.
    pub(crate) fn group_sizes(&self) -> BTreeMap<GroupKey, GroupSize> {
        let each = self.table.open().filter_map(|tracked| {
            let (owner, facts) = (tracked.accountable()?, tracked.facts.as_ref()?);
            let group = GroupKey::of(owner.key, self.table.direction(tracked), facts);
            let one = GroupSize {
                count: 1,
                alive: usize::from(!tracked.is_dead() && !self.is_neglected(tracked)),
                oldest: tracked.opened_at,
            };
            Some((group, one))
        });
        let mut sizes = sum_by_run(each);
        let ports = by_port::sizes(&sizes);
        sizes.extend(ports);
        sizes
    }

    /// Data has been unread for longer than it takes to get to it. A connection that is forgotten is
    /// not in use from then on, and dead only once it has a verdict.
    fn is_neglected(&self, tracked: &Tracked) -> bool {
        let has_unread = tracked.facts.as_ref().is_some_and(|facts| facts.unread_bytes > 0);
        has_unread && self.now.ms_since(tracked.unread_since) > self.options.gap_ms()
    }

    /// The connection and its responses, if any snapshot has shown it.
    pub(crate) fn view(&self, tracked: &'a Tracked) -> Option<ConnectionView<'a>> {
        Some(ConnectionView {
            tracked,
            facts: tracked.facts.as_deref()?,
            direction: self.table.direction(tracked),
            now: self.now,
            options: self.options,
            process: ProcessView::default(),
            listed: self.listed(tracked).unwrap_or_default(),
            selection: ResponseSelection::All,
            sites: &self.processes.sites,
            excuse: None,
        })
    }

    /// The responses in flight on the connection's file descriptors in the accountable process.
    fn listed(&self, tracked: &Tracked) -> Option<&'a [Response]> {
        if self.processes.open_responses.is_empty() {
            return None;
        }
        let process = tracked.accountable()?.key;
        let owners = tracked.facts.iter().flat_map(|facts| &facts.owners);
        let own = owners.filter(|owner| owner.key == process);
        own.map(|owner| self.processes.open_responses.on(process, owner.fd))
            .find(|listed| !listed.is_empty())
    }

    /// The verdicts, at most one for each connection.
    pub(crate) fn judge(&self, candidates: &Candidates<'a>) -> Vec<Judged<'a>> {
        let Candidates { groups } = candidates;
        let judge = |group: GroupKey, all: &[ConnectionView<'a>], some: &[ConnectionView<'a>]| {
            self.judge_group(group, all, some)
        };
        let by_address = groups.iter().flat_map(|(group, members)| judge(*group, members, members));
        by_port::judge(groups, by_address.collect(), self.options.count_min, judge)
    }

    /// Judges `members`, which are some or all of the connections of a group.
    fn judge_group(
        &self,
        group: GroupKey,
        all: &[ConnectionView<'a>],
        members: &[ConnectionView<'a>],
    ) -> Vec<Judged<'a>> {
        let history = self.histories.get(&group);
        let growing = history.and_then(|history| growing::evidence(&history.counts));
        let turnover = history.map(|history| &history.turnover);
        let free = all.iter().filter(|view| !view.is_excused());
        let responses = Responses::of(free);
        let context = GroupContext { group, all, responses, growing: growing.as_ref(), turnover };
        let mut unassigned = Unassigned::of(members);
        let mut judged = self.judge_unassigned(&mut unassigned, &context, false);
        if unassigned.has_withheld() {
            let is_sure = |judged: &Judged<'_>| {
                judged.rule.id.is_about_the_process()
                    && judged.assessment.confidence > Confidence::Possible
            };
            // Unless the others are surer, there is one finding of all and not two.
            let apart = judged.iter().any(is_sure);
            if !apart {
                (unassigned, judged) = (Unassigned::of(members), Vec::new());
            }
            unassigned.release();
            judged.extend(self.judge_unassigned(&mut unassigned, &context, apart));
        }
        // A few bad connections among many do not hide that the many grow.
        let members = unassigned.connections();
        let is_most = members.len() >= self.options.count_min && members.len() > all.len() / 2;
        if let (Some(evidence), true) = (growing, is_most) {
            judged.push(Judged {
                group,
                rule: growing::KEY,
                site: None,
                members,
                assessment: growing::assess(evidence),
                growth: Growth {
                    per_min_milli: self.watched_growth(&group, all.len()),
                    reconstructed: false,
                },
            });
        }
        judged
    }

    /// Applies the rules to the connections that have no verdict yet, the surest first. `apart`: the
    /// excused ones among them are findings of their own.
    fn judge_unassigned(
        &self,
        unassigned: &mut Unassigned<'a>,
        context: &GroupContext<'_, 'a>,
        apart: bool,
    ) -> Vec<Judged<'a>> {
        let is_by_port = context.group.is_by_port();
        let mut judged = Vec::new();
        loop {
            let assess = |rule: &'static Rule, rank: usize| {
                let parts = unassigned.claimed(rule, rank).into_iter();
                surest(
                    parts.filter_map(|(site, members)| self.assess(rule, site, members, context)),
                )
            };
            let rules = RULES.iter().zip(0..);
            let rules = rules.filter(|(rule, _)| !is_by_port || !rule.is_of_one_address);
            let assessed = rules.filter_map(|(rule, rank)| {
                let judged = assess(rule, rank);
                let confidence = judged.first()?.assessment.confidence;
                Some((confidence, Reverse(rank), rule, judged))
            });
            let surest = assessed.max_by_key(|(confidence, rank, ..)| (*confidence, *rank));
            let Some((_, Reverse(rank), rule, mut surest)) = surest else { return judged };
            unassigned.take(rule, rank, &surest.iter().map(|judged| judged.site).collect());
            for judged in surest.iter_mut().filter(|_| apart) {
                if judged.members.iter().any(ConnectionView::is_excused) {
                    judged.rule.is_excused = true;
                }
            }
            judged.extend(surest);
        }
    }

    fn assess(
        &self,
        rule: &'static Rule,
        site: Option<&'a str>,
        members: Vec<ConnectionView<'a>>,
        context: &GroupContext<'_, 'a>,
    ) -> Option<Judged<'a>> {
        let times = members.iter().map(|member| (rule.occurred)(member));
        let times = SeparateTimes::of(times, self.options.gap_ms(), self.options.idle_ms);
        let runs = |key: ProcessKey| self.processes.is_running(key);
        let running_openers =
            members.iter().filter(|it| it.tracked.opener.is_some_and(runs)).count();
        let claimed = Claimed {
            members,
            running_openers,
            times,
            group: context.all,
            is_by_port: context.group.is_by_port(),
            responses_of_group: context.responses,
            turnover: context.turnover,
            occurred: rule.occurred,
            process: self.processes.facts.get(&context.group.process),
            options: self.options,
            now: self.now,
        };
        // Growth of the healthy connections of a group makes a few bad ones no surer.
        let is_most = claimed.count() > context.all.len() / 2;
        let mut assessment = rule.assess(&claimed)?;
        if let (Some(evidence), true) = (context.growing, assessment.growth_counts && is_most) {
            // Counts make nothing certain, and what is not a leak does not become one by repetition.
            if assessment.confidence == Confidence::Possible {
                assessment = assessment.at_least_likely();
            }
            assessment.facts.evidence.push(evidence.clone());
        }
        if rule.id.is_about_the_process() {
            let half_closed = self.half_closed.get(&context.group);
            let alive_max = context.turnover.map_or(0, |turnover| turnover.alive_max);
            excused::limit(&mut assessment, &claimed.members, half_closed, alive_max);
        }
        // The growth of the group is that of the finding only if the finding is most of the group.
        let watched = self.watched_growth(&context.group, context.all.len());
        let watched = watched.filter(|_| is_most);
        let rate = || rate_milli(1, claimed.count(), times.span_ms);
        let reconstructed = watched.is_none() && claimed.is_rising();
        let growth =
            Growth { per_min_milli: watched.or_else(|| reconstructed.then(rate)), reconstructed };
        let (group, rule) = (context.group, rule.key());
        Some(Judged { group, rule, site, members: claimed.members, assessment, growth })
    }

    /// The growth of a group, if it was watched for long enough.
    fn watched_growth(&self, group: &GroupKey, count: usize) -> Option<i64> {
        self.histories.get(group)?.counts.per_min_milli(self.now, count)
    }

    /// The connections that are suspicious, or would be if no reader waits. Whether the process is
    /// stopped does not matter here.
    pub(crate) fn suspects(
        &self,
    ) -> impl Iterator<Item = (GroupKey, ConnectionView<'a>, Suspicion)> {
        self.views().filter_map(|(group, view)| {
            let process = ProcessView { is_unidentified: false, ..view.process };
            let view = ConnectionView { process, ..view };
            let suspicion = rules::suspicion(&view)?;
            Some((group, view, suspicion))
        })
    }
}

/// The surest ones of these. The others are assessed again without them.
fn surest<'a>(judged: impl Iterator<Item = Judged<'a>>) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'a>> = judged.collect();
    let max = judged.iter().map(|judged| judged.assessment.confidence).max();
    judged.retain(|judged| Some(judged.assessment.confidence) == max);
    judged
}

/// What all assessments of one group have in common.
#[derive(Clone, Copy)]
struct GroupContext<'c, 'a> {
    group: GroupKey,
    /// All of its connections.
    all: &'c [ConnectionView<'a>],
    responses: Responses,
    growing: Option<&'c Evidence>,
    turnover: Option<&'c Turnover>,
}
