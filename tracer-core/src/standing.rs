//! The findings from one judgement to the next: their numbers, how long they stand, and which
//! were taken back.

mod shown;

use alloc::{
    borrow::ToOwned,
    collections::{BTreeMap, VecDeque},
    format,
    string::String,
    vec::Vec,
};
use core::{cmp::Reverse, net::SocketAddr};

use shown::Shown;

use crate::{
    Connection, ConnectionId, Direction, Finding, Origin, ProcessFacts, ProcessKey, Reader,
    Timestamp, group::GroupKey, judge::Judged, rules, sighting::Sighting,
};

/// Identity of a finding: what it is about, which rule found it and, of responses, where they were
/// asked for.
type FindingKey = (GroupKey, usize, Option<String>);

/// Call sites, or destinations, that are named where there are several; the rest is counted.
const NAMES_MAX: usize = 3;

/// The findings that stand and those that did.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    current: BTreeMap<FindingKey, Stood>,
    /// Not in the latest judgement, but some connection of theirs still has its verdict: it was
    /// absent from one snapshot only. Neither shown nor taken back.
    undecided: BTreeMap<FindingKey, Stood>,
    retracted: VecDeque<Finding>,
    /// Retracted findings that were forgotten for the limit.
    pub(crate) forgotten: u64,
    /// Findings numbered so far.
    numbered: u64,
}

#[derive(Debug)]
struct Stood {
    since: Timestamp,
    finding: Finding,
}

impl Standing {
    /// Takes in a new judgement. `flagged` tells whether a connection still has a verdict.
    pub(crate) fn update(
        &mut self,
        judged: &[Judged<'_>],
        processes: &BTreeMap<ProcessKey, ProcessFacts>,
        now: Timestamp,
        retracted_max: usize,
        flagged: impl Fn(ConnectionId) -> bool,
    ) {
        let mut before = core::mem::take(&mut self.undecided);
        before.append(&mut self.current);
        let shown = Shown::of(judged);
        let mut earlier: Vec<Option<Stood>> =
            judged.iter().map(|judged| before.remove(&key(judged))).collect();
        for (key, index) in shown.successors(&before, &earlier) {
            earlier[index] = before.remove(&key);
        }
        for (judged, stood) in judged.iter().zip(earlier) {
            let (id, since) = stood.as_ref().map_or_else(
                || {
                    self.numbered += 1;
                    (self.numbered, now)
                },
                |stood| (stood.finding.id, stood.since),
            );
            let process = processes.get(&judged.group.process);
            let mut finding = finding(id, now.ms_since(since), judged, process);
            if let Some(stood) = stood {
                finding.peak_count = finding.peak_count.max(stood.finding.peak_count);
                finding.peak_confidence =
                    finding.peak_confidence.max(stood.finding.peak_confidence);
            }
            self.current.insert(key(judged), Stood { since, finding });
        }
        for (key, stood) in before {
            let ids = || stood.finding.connections.iter().map(|connection| connection.id);
            if ids().any(|id| flagged(id) && !shown.includes(id)) {
                self.undecided.insert(key, stood);
            } else if !ids().all(|id| shown.goes_on(&key, id)) {
                self.retract(stood, now, retracted_max);
            }
            // Else all of its connections went on to another verdict.
        }
    }

    fn retract(&mut self, stood: Stood, now: Timestamp, retracted_max: usize) {
        let mut finding = stood.finding;
        finding.stood_ms = now.ms_since(stood.since);
        finding.retracted_at = Some(now);
        // What shrank before it went is not taken back as something small.
        let (peak, count) = (finding.peak_confidence, finding.peak_count);
        if peak > finding.confidence || count > finding.count {
            finding.evidence.push(format!("it had been up to {peak}, and of up to {count}"));
        }
        finding.connections = Vec::new();
        self.retracted.push_front(finding);
        if self.retracted.len() > retracted_max {
            self.retracted.pop_back();
            self.forgotten += 1;
        }
    }

    /// The findings that stand, the worst first, then those that were taken back, the latest first.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<Finding> =
            self.current.values().map(|stood| stood.finding.clone()).collect();
        findings.sort_by(|a, b| {
            let size = |finding: &Finding| finding.count.max(finding.responses);
            b.confidence.cmp(&a.confidence).then(size(b).cmp(&size(a))).then(a.id.cmp(&b.id))
        });
        findings.extend(self.retracted.iter().cloned());
        findings
    }

    /// The processes in the findings that stand.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.current.keys().map(|(group, ..)| group.process)
    }
}

fn key(judged: &Judged<'_>) -> FindingKey {
    (judged.group, rules::identity(judged.rule), judged.site.map(ToOwned::to_owned))
}

