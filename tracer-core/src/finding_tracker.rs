//! Keeps findings from one judgment to the next: their numbers and keys, how long they have been
//! active, and which were retracted.

mod describe;
mod finding_matching;

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, BTreeSet, VecDeque},
    string::String,
    sync::Arc,
    vec::Vec,
};

pub(crate) use describe::connection;
use describe::{finding, key};
use finding_matching::FindingMatching;

use crate::{
    Caveat, Confidence, ConnectionId, Finding, FindingKey, ProcessFacts, ProcessKey, Timestamp,
    group::GroupKey, judge::Judged, rules::RuleKey,
};

/// Identity of a finding within a run: its group, its rule and, for rules that judge by call site,
/// the call site.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Identity {
    group: GroupKey,
    rule: RuleKey,
    call_site: Option<String>,
}

impl Identity {
    fn of(judged: &Judged<'_>) -> Self {
        let call_site = judged.call_site.map(ToOwned::to_owned);
        Self { group: judged.group, rule: judged.rule, call_site }
    }
}

/// The active findings, and the retracted ones.
#[derive(Debug, Default)]
pub(crate) struct FindingTracker {
    active: BTreeMap<Identity, Tracked>,
    /// Findings that are not in the latest judgment although one of their connections still has the
    /// verdict: the connection was absent from one snapshot only. These findings are neither
    /// reported nor retracted.
    undecided: BTreeMap<Identity, Tracked>,
    /// Findings about processes that are not judged at present.
    aside: Aside,
    retracted: VecDeque<Finding>,
    /// Retracted findings that are no longer listed.
    pub(crate) forgotten: u64,
    /// The number of findings so far.
    numbered: u64,
}

/// The findings that a judgment leaves as they are.
#[derive(Debug, Default)]
struct Aside {
    active: BTreeMap<Identity, Tracked>,
    undecided: BTreeMap<Identity, Tracked>,
}

/// An active finding.
#[derive(Debug)]
struct Tracked {
    /// When the finding became active.
    since: Timestamp,
    /// The key of `finding`, shared with the connections.
    key: Arc<FindingKey>,
    finding: Finding,
}

/// The parts of a finding that are fixed when it begins.
struct Beginning {
    id: u64,
    key: Arc<FindingKey>,
    since: Timestamp,
}

impl FindingTracker {
    /// Sets aside the findings about processes about which an answer is `awaited`, so that the next
    /// judgment, which does not include these processes, leaves them as they are. `is_flagged`
    /// returns whether a connection still has a verdict.
    pub(crate) fn set_aside(
        &mut self,
        awaited: &BTreeSet<ProcessKey>,
        now: Timestamp,
        is_flagged: impl Fn(ConnectionId) -> bool,
    ) {
        if awaited.is_empty() {
            return;
        }
        let stays = |identity: &Identity, tracked: &Tracked| {
            awaited.contains(&identity.group.process)
                && tracked.finding.connections.iter().any(|it| is_flagged(it.id))
        };
        let split = |all: &mut BTreeMap<Identity, Tracked>| {
            let (aside, rest) =
                core::mem::take(all).into_iter().partition(|(it, tracked)| stays(it, tracked));
            *all = rest;
            aside
        };
        self.aside =
            Aside { active: split(&mut self.active), undecided: split(&mut self.undecided) };
        for tracked in self.aside.active.values_mut() {
            tracked.finding.active_ms = now.ms_since(tracked.since);
            retain(&mut tracked.finding, &is_flagged);
        }
    }

    /// Puts the findings that were set aside back.
    pub(crate) fn restore(&mut self) {
        let Aside { mut active, mut undecided } = core::mem::take(&mut self.aside);
        self.active.append(&mut active);
        self.undecided.append(&mut undecided);
    }

