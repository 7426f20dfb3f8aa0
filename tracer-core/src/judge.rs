//! From open connections to findings: groups the connections, applies the rules, and takes growth
//! into account.
//!
//! Connections are grouped by process, network namespace, direction and destination. Within a
//! group, every rule assesses the connections that it claims. The assessment with the highest
//! confidence gets its connections, among equal ones that of the most specific rule, and the other
//! rules assess what is left: so a connection has one verdict, and a few certain connections are
//! not lost among many that are only possible. Connections without a settled finding are judged
//! again by port (`by_port`).

mod blocked;
mod by_port;
mod candidates;
pub(crate) mod capped;
mod pools;
mod runs;
mod unassigned;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

pub(crate) use candidates::{Candidates, Claims};
pub(crate) use capped::behind_half_closed;
use runs::{by_run, sum_by_run};
use unassigned::Unassigned;

use crate::{
    Confidence, Evidence, Options, ProcessKey, Timestamp,
    connection_view::{ConnectionView, ProcessView, ResponseSelection},
    group::GroupKey,
    group_history::GroupHistory,
    group_size::{self, GroupSize},
    history::{History, rate_milli},
    open_responses::Response,
    process_index::ProcessSet,
    processes::Processes,
    rules::{self, Assessment, Claimed, RULES, ResponseCounts, Rule, RuleKey, Suspicion, growing},
    separate_times::SeparateTimes,
    table::Table,
    tracked::Tracked,
    turnover::Turnover,
};

/// The open connections by group.
type Groups<'a> = BTreeMap<GroupKey, Vec<ConnectionView<'a>>>;

/// Connections of one group with one verdict.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) group: GroupKey,
    /// The rule that claims the connections.
    pub(crate) rule: RuleKey,
    /// The call site of the responses; always `None` for rules that do not judge by call site.
    pub(crate) call_site: Option<&'a str>,
    pub(crate) members: Vec<ConnectionView<'a>>,
    pub(crate) assessment: Assessment,
    pub(crate) growth: Growth,
}

/// Growth of a finding per minute, in thousandths, and how it was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Growth {
    pub(crate) per_min_milli: Option<i64>,
    pub(crate) reconstructed: bool,
}

/// What is known at the time of a judgment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct JudgeContext<'a> {
    pub(crate) table: &'a Table,
    pub(crate) processes: &'a Processes,
    pub(crate) histories: &'a BTreeMap<GroupKey, GroupHistory>,
    /// How many connections of each group half-closed ones capped at earlier judgments.
    pub(crate) half_closed: &'a BTreeMap<GroupKey, History>,
    pub(crate) suspended_ns: u64,
    pub(crate) options: &'a Options,
    pub(crate) now: Timestamp,
}

