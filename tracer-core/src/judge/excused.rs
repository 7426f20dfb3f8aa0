//! Which connections cannot be held against their process, count for count, and what that leaves of
//! an assessment. `rules` documents the principle.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

use super::{Groups, Judged};
use crate::{
    Caveat, Confidence, ConnectionId, CountOf, Evidence, Interval, ProcessKey, TcpState, Timestamp,
    connection_view::ConnectionView,
    excuse::Excuse,
    group::GroupKey,
    history::History,
    rules::{self, Assessment, growing},
    stops::Stop,
    waits::{self, BACKLOG_BYTES},
};

/// A forwarder that receives a FIN sends one on within this time.
const FORWARDING_MAX_MS: u64 = 2_000;

/// The peers that a process may be waiting for.
#[derive(Debug, Default)]
pub(super) struct WaitedFor {
    /// Connections whose peers took less than the process wrote within `--idle`.
    slow: Vec<ConnectionId>,
    /// Connections whose peers were sent a FIN and have not sent theirs, and when it was sent.
    half_closed: Vec<(Interval, ConnectionId)>,
    /// Connections that are not read at the moment and that no rule claims, and when they were last
    /// used: the ones that slow peers hold up first of all.
    held_up: Vec<(Timestamp, ConnectionId)>,
}

impl WaitedFor {
    /// Takes in a connection of the process.
    pub(super) fn note(&mut self, view: &ConnectionView<'_>, is_claimed: bool) {
        let id = view.tracked.id;
        if let Some(waits) = &view.tracked.waits {
            let is_recent = |at: Timestamp| view.now.ms_since(at) <= view.options.idle_ms;
            if waits.slow_at.is_some_and(is_recent) {
                self.slow.push(id);
            }
            let fin_sent = waits.fin_sent.filter(|_| waits::is_half_closed(view.facts));
            self.half_closed.extend(fin_sent.map(|fin_sent| (fin_sent, id)));
        }
        let unread_ms = view.now.ms_since(view.tracked.unread_since);
        let is_held_up = view.facts.unread_bytes >= BACKLOG_BYTES
            && unread_ms >= view.options.gap_ms()
            && !is_claimed;
        if is_held_up {
            self.held_up.push((view.last_used_at(), id));
        }
    }

    const fn is_nobody(&self) -> bool {
        self.slow.is_empty() && self.half_closed.is_empty()
    }