    /// Updates the findings from a new judgment, and returns the key of each finding in it.
    /// `is_flagged` returns whether a connection still has a verdict.
    pub(crate) fn update(
        &mut self,
        judged: &[Judged<'_>],
        processes: &BTreeMap<ProcessKey, ProcessFacts>,
        now: Timestamp,
        retracted_max: usize,
        is_flagged: impl Fn(ConnectionId) -> bool,
    ) -> Vec<Arc<FindingKey>> {
        let mut keys = Vec::with_capacity(judged.len());
        let mut before = core::mem::take(&mut self.undecided);
        before.append(&mut self.active);
        let matching = FindingMatching::of(judged);
        let mut earlier: Vec<Option<Tracked>> =
            judged.iter().map(|judged| before.remove(&Identity::of(judged))).collect();
        for (identity, index) in matching.successors(&before, &earlier) {
            earlier[index] = before.remove(&identity);
        }
        for (judged, earlier) in judged.iter().zip(earlier) {
            let beginning = self.beginning(judged, earlier.as_ref(), now);
            let Beginning { id, key, since } = beginning;
            let process = processes.get(&judged.group.process);
            let mut finding = finding(id, (*key).clone(), judged, process);
            finding.active_ms = now.ms_since(since);
            if let Some(earlier) = earlier {
                finding.peak_count = finding.peak_count.max(earlier.finding.peak_count);
                finding.peak_confidence =
                    finding.peak_confidence.max(earlier.finding.peak_confidence);
            }
            keys.push(Arc::clone(&key));
            self.active.insert(Identity::of(judged), Tracked { since, key, finding });
        }
        for (identity, tracked) in before {
            let ids = || tracked.finding.connections.iter().map(|connection| connection.id);
            if ids().any(|id| is_flagged(id) && !matching.includes(id)) {
                self.undecided.insert(identity, tracked);
            } else if !ids().all(|id| matching.is_continued(&identity, id)) {
                self.retract(tracked, now, retracted_max);
            }
            // Otherwise, all of its connections are in other findings now.
        }
        keys
    }

    fn beginning(
        &mut self,
        judged: &Judged<'_>,
        earlier: Option<&Tracked>,
        now: Timestamp,
    ) -> Beginning {
        if let Some(Tracked { since, key, finding }) = earlier {
            return Beginning { id: finding.id, key: Arc::clone(key), since: *since };
        }
        self.numbered += 1;
        Beginning { id: self.numbered, key: Arc::new(key(judged)), since: now }
    }

    fn retract(&mut self, tracked: Tracked, now: Timestamp, retracted_max: usize) {
        let mut finding = tracked.finding;
        finding.active_ms = now.ms_since(tracked.since);
        finding.retracted_at = Some(now);
        finding.connections = Vec::new();
        self.retracted.push_front(finding);
        if self.retracted.len() > retracted_max {
            self.retracted.pop_back();
            self.forgotten = self.forgotten.saturating_add(1);
        }
    }

    /// The active findings, the highest confidence first, then the retracted ones, the latest
    /// first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.active.values().map(|tracked| tracked.finding.clone()).collect();
        findings.sort_by(|a, b| {
            let size = |finding: &Finding| finding.count.max(finding.responses);
            b.confidence.cmp(&a.confidence).then(size(b).cmp(&size(a))).then(a.id.cmp(&b.id))
        });
        findings.extend(self.retracted.iter().cloned());
        findings
    }

    /// How many processes with active findings that are not just informational are stopped.
    pub(crate) fn stopped_processes(&self) -> u64 {
        let stopped = self.active.iter().filter(|(_, tracked)| {
            let finding = &tracked.finding;
            finding.confidence > Confidence::Info
                && finding.caveats.contains(&Caveat::ProcessStopped)
        });
        let processes: BTreeSet<ProcessKey> =
            stopped.map(|(identity, _)| identity.group.process).collect();
        u64::try_from(processes.len()).unwrap_or(u64::MAX)
    }

    /// The processes of the active findings.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.active.keys().map(|identity| identity.group.process)
    }
}

/// Removes the connections that no longer have a verdict from a finding. The rest of the finding
/// stays as it was judged.
fn retain(finding: &mut Finding, is_flagged: impl Fn(ConnectionId) -> bool) {
    let before = finding.connections.len();
    finding.connections.retain(|connection| is_flagged(connection.id));
    finding.count = finding.count.saturating_sub(before - finding.connections.len());
}
