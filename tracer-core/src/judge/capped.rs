//! Caps the connections whose process may be waiting for other peers, one connection per peer, and
//! limits assessments accordingly. `rules` documents the principle.

use super::{
    Groups, Judged,
    blocked::{Candidate, Data, blocked},
};
use crate::{
    Caveat, Confidence, ConnectionId, CountOf, Evidence, Interval, ProcessKey, TcpState, Timestamp,
    cap_reason::CapReason,
    connection_view::ConnectionView,
    group::GroupKey,
    history::History,
    rules::{self, Assessment, growing},
    stops::Stop,
    waits,
};
use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// A forwarder that receives a FIN forwards it within this time.
const FORWARDING_MAX_MS: u64 = 2_000;

/// The peers that a process may be waiting for.
#[derive(Debug, Default)]
pub(super) struct WaitedFor {
    /// Connections whose peers accepted less than the process wrote within `--idle`, and when the
    /// process last wrote to them.
    slow: Vec<(Timestamp, ConnectionId)>,
    /// Half-closed connections: the peer was sent a FIN and has not sent one. Each with the time at
    /// which that FIN was sent.
    half_closed: Vec<(Interval, ConnectionId)>,
    /// Connections with unread data that no rule claims: slow peers block them as well.
    unclaimed: Vec<Candidate>,
}

impl WaitedFor {
    /// Adds a connection of the process.
    pub(super) fn add(&mut self, view: &ConnectionView<'_>, is_claimed: bool) {
        let id = view.tracked.id;
        if let Some(waits) = &view.tracked.waits {
            let is_recent = |at: Timestamp| view.now.ms_since(at) <= view.options.idle_ms;
            if waits.slow_at.is_some_and(is_recent) {
                let written_at = view.facts.last_sent_at.max(waits.written_at);
                self.slow.push((written_at.unwrap_or(view.tracked.opened_at), id));
            }
            let fin_sent = waits.fin_sent.filter(|_| waits::is_half_closed(view.facts));
            self.half_closed.extend(fin_sent.map(|fin_sent| (fin_sent, id)));
        }
        if view.facts.unread_bytes > 0 && !is_claimed {
            self.unclaimed.push(Candidate {
                id,
                data: Data::Pending,
                untouched_since: untouched_since(view),
                used_at: untouched_since(view),
                responses: 1,
                apart_max_ms: Some(view.suspect_after_ms()),
            });
        }
    }

    const fn is_empty(&self) -> bool {
        self.slow.is_empty() && self.half_closed.is_empty()
    }