fn finding(id: u64, stood_ms: u64, judged: &Judged<'_>, process: Option<&ProcessFacts>) -> Finding {
    let mut connections: Vec<Connection> = judged.members.iter().map(connection).collect();
    connections.sort_by(|a, b| b.age_ms.cmp(&a.age_ms).then(a.id.cmp(&b.id)));
    let oldest = connections.first();
    let remotes = remotes(judged, &connections);
    let (call_site, elsewhere) = call_site(judged, &connections);
    let comm = oldest.and_then(|oldest| oldest.owners.first()).map(|owner| owner.comm.clone());
    Finding {
        id,
        verdict: judged.assessment.verdict,
        confidence: judged.assessment.confidence,
        process: judged.group.process,
        comm: comm.unwrap_or_default(),
        exe: process.and_then(|facts| facts.exe.clone()),
        cmdline: process.and_then(|facts| facts.cmdline.clone()),
        uid: process.and_then(|facts| facts.uid),
        container: process.and_then(|facts| facts.container.clone()),
        inner_pid: process.and_then(|facts| facts.inner_pid),
        netns: judged.group.netns,
        direction: judged.group.direction,
        remote: judged.group.remote,
        remote_port: judged.group.of_port().remote_port,
        remotes: remotes.len(),
        local_port: judged.group.local_port,
        count: connections.len(),
        peak_count: connections.len(),
        peak_confidence: judged.assessment.confidence,
        oldest_age_ms: oldest.map_or(0, |oldest| oldest.age_ms),
        oldest_age_is_lower_bound: oldest.is_some_and(|oldest| oldest.age_is_lower_bound),
        growth_per_min_milli: judged.growth.per_min_milli,
        growth_is_reconstructed: judged.growth.reconstructed,
        responses: connections.iter().map(|connection| connection.responses).sum(),
        unread_bytes: connections.iter().map(|connection| connection.unread_bytes).sum(),
        held_bytes: connections.iter().map(|connection| connection.held_bytes).sum(),
        reader: reader(&connections),
        call_site,
        request: request(&connections),
        evidence: judged
            .assessment
            .evidence
            .iter()
            .cloned()
            .chain(destinations(&remotes))
            .chain(elsewhere)
            .collect(),
        retracted_at: None,
        stood_ms,
        connections,
    }
}

/// The line of code that all connections of a finding are about that are about a known one. If they
/// differ, what the most frequent ones are instead, in words.
fn call_site(judged: &Judged<'_>, connections: &[Connection]) -> (Option<String>, Option<String>) {
    if rules::is_by_call_site(judged.rule) {
        return (judged.site.map(ToOwned::to_owned), None);
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for site in connections.iter().filter_map(|connection| connection.call_site.as_deref()) {
        *counts.entry(site).or_default() += 1;
    }
    let counts = most_frequent(counts);
    let (named, others) = counts.split_at(counts.len().min(NAMES_MAX));
    match named {
        [] => (None, None),
        [(site, _)] => (Some((*site).to_owned()), None),
        _ => {
            let named: Vec<String> =
                named.iter().map(|(site, count)| format!("{site} ({count})")).collect();
            let more = match others.len() {
                0 => String::new(),
                1 => ", and 1 other place".to_owned(),
                count => format!(", and {count} other places"),
            };
            (None, Some(format!("called from {}{more}", named.join(", "))))
        }
    }
}

/// Where the connections go, and how many there; of inbound ones, nowhere.
fn remotes(judged: &Judged<'_>, connections: &[Connection]) -> Vec<(SocketAddr, usize)> {
    let mut counts: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    if judged.group.direction == Direction::Outbound {
        for connection in connections {
            *counts.entry(connection.remote).or_default() += 1;
        }
    }
    most_frequent(counts)
}

/// The most frequent ones of several destinations, in words.
fn destinations(remotes: &[(SocketAddr, usize)]) -> Option<String> {
    let (named, others) = remotes.split_at(remotes.len().min(NAMES_MAX));
    let named: Vec<String> =
        named.iter().map(|(remote, count)| format!("{remote} ({count})")).collect();
    let more = match others.len() {
        0 => String::new(),
        1 => ", and 1 other".to_owned(),
        count => format!(", and {count} others"),
    };
    (remotes.len() > 1).then(|| format!("they go to {}{more}", named.join(", ")))
}

fn most_frequent<K: Copy + Ord>(counts: BTreeMap<K, usize>) -> Vec<(K, usize)> {
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (Reverse(*count), *name));
    counts
}

/// The reader of all of them, if it is the same.
fn reader(connections: &[Connection]) -> Reader {
    let mut readers = connections.iter().map(|connection| connection.reader);
    let first = readers.next().unwrap_or_default();
    if readers.all(|reader| reader == first) { first } else { Reader::Mixed }
}

/// The request whose responses all of them carry that carry a known one.
fn request(connections: &[Connection]) -> Option<String> {
    let mut requests = connections.iter().filter_map(|connection| connection.request.as_ref());
    let first = requests.next()?;
    requests.all(|request| request == first).then(|| first.clone())
}

/// A connection as the report shows it.
pub(crate) fn connection(sighting: &Sighting<'_>) -> Connection {
    let (tracked, facts) = (sighting.tracked, sighting.facts);
    let mut owners = facts.owners.to_vec();
    owners.sort();
    if let Some(accountable) = tracked.accountable()
        && let Some(position) = owners.iter().position(|owner| owner == accountable)
    {
        owners[..=position].rotate_right(1);
    }
    let held = rules::leaked(sighting).filter_map(|response| response.stream);
    Connection {
        id: tracked.id,
        owners,
        inode: facts.inode,
        netns: facts.netns,
        direction: sighting.direction,
        state: facts.state,
        local: facts.local,
        remote: facts.remote,
        age_ms: sighting.now.ms_since(tracked.opened_at),
        age_is_lower_bound: tracked.origin == Origin::Seeded,
        idle_ms: sighting.idle_ms(),
        peer_closed: tracked.peer_closed,
        died: tracked.died,
        unread_bytes: facts.unread_bytes,
        unsent_bytes: facts.unsent_bytes,
        rx_bytes: facts.rx_bytes,
        tx_bytes: facts.tx_bytes,
        reader: sighting.reader(),
        responses: rules::leaked(sighting).count(),
        held_bytes: held.map(|stream| stream.held_bytes).sum(),
        call_site: sighting.call_site().map(ToOwned::to_owned),
        request: sighting.awaits_body().then(|| sighting.http()?.request.clone()).flatten(),
        origin: tracked.origin,
    }
}
