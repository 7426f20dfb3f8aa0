//! Builds the findings and connections of a report.

use alloc::{borrow::ToOwned, collections::BTreeMap, string::String, vec::Vec};
use core::{cmp::Reverse, net::SocketAddr};

use crate::{
    CallSiteReason, Connection, Counted, Direction, Evidence, Finding, FindingFamily, FindingKey,
    Origin, ProcessFacts, Reader,
    connection_view::ConnectionView,
    judge::Judged,
    rules::{self, RuleId},
};

/// The maximum number of call sites or destinations listed; the rest are counted.
const NAMES_MAX: usize = 3;

/// The key of a new finding. Nothing in it depends on inspections of the process, because their
/// answers arrive later for some connections than for others.
pub(super) fn key(judged: &Judged<'_>) -> FindingKey {
    let family = match judged.rule.id {
        RuleId::Inherited => FindingFamily::Inherited,
        RuleId::BodyNotClosed => FindingFamily::Response,
        _ if judged.group.direction == Direction::Inbound => FindingFamily::Accepted,
        _ => FindingFamily::ClientConnection,
    };
    let owner = oldest(judged).and_then(|oldest| oldest.tracked.owner());
    FindingKey {
        family,
        direction: judged.group.direction,
        destination: judged.group.destination(),
        comm: owner.map(|owner| owner.comm.clone()).unwrap_or_default(),
    }
}

fn oldest<'j, 'a>(judged: &'j Judged<'a>) -> Option<&'j ConnectionView<'a>> {
    judged.members.iter().min_by_key(|member| (member.tracked.opened_at, member.tracked.id))
}

/// A finding as of now, without its history.
pub(super) fn finding(
    id: u64,
    key: FindingKey,
    judged: &Judged<'_>,
    process: Option<&ProcessFacts>,
) -> Finding {
    let mut connections: Vec<Connection> = judged.members.iter().map(connection).collect();
    connections.sort_by(|a, b| b.age_ms.cmp(&a.age_ms).then(a.id.cmp(&b.id)));
    let oldest = connections.first();
    let remotes = remotes(judged, &connections);
    let reasons = unknown_call_sites(&connections);
    let CallSites { call_site, reason, several } = CallSites::of(judged, &connections, &reasons);
    let comm = oldest.and_then(|oldest| oldest.owners.first()).map(|owner| owner.comm.clone());
    let facts = &judged.assessment.reasons;
    let sum =
        |bytes: fn(&Connection) -> u64| connections.iter().map(bytes).fold(0, u64::saturating_add);
    Finding {
        id,
        key,
        verdict: judged.assessment.verdict,
        confidence: judged.assessment.confidence,
        process: judged.group.process,
        comm: comm.unwrap_or_default(),
        exe: process.and_then(|facts| facts.exe.clone()),
        cmdline: process.and_then(|facts| facts.cmdline.clone()),
        script: process.and_then(|facts| facts.script.clone()),
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
        unread_bytes: sum(|connection| connection.unread_bytes),
        held_bytes: sum(|connection| connection.held_bytes),
        reader: reader(&connections),
        call_site,
        call_site_reason: reason,
        call_site_reasons: reasons,
        request: request(&connections),
        evidence: facts
            .evidence
            .iter()
            .cloned()
            .chain(destinations(remotes))
            .chain(several)
            .collect(),
        caveats: facts.caveats.clone(),
        retracted_at: None,
        active_ms: 0,
        connections,
    }
}

/// The lines of code behind a finding.
struct CallSites {
    /// The call site, if it is the same for all connections with a known one.
    call_site: Option<String>,
    /// Why no call site is named.
    reason: Option<CallSiteReason>,
    /// The most frequent call sites, if they differ.
    several: Option<Evidence>,
}