    /// Adds the connections that these peers cap to `cap_reasons`, out of the `claimed` ones of the
    /// process.
    fn add_cap_reasons(
        &self,
        claimed: &[ConnectionView<'_>],
        cap_reasons: &mut BTreeMap<ConnectionId, CapReason>,
    ) {
        let matched = self.forwarded_to_half_closed(claimed);
        let waiting: BTreeSet<ConnectionId> = matched.values().copied().collect();
        cap_reasons.extend(matched.keys().map(|id| (*id, CapReason::HalfClosedPeer)));
        let slow = self.slow.iter().filter(|(_, id)| !waiting.contains(id));
        self.assign(slow.copied(), claimed, may_be_blocked, CapReason::SlowPeer, cap_reasons);
        let slow: BTreeSet<ConnectionId> = self.slow.iter().map(|(_, id)| *id).collect();
        let half_closed = self.half_closed.iter().map(|(fin_sent, id)| (fin_sent.latest, *id));
        let left = half_closed.filter(|(_, id)| !waiting.contains(id) && !slow.contains(id));
        self.assign(
            left,
            claimed,
            has_unreferenced_response,
            CapReason::HalfClosedPeer,
            cap_reasons,
        );
    }

    /// Adds to `cap_reasons` one of the `claimed` connections for each of `peers`, to which the process
    /// last wrote at the given time.
    fn assign(
        &self,
        peers: impl Iterator<Item = (Timestamp, ConnectionId)>,
        claimed: &[ConnectionView<'_>],
        may_be_capped: fn(&ConnectionView<'_>) -> bool,
        cap_reason: CapReason,
        cap_reasons: &mut BTreeMap<ConnectionId, CapReason>,
    ) {
        let claimed = claimed
            .iter()
            .filter(|view| may_be_capped(view) && !cap_reasons.contains_key(&view.tracked.id))
            .map(|view| Candidate {
                id: view.tracked.id,
                data: data(view),
                untouched_since: untouched_since(view),
                used_at: view.last_used_at(),
                responses: rules::leaked(view).count().max(1),
                apart_max_ms: None,
            });
        let others = self.unclaimed.iter().filter(|_| cap_reason == CapReason::SlowPeer);
        let candidates: Vec<Candidate> = claimed.chain(others.copied()).collect();
        cap_reasons.extend(blocked(peers, &candidates).into_iter().map(|id| (id, cap_reason)));
    }

    /// The connections that the peer closed, each with the half-closed connection to which the
    /// process forwarded the FIN.
    fn forwarded_to_half_closed(
        &self,
        claimed: &[ConnectionView<'_>],
    ) -> BTreeMap<ConnectionId, ConnectionId> {
        let is_closed = |view: &&ConnectionView<'_>| {
            matches!(view.facts.state, TcpState::CloseWait | TcpState::Closed) && !view.was_likely()
        };
        let closed = claimed.iter().filter(is_closed);
        let received = closed.filter_map(|it| Some((it.tracked.peer_closed?, it.tracked.id)));
        forwarded(&self.half_closed, received)
    }
}

/// The connections on which a FIN was `received`, each with the connection to which the process
/// forwarded the FIN: as many pairs as possible that may be at most two seconds apart.
pub(crate) fn forwarded(
    sent: &[(Interval, ConnectionId)],
    received: impl Iterator<Item = (Interval, ConnectionId)>,
) -> BTreeMap<ConnectionId, ConnectionId> {
    let received = received.map(|(Interval { earliest, latest }, id)| Fin {
        latest,
        earliest,
        id,
        is_sent: false,
    });
    let sent = sent.iter().map(|(at, id)| Fin {
        latest: at.latest.after_ms(FORWARDING_MAX_MS),
        earliest: at.earliest.before_ms(FORWARDING_MAX_MS),
        id: *id,
        is_sent: true,
    });
    pair(sent.chain(received).collect())
}

/// When the unread data of a connection began to wait or, without unread data, when the connection
/// was last used.
fn untouched_since(view: &ConnectionView<'_>) -> Timestamp {
    if view.facts.unread_bytes > 0 { view.tracked.unread_since } else { view.last_used_at() }
}

/// When a FIN was sent or received. Ordered by its latest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fin {
    latest: Timestamp,
    earliest: Timestamp,
    id: ConnectionId,
    is_sent: bool,
}

/// Pairs received FINs with sent ones whose intervals overlap. The one that ends first gets the
/// partner that ends first, which leaves the most for the others.
fn pair(mut fins: Vec<Fin>) -> BTreeMap<ConnectionId, ConnectionId> {
    let mut by_start = fins.clone();
    by_start.sort_unstable_by_key(|fin| (fin.earliest, fin.id));
    let mut starting = by_start.into_iter().peekable();
    fins.sort_unstable();
    let [mut sent, mut received] = [BTreeSet::new(), BTreeSet::new()];
    let mut pairs = BTreeMap::new();
    for fin in fins {
        while let Some(started) = starting.next_if(|started| started.earliest <= fin.latest) {
            let side = if started.is_sent { &mut sent } else { &mut received };
            side.insert(started);
        }
        let (own, others) =
            if fin.is_sent { (&mut sent, &mut received) } else { (&mut received, &mut sent) };
        if own.remove(&fin)
            && let Some(other) = others.pop_first()
        {
            let (received, sent) = if fin.is_sent { (other, fin) } else { (fin, other) };
            pairs.insert(received.id, sent.id);
        }
    }
    pairs
}

fn data(view: &ConnectionView<'_>) -> Data {
    let facts = view.facts;
    let is_closed = matches!(facts.state, TcpState::CloseWait | TcpState::Closed);
    let is_untouched = facts.unread_bytes > 0 && facts.unread_bytes == facts.rx_bytes;
    let has_response = view.awaits_body() || rules::leaked(view).next().is_some();
    if has_response || is_untouched || facts.unread_bytes > view.options.unread_min_bytes {
        Data::Pending
    } else if is_closed {
        Data::Taken
    } else if facts.unread_bytes > 0 {
        Data::Little
    } else {
        Data::None
    }
}

/// Whether the connection was at most *possible* before, and may be waiting for a slow peer to
/// accept its data.
fn may_be_blocked(view: &ConnectionView<'_>) -> bool {
    data(view) != Data::None && !view.was_likely()
}

/// Whether the connection was at most *possible* before, and has a response that no goroutine is
/// known to reference.
fn has_unreferenced_response(view: &ConnectionView<'_>) -> bool {
    (view.is_confirmed() || view.is_scan_incomplete()) && !view.was_likely()
}

/// Sets the cap of each connection.
pub(super) fn cap(groups: &mut Groups<'_>, waited_for: &BTreeMap<ProcessKey, WaitedFor>) {
    let mut claimed: BTreeMap<ProcessKey, Vec<ConnectionView<'_>>> = BTreeMap::new();
    for (group, members) in &*groups {
        if waited_for.get(&group.process).is_some_and(|peers| !peers.is_empty()) {
            let of_process = claimed.entry(group.process).or_default();
            of_process.extend(members.iter().filter(|view| rules::is_cappable(view)));
        }
    }
    let mut cap_reasons = BTreeMap::new();
    for (process, claimed) in claimed {
        if let Some(peers) = waited_for.get(&process) {
            peers.add_cap_reasons(&claimed, &mut cap_reasons);
        }
    }
    for view in groups.values_mut().flatten() {
        let waits = || cap_reasons.get(&view.tracked.id).copied();
        let stopped = view.process.stop.map(|_| CapReason::Stopped);
        let is_request = || rules::close_wait::may_be_answered(view.direction, view.facts);
        let request = || is_request().then_some(CapReason::Request);
        // The reader of an HTTP/2 stream shows in the process's memory, not in its file
        // descriptors.
        let is_answered = view.was_asked() || view.is_multiplexed();
        let not_inspected = (!is_answered).then_some(CapReason::NotInspected);
        view.cap_reason = stopped.or_else(waits).or_else(request).or(not_inspected);
    }
}

/// The number of connections of each group that are capped by half-closed ones, and when the oldest
/// of these connections was opened.
pub(crate) fn behind_half_closed(judged: &[Judged<'_>]) -> BTreeMap<GroupKey, (usize, Timestamp)> {
    let mut counts: BTreeMap<GroupKey, (usize, Timestamp)> = BTreeMap::new();
    for judged in judged {
        for view in
            judged.members.iter().filter(|it| it.cap_reason == Some(CapReason::HalfClosedPeer))
        {
            let opened_at = view.tracked.opened_at;
            let (count, oldest) = counts.entry(judged.group).or_insert((0, opened_at));
            (*count, *oldest) = (*count + 1, opened_at.min(*oldest));
        }
    }
    counts
}

/// The evidence, if the number of connections capped by half-closed ones only rises, as with
/// tunnels whose other end never closes.
fn rising(history: &History) -> Option<Evidence> {
    let Evidence::CountRose { windows, from, to } = growing::evidence(history)? else {
        return None;
    };
    Some(Evidence::HalfClosedRose { windows, from, to })
}

/// Limits the assessment that a rule about the process made, and adds the reason.
/// `half_closed_before` is the history of the number of connections of the group that were capped
/// by half-closed ones, and `alive_max` the largest number of connections of the group that were
/// alive at once.
pub(super) fn limit(
    assessment: &mut Assessment,
    members: &[ConnectionView<'_>],
    half_closed_before: Option<&History>,
    alive_max: usize,
) {
    let ceiling = members.iter().map(ConnectionView::ceiling).min();
    let ceiling = ceiling.unwrap_or(Confidence::Certain);
    let is_lowered = assessment.confidence > ceiling;
    assessment.confidence = assessment.confidence.min(ceiling);
    let capped = |cap_reason| -> usize {
        let is_such =
            |view: &&ConnectionView<'_>| view.cap_reason == Some(cap_reason) && view.is_capped();
        let responses = |view: &ConnectionView<'_>| rules::leaked(view).count().max(1);
        members.iter().filter(is_such).map(responses).sum()
    };
    let (slow, half_closed): (usize, usize) =
        (capped(CapReason::SlowPeer), capped(CapReason::HalfClosedPeer));
    let caveats = &mut assessment.reasons.caveats;
    if slow > 0 {
        caveats.push(Caveat::SendBlocked { connections: slow });
    }
    if half_closed > 0 {
        caveats.push(Caveat::HalfClosedPeers { connections: half_closed });
        assessment.reasons.evidence.extend(half_closed_before.and_then(rising));
    }
    if capped(CapReason::Pool) > 0 {
        caveats.push(Caveat::CleanedUp { alive_max });
    }
    let uncollected = capped(CapReason::Collector);
    if uncollected > 0 {
        caveats.push(Caveat::AwaitsCollection { connections: uncollected });
    }
    if let Some(stop) = members.iter().find_map(|view| view.process.stop) {
        caveats.push(match stop {
            Stop::Stopped => Caveat::ProcessStopped,
            Stop::Resumed { ago_ms } => Caveat::ProcessResumed { ago_ms },
        });
    }
    if slow + half_closed > 0 {
        // Whether this is a leak depends on those peers, so watching the group for longer does not
        // help.
        caveats.retain(|caveat| !caveat.is_about_watching());
    }
    let is_uninspected =
        |view: &&ConnectionView<'_>| view.cap_reason == Some(CapReason::NotInspected);
    let count = members.iter().filter(is_uninspected).count();
    if is_lowered && count > 0 {
        caveats.push(Caveat::NotInspected(CountOf { count, total: members.len() }));
    }
}