impl<'a> JudgeContext<'a> {
    /// The open connections of these processes, each with its group.
    fn views(
        &self,
        processes: &ProcessSet,
    ) -> impl Iterator<Item = (GroupKey, ConnectionView<'a>)> {
        let context = *self;
        let mut latest: Option<(ProcessKey, ProcessView)> = None;
        self.table.open_of(processes).filter_map(move |tracked| {
            let process = tracked.owner()?.key;
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

    /// The size of each group, and of each port with several addresses, of these processes.
    pub(crate) fn group_sizes(&self, processes: &ProcessSet) -> BTreeMap<GroupKey, GroupSize> {
        let each = self.grouped(processes).map(|(group, tracked)| {
            let alive = usize::from(self.died_at(tracked).is_none());
            let (peak, oldest) = ((alive, self.now), tracked.opened_at);
            (group, GroupSize { count: 1, alive, peak, oldest, ..GroupSize::empty(self.now) })
        });
        let mut sizes = sum_by_run(each);
        self.measure_peaks(processes, &mut sizes);
        let ports = by_port::sizes(&sizes);
        sizes.extend(ports);
        sizes
    }

    /// Sets the peak of each group that has dead connections; every other group is at its peak.
    fn measure_peaks(&self, processes: &ProcessSet, sizes: &mut BTreeMap<GroupKey, GroupSize>) {
        let is_wanted =
            |size: &GroupSize| size.count >= self.options.count_min && size.alive < size.count;
        let wanted: BTreeSet<GroupKey> =
            sizes.iter().filter(|(_, size)| is_wanted(size)).map(|(group, _)| *group).collect();
        if wanted.is_empty() {
            return;
        }
        let mut lifetimes: BTreeMap<GroupKey, Vec<[Timestamp; 3]>> = BTreeMap::new();
        let mut is_measured = by_run(|group: GroupKey| wanted.contains(&group));
        for (group, tracked) in self.grouped(processes).filter(|(group, _)| is_measured(*group)) {
            let died_at = self.died_at(tracked).unwrap_or(Timestamp::END);
            let used_until =
                group_size::in_use_until(tracked).map_or(died_at, |until| until.min(died_at));
            lifetimes.entry(group).or_default().push([tracked.opened_at, used_until, died_at]);
        }
        for (group, lifetimes) in lifetimes {
            if let Some(size) = sizes.get_mut(&group) {
                let each = || lifetimes.iter();
                size.peak = group_size::peak(each().map(|[opened, _, died]| (*opened, *died)));
                size.in_use = group_size::peak(each().map(|[opened, used, _]| (*opened, *used)));
            }
        }
    }

    /// The open connections of these processes, each with its group.
    fn grouped(&self, processes: &ProcessSet) -> impl Iterator<Item = (GroupKey, &'a Tracked)> {
        let table = self.table;
        table.open_of(processes).filter_map(move |tracked| {
            let (owner, facts) = (tracked.owner()?, tracked.facts.as_ref()?);
            Some((GroupKey::of(owner.key, table.direction(tracked), facts), tracked))
        })
    }

    /// The time since which a connection has been dead, in the sense of
    /// [`turnover`](crate::turnover), or unread for too long; `None` if it is alive.
    fn died_at(&self, tracked: &Tracked) -> Option<Timestamp> {
        if tracked.is_dead() {
            return Some(tracked.dead_since().unwrap_or(tracked.unread_since));
        }
        self.is_neglected(tracked).then_some(tracked.unread_since)
    }

    /// Whether data has been unread for too long to be on its way to the application. Such a
    /// connection does not count as alive, although it is dead only once it has a verdict.
    fn is_neglected(&self, tracked: &Tracked) -> bool {
        let has_unread = tracked.facts.as_ref().is_some_and(|facts| facts.unread_bytes > 0);
        has_unread && self.now.ms_since(tracked.unread_since) > self.options.gap_ms()
    }

    /// The view of a connection and its responses, if any snapshot has shown it.
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
            call_sites: &self.processes.call_sites,
            cap_reason: None,
        })
    }

    /// The open responses on the connection's file descriptors in the owning process.
    fn listed(&self, tracked: &Tracked) -> Option<&'a [Response]> {
        if self.processes.open_responses.is_empty() {
            return None;
        }
        let process = tracked.owner()?.key;
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