    /// The connections that these peers excuse, of those of the process that are `accused`.
    fn excused(
        &self,
        accused: &[ConnectionView<'_>],
        excuses: &mut BTreeMap<ConnectionId, Excuse>,
    ) {
        let matched = self.closed_behind_half_closed(accused);
        let waiting: BTreeSet<ConnectionId> = matched.values().copied().collect();
        excuses.extend(matched.keys().map(|id| (*id, Excuse::HalfClosedPeer)));
        let slow: Vec<ConnectionId> =
            self.slow.iter().filter(|id| !waiting.contains(id)).copied().collect();
        self.spend(&slow, accused, holds_data, Excuse::SlowPeer, excuses);
        let half_closed: Vec<ConnectionId> = self
            .half_closed
            .iter()
            .map(|(_, id)| *id)
            .filter(|id| !waiting.contains(id) && !self.slow.contains(id))
            .collect();
        self.spend(&half_closed, accused, is_confirmed, Excuse::HalfClosedPeer, excuses);
    }

    /// Each of `peers` excuses one connection that is `excusable`, or one response where a connection
    /// has several, the most recently used first.
    fn spend(
        &self,
        peers: &[ConnectionId],
        accused: &[ConnectionView<'_>],
        excusable: fn(&ConnectionView<'_>) -> bool,
        excuse: Excuse,
        excuses: &mut BTreeMap<ConnectionId, Excuse>,
    ) {
        if peers.is_empty() {
            return;
        }
        let accused = accused
            .iter()
            .filter(|view| excusable(view) && !excuses.contains_key(&view.tracked.id))
            .map(|view| {
                let responses = rules::leaked(view).count().max(1);
                (!is_much(view), Reverse(view.last_used_at()), view.tracked.id, responses, true)
            });
        let held_up = self.held_up.iter().filter(|_| excuse == Excuse::SlowPeer);
        let held_up = held_up.map(|(used_at, id)| (false, Reverse(*used_at), *id, 1, false));
        let mut queue: Vec<_> = accused.chain(held_up).collect();
        queue.sort_unstable();
        let mut left = peers.len();
        for (.., id, responses, is_accused) in queue {
            // Among several, one connection can wait for the peer of the other.
            let is_itself = peers == [id];
            if responses <= left && !is_itself {
                left -= responses;
                excuses.extend(is_accused.then_some((id, excuse)));
            }
        }
    }

    /// The connections that the peer closed, each with the half-closed one that the process sent the
    /// FIN on to: as many pairs as possible of those whose FINs may be at most two seconds apart.
    fn closed_behind_half_closed(
        &self,
        accused: &[ConnectionView<'_>],
    ) -> BTreeMap<ConnectionId, ConnectionId> {
        let mut fins: Vec<Fin> = Vec::new();
        for (at, id) in &self.half_closed {
            let earliest = at.earliest.before_ms(FORWARDING_MAX_MS);
            let latest = at.latest.after_ms(FORWARDING_MAX_MS);
            fins.push(Fin { latest, earliest, id: *id, is_sent: true });
        }
        let is_closed = |view: &&ConnectionView<'_>| {
            matches!(view.facts.state, TcpState::CloseWait | TcpState::Closed) && !view.was_likely()
        };
        for view in accused.iter().filter(is_closed) {
            if let Some(Interval { earliest, latest }) = view.tracked.peer_closed {
                fins.push(Fin { latest, earliest, id: view.tracked.id, is_sent: false });
            }
        }
        pair(fins)
    }
}

/// When a FIN was sent or received. Ordered by its latest time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Fin {
    latest: Timestamp,
    earliest: Timestamp,
    id: ConnectionId,
    is_sent: bool,
}

/// Pairs received FINs with sent ones whose intervals overlap. Whichever ends first takes the partner
/// that ends first, which leaves the most for the others.
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

/// It was not surer than *possible* before, and has unread data or a response that waits to be read.
fn holds_data(view: &ConnectionView<'_>) -> bool {
    let has_data =
        view.facts.unread_bytes > 0 || view.awaits_body() || rules::leaked(view).next().is_some();
    has_data && !view.was_likely()
}

/// It was not surer than *possible* before, and has a response that no goroutine is known to need.
fn is_confirmed(view: &ConnectionView<'_>) -> bool {
    (view.is_confirmed() || view.is_unsearched()) && !view.was_likely()
}

/// Its unread data is more than a TLS session ticket, or nothing of it was read.
fn is_much(view: &ConnectionView<'_>) -> bool {
    let facts = view.facts;
    facts.unread_bytes > view.options.unread_min_bytes
        || facts.unread_bytes == facts.rx_bytes
        || view.awaits_body()
        || rules::leaked(view).next().is_some()
}

/// Sets why connections cannot be held against their process.
pub(super) fn excuse(groups: &mut Groups<'_>, waited_for: &BTreeMap<ProcessKey, WaitedFor>) {
    let mut accused: BTreeMap<ProcessKey, Vec<ConnectionView<'_>>> = BTreeMap::new();
    for (group, members) in &*groups {
        if waited_for.get(&group.process).is_some_and(|peers| !peers.is_nobody()) {
            let of_process = accused.entry(group.process).or_default();
            of_process.extend(members.iter().filter(|view| rules::is_accused(view)));
        }
    }
    let mut excuses = BTreeMap::new();
    for (process, accused) in accused {
        if let Some(peers) = waited_for.get(&process) {
            peers.excused(&accused, &mut excuses);
        }
    }
    for view in groups.values_mut().flatten() {
        let waits = || excuses.get(&view.tracked.id).copied();
        let stopped = view.process.stop.map(|_| Excuse::Stopped);
        // Who reads a stream of HTTP/2 is in the process's memory, not in its file descriptors.
        let is_answered = view.was_asked() || view.is_multiplexed();
        let not_inspected = (!is_answered).then_some(Excuse::NotInspected);
        view.excuse = stopped.or_else(waits).or(not_inspected);
    }
}

/// How many connections are excused by half-closed ones, and when the oldest was opened, by group.
pub(crate) fn behind_half_closed(judged: &[Judged<'_>]) -> BTreeMap<GroupKey, (usize, Timestamp)> {
    let mut counts: BTreeMap<GroupKey, (usize, Timestamp)> = BTreeMap::new();
    for judged in judged {
        for view in judged.members.iter().filter(|it| it.excuse == Some(Excuse::HalfClosedPeer)) {
            let opened_at = view.tracked.opened_at;
            let (count, oldest) = counts.entry(judged.group).or_insert((0, opened_at));
            (*count, *oldest) = (*count + 1, opened_at.min(*oldest));
        }
    }
    counts
}

/// The number of connections that half-closed ones excuse only rises, as that of tunnels does of
/// which one end never closes.
fn rising(history: &History) -> Option<Evidence> {
    let Evidence::CountRose { windows, from, to } = growing::evidence(history)? else {
        return None;
    };
    Some(Evidence::HalfOpenRose { windows, from, to })
}

/// Limits what a rule about the process made of these connections, and adds why.
/// `half_closed_before` is how many of the group half-closed ones excused so far, and `alive_max` how
/// many of it were alive at one time.
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
    let excused = |excuse| -> usize {
        let is_such = |view: &&ConnectionView<'_>| view.excuse == Some(excuse) && view.is_excused();
        let responses = |view: &ConnectionView<'_>| rules::leaked(view).count().max(1);
        members.iter().filter(is_such).map(responses).sum()
    };
    let (slow, half_closed): (usize, usize) =
        (excused(Excuse::SlowPeer), excused(Excuse::HalfClosedPeer));
    let caveats = &mut assessment.facts.caveats;
    if slow > 0 {
        caveats.push(Caveat::SendBlocked { connections: slow });
    }
    if half_closed > 0 {
        caveats.push(Caveat::HalfClosedPeers { connections: half_closed });
        assessment.facts.evidence.extend(half_closed_before.and_then(rising));
    }
    if excused(Excuse::Pool) > 0 {
        caveats.push(Caveat::CleanedUp { alive_max });
    }
    if let Some(stop) = members.iter().find_map(|view| view.process.stop) {
        caveats.push(match stop {
            Stop::Stopped => Caveat::ProcessStopped,
            Stop::Resumed { ago_ms } => Caveat::ProcessResumed { ago_ms },
        });
    }
    let is_uninspected = |view: &&ConnectionView<'_>| view.excuse == Some(Excuse::NotInspected);
    let count = members.iter().filter(is_uninspected).count();
    if is_lowered && count > 0 {
        caveats.push(Caveat::NotInspected(CountOf { count, total: members.len() }));
    }
}