impl CallSites {
    fn of(
        judged: &Judged<'_>,
        connections: &[Connection],
        reasons: &[Counted<CallSiteReason>],
    ) -> Self {
        let one = |call_site: &str| Self {
            call_site: Some(call_site.to_owned()),
            reason: None,
            several: None,
        };
        if judged.rule.id.is_by_call_site() {
            return judged.call_site.map_or_else(|| Self::unknown(reasons), one);
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for call_site in connections.iter().filter_map(|connection| connection.call_site.as_deref())
        {
            *counts.entry(call_site).or_default() += 1;
        }
        let counts = most_frequent(counts);
        match counts.as_slice() {
            [] => Self::unknown(reasons),
            [(call_site, _)] => one(call_site),
            _ => {
                let others = counts.len().saturating_sub(NAMES_MAX);
                let listed = counts.into_iter().take(NAMES_MAX);
                let top =
                    listed.map(|(call_site, count)| Counted { value: call_site.to_owned(), count });
                Self {
                    call_site: None,
                    reason: Some(CallSiteReason::SeveralCallSites),
                    several: Some(Evidence::CallSites { top: top.collect(), others }),
                }
            }
        }
    }

    /// The most frequent reason why the call site is unknown. What was found in a stack comes first:
    /// it also holds for connections opened later.
    fn unknown(reasons: &[Counted<CallSiteReason>]) -> Self {
        let of_stack = reasons.iter().find(|it| it.value.is_about_a_stack());
        let reason = of_stack.or(reasons.first()).map(|it| it.value.clone());
        Self { call_site: None, reason, several: None }
    }
}

/// Why the call sites of connections are unknown, the most frequent reason first.
fn unknown_call_sites(connections: &[Connection]) -> Vec<Counted<CallSiteReason>> {
    let mut counts: BTreeMap<&CallSiteReason, usize> = BTreeMap::new();
    for reason in connections.iter().filter_map(|it| it.call_site_reason.as_ref()) {
        *counts.entry(reason).or_default() += 1;
    }
    let counts = most_frequent(counts).into_iter();
    counts.map(|(reason, count)| Counted { value: reason.clone(), count }).collect()
}

/// Where the connections go, and how many go there; empty for inbound ones.
fn remotes(judged: &Judged<'_>, connections: &[Connection]) -> Vec<(SocketAddr, usize)> {
    let mut counts: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    if judged.group.direction == Direction::Outbound {
        for connection in connections {
            *counts.entry(connection.remote).or_default() += 1;
        }
    }
    most_frequent(counts)
}

/// The evidence about destinations, if the connections go to several: the most frequent ones.
fn destinations(remotes: Vec<(SocketAddr, usize)>) -> Option<Evidence> {
    if remotes.len() < 2 {
        return None;
    }
    let others = remotes.len().saturating_sub(NAMES_MAX);
    let listed = remotes.into_iter().take(NAMES_MAX);
    let top = listed.map(|(value, count)| Counted { value, count }).collect();
    Some(Evidence::Destinations { top, others })
}

fn most_frequent<K: Copy + Ord>(counts: BTreeMap<K, usize>) -> Vec<(K, usize)> {
    let mut counts: Vec<(K, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(name, count)| (Reverse(*count), *name));
    counts
}

/// The reader, if it is the same for all connections, else [`Reader::Mixed`].
fn reader(connections: &[Connection]) -> Reader {
    let mut readers = connections.iter().map(|connection| connection.reader);
    let first = readers.next().unwrap_or_default();
    if readers.all(|reader| reader == first) { first } else { Reader::Mixed }
}

/// The request, if it is the same for all connections with a known one.
fn request(connections: &[Connection]) -> Option<String> {
    let mut requests = connections.iter().filter_map(|connection| connection.request.as_ref());
    let first = requests.next()?;
    requests.all(|request| request == first).then(|| first.clone())
}

/// A connection of the report.
pub(crate) fn connection(view: &ConnectionView<'_>) -> Connection {
    let (tracked, facts) = (view.tracked, view.facts);
    let mut owners = facts.owners.to_vec();
    owners.sort();
    if let Some(owning) = tracked.owner()
        && let Some(position) = owners.iter().position(|owner| owner == owning)
    {
        owners[..=position].rotate_right(1);
    }
    let held = rules::leaked(view).filter_map(|response| response.stream);
    Connection {
        id: tracked.id,
        owners,
        inode: facts.inode,
        netns: facts.netns,
        direction: view.direction,
        state: facts.state,
        local: facts.local,
        remote: facts.remote,
        age_ms: view.now.ms_since(tracked.opened_at),
        age_is_lower_bound: tracked.origin == Origin::Seeded,
        idle_ms: view.idle_ms(),
        peer_closed: tracked.peer_closed,
        died: tracked.died,
        unread_bytes: facts.unread_bytes,
        unsent_bytes: facts.unsent_bytes,
        rx_bytes: facts.rx_bytes,
        tx_bytes: facts.tx_bytes,
        reader: view.reader(),
        responses: rules::leaked(view).count(),
        held_bytes: held.map(|stream| stream.held_bytes).fold(0, u64::saturating_add),
        call_site: view.call_site().map(ToOwned::to_owned),
        call_site_reason: view.call_site_reason().cloned(),
        request: view.awaits_body().then(|| view.http()?.request.clone()).flatten(),
        origin: tracked.origin,
    }
}