    /// Judges `members`: some or all of the connections of a group.
    fn judge_group(
        &self,
        group: GroupKey,
        all: &[ConnectionView<'a>],
        members: &[ConnectionView<'a>],
    ) -> Vec<Judged<'a>> {
        let history = self.histories.get(&group);
        let growing = history.and_then(|history| growing::evidence(&history.counts));
        let turnover = history.map(|history| &history.turnover);
        let free = all.iter().filter(|view| !view.is_capped());
        let responses = ResponseCounts::of(free);
        let context = GroupContext { group, all, responses, growing: growing.as_ref(), turnover };
        let mut unassigned = Unassigned::of(members);
        let mut judged = self.judge_unassigned(&mut unassigned, &context, false);
        if unassigned.has_withheld() {
            let is_sure = |judged: &Judged<'_>| {
                judged.rule.id.is_about_the_process()
                    && judged.assessment.confidence > Confidence::Possible
            };
            // Unless the others have a higher confidence, there is one finding for all of them, not
            // two.
            let apart = judged.iter().any(is_sure);
            if !apart {
                (unassigned, judged) = (Unassigned::of(members), Vec::new());
            }
            unassigned.release();
            judged.extend(self.judge_unassigned(&mut unassigned, &context, apart));
        }
        // A few suspicious connections among many do not hide that the many grow.
        let members = unassigned.connections();
        let is_most = members.len() >= self.options.count_min && members.len() > all.len() / 2;
        if let (Some(evidence), true) = (growing, is_most) {
            judged.push(Judged {
                group,
                rule: growing::KEY,
                call_site: None,
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

    /// Applies the rules to the connections that have no verdict yet, the highest confidence first.
    /// If `apart`, findings with capped connections get a key of their own, so that they do not
    /// continue a finding without them.
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
                highest(parts.filter_map(|(call_site, members)| {
                    self.assess(rule, call_site, members, context)
                }))
            };
            let rules = RULES.iter().zip(0..);
            let rules = rules.filter(|(rule, _)| !is_by_port || !rule.is_single_address_only);
            let assessed = rules.filter_map(|(rule, rank)| {
                let judged = assess(rule, rank);
                let confidence = judged.first()?.assessment.confidence;
                Some((confidence, Reverse(rank), rule, judged))
            });
            let highest = assessed.max_by_key(|(confidence, rank, ..)| (*confidence, *rank));
            let Some((_, Reverse(rank), rule, mut highest)) = highest else { return judged };
            unassigned.take(rule, rank, &highest.iter().map(|judged| judged.call_site).collect());
            for judged in highest.iter_mut().filter(|_| apart) {
                if judged.members.iter().any(ConnectionView::is_capped) {
                    judged.rule.is_capped = true;
                }
            }
            judged.extend(highest);
        }
    }

    fn assess(
        &self,
        rule: &'static Rule,
        call_site: Option<&'a str>,
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
            fds: self.processes.fd_uses.get(&context.group.process).copied(),
            process: self.processes.facts.get(&context.group.process),
            options: self.options,
            now: self.now,
        };
        // Growth of the healthy connections of a group does not raise the confidence of a few
        // suspicious ones.
        let is_most = claimed.count() > context.all.len() / 2;
        let mut assessment = rule.assess(&claimed)?;
        if let (Some(evidence), true) =
            (context.growing, assessment.growth_raises_confidence && is_most)
        {
            // Growth alone makes nothing *certain*, and it does not turn *info* into a leak.
            if assessment.confidence == Confidence::Possible {
                assessment = assessment.at_least_likely();
            }
            assessment.reasons.evidence.push(evidence.clone());
        }
        if rule.id.is_about_the_process() {
            let half_closed = self.half_closed.get(&context.group);
            let alive_max = context.turnover.map_or(0, |turnover| turnover.peak);
            capped::limit(&mut assessment, &claimed.members, half_closed, alive_max);
        }
        // The growth of the group is that of the finding only if the finding is most of the group.
        let watched = self.watched_growth(&context.group, context.all.len());
        let watched = watched.filter(|_| is_most);
        let rate = || rate_milli(1, claimed.count(), times.span_ms);
        let reconstructed = watched.is_none() && claimed.has_rate();
        let growth =
            Growth { per_min_milli: watched.or_else(|| reconstructed.then(rate)), reconstructed };
        let (group, rule) = (context.group, rule.key());
        Some(Judged { group, rule, call_site, members: claimed.members, assessment, growth })
    }

    /// The growth of a group, if it was watched for long enough.
    fn watched_growth(&self, group: &GroupKey, count: usize) -> Option<i64> {
        self.histories.get(group)?.counts.per_min_milli(self.now, count)
    }

    /// The connections of these processes, each with why it is suspicious, or would be if no reader
    /// were waiting. Whether the process is stopped does not matter here.
    pub(crate) fn suspects(
        &self,
        processes: &ProcessSet,
    ) -> impl Iterator<Item = (GroupKey, ConnectionView<'a>, Option<Suspicion>)> {
        self.views(processes).map(|(group, view)| {
            let process = ProcessView { is_unidentified: false, ..view.process };
            let view = ConnectionView { process, ..view };
            (group, view, rules::suspicion(&view))
        })
    }
}

/// The assessments with the highest confidence. The connections of the others are assessed again
/// without them.
fn highest<'a>(judged: impl Iterator<Item = Judged<'a>>) -> Vec<Judged<'a>> {
    let mut judged: Vec<Judged<'a>> = judged.collect();
    let max = judged.iter().map(|judged| judged.assessment.confidence).max();
    judged.retain(|judged| Some(judged.assessment.confidence) == max);
    judged
}

/// The data that all assessments of one group share.
#[derive(Clone, Copy)]
struct GroupContext<'c, 'a> {
    group: GroupKey,
    /// All connections of the group.
    all: &'c [ConnectionView<'a>],
    responses: ResponseCounts,
    growing: Option<&'c Evidence>,
    turnover: Option<&'c Turnover>,
}
