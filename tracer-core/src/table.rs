//! The open sockets, reconciled from events and snapshots.

use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use foldhash::fast::FixedState;
use indexmap::{IndexMap, map::Entry};

use crate::{
    ConnectionId, Direction, Event, EventKind, Interval, Origin, ProcessKey, Snapshot, TcpState,
    Timestamp,
    tracked::{OpeningCall, Tracked},
};

/// Ports below this are not ephemeral by default (`net.ipv4.ip_local_port_range`).
const EPHEMERAL_PORT_MIN: u16 = 32_768;

/// The connection table. Bounded.
#[derive(Debug)]
pub(crate) struct Table {
    /// In order of arrival until one is removed: deterministic for equal inputs, and close to the
    /// order in memory. Boxed, so that they do not move when the table grows. The hash needs no
    /// secret, because the kernel assigns cookies in sequence; a forged recording can only make its
    /// replay slow.
    connections: IndexMap<ConnectionId, Box<Tracked>, FixedState>,
    connections_max: usize,
    /// The number of connections that did not fit since the latest snapshot began.
    pub(crate) full: u64,
    /// Number of the latest snapshot.
    snapshot: u64,
    /// When it began.
    snapshot_at: Option<Timestamp>,
    /// Whether some connection has changed; reset by [`Detector::take_changed`].
    ///
    /// [`Detector::take_changed`]: crate::Detector::take_changed
    pub(crate) changed: bool,
    /// Network namespace and port of every listener in the latest snapshot.
    listeners: BTreeSet<(u32, u16)>,
    /// Whether some event had a stack, so that this run records stacks.
    has_stacks: bool,
}

/// The number of open connections that lack a fact because of a loss, as far as known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FactsLost {
    /// Their age is a lower bound, because the event of their opening is missing.
    pub(crate) ages: u64,
    /// Their opener is known from snapshots only.
    pub(crate) openers: u64,
    /// They have no stack in a run that records stacks.
    pub(crate) call_sites: u64,
}

/// A reason to retract a connection's verdict.
#[derive(Debug)]
pub(crate) enum Departure {
    /// It was closed and removed from the table.
    Closed(Box<Tracked>),
    /// It was used again.
    Used(ConnectionId),
}

impl Table {
    pub(crate) const fn new(connections_max: usize) -> Self {
        Self {
            connections: IndexMap::with_hasher(FixedState::with_seed(0)),
            connections_max,
            full: 0,
            snapshot: 0,
            snapshot_at: None,
            changed: false,
            listeners: BTreeSet::new(),
            has_stacks: false,
        }
    }

    /// The connections in the latest snapshot, without listeners and unconnected sockets.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Tracked> {
        self.connections.values().map(AsRef::as_ref).filter(|tracked: &&Tracked| {
            tracked.snapshot == self.snapshot
                && self.snapshot > 0
                && tracked.facts.as_ref().is_some_and(|facts| {
                    facts.state != TcpState::Listen && facts.remote.port() != 0
                })
        })
    }

    /// All connections that may be open.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Tracked> {
        self.connections.values().map(AsRef::as_ref)
    }

    /// What the loss of events, and of stacks if `has_lost_stacks`, means for the open connections.
    pub(crate) fn facts_lost(&self, has_lost_stacks: bool) -> FactsLost {
        let mut lost = FactsLost::default();
        for tracked in self.open() {
            let has_no_call = tracked.call == OpeningCall::Lost;
            let has_no_stack = tracked.opener.is_some() && tracked.stack.is_none();
            lost.ages += u64::from(has_no_call && tracked.origin == Origin::Seeded);
            lost.openers += u64::from(has_no_call);
            let has_no_line = (has_no_call && self.has_stacks) || (has_no_stack && has_lost_stacks);
            lost.call_sites += u64::from(has_no_line);
        }
        lost
    }

    /// Whether a connection with a verdict is absent from the latest snapshot and not known to be
    /// closed.
    pub(crate) fn is_undecided(&self) -> bool {
        self.connections
            .values()
            .any(|tracked| tracked.flag().is_some() && tracked.snapshots_missed > 0)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Tracked> {
        self.connections.get(&id).map(AsRef::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Tracked> {
        self.connections.get_mut(&id).map(AsMut::as_mut)
    }

    /// Which side opened a connection: from an event or from sequence numbers; otherwise guessed
    /// from the listeners, and failing that from the ports, because a service usually has the lower
    /// one.
    pub(crate) fn direction(&self, tracked: &Tracked) -> Direction {
        tracked.direction.unwrap_or_else(|| {
            let Some(facts) = &tracked.facts else { return Direction::Outbound };
            let listening = self.listeners.contains(&(facts.netns, facts.local.port()));
            let looks_like_service =
                facts.local.port() < EPHEMERAL_PORT_MIN && facts.local.port() < facts.remote.port();
            if listening || looks_like_service { Direction::Inbound } else { Direction::Outbound }
        })
    }

    pub(crate) fn handle_event(&mut self, event: &Event) -> Option<Departure> {
        self.changed = true;
        if let EventKind::Connected(Some(actor)) | EventKind::Accepted(Some(actor)) = &event.kind {
            self.has_stacks |= actor.stack.is_some();
        }
        match &event.kind {
            EventKind::Connected(actor) => {
                let known = self.connections.contains_key(&event.id);
                if let Some(tracked) = self.entry(event) {
                    tracked.reconnect(event.at);
                    tracked.set_opener(actor.as_ref());
                }
                return known.then_some(Departure::Used(event.id));
            }
            EventKind::Accepted(actor) => {
                if let Some(tracked) = self.entry(event) {
                    tracked.direction = Some(Direction::Inbound);
                    tracked.set_opener(actor.as_ref());
                }
            }
            EventKind::StateChanged { from, to: TcpState::Established } => {
                if let Some(tracked) = self.entry(event)
                    && tracked.direction.is_none()
                {
                    tracked.opened_at = event.at;
                    tracked.direction = Some(match from {
                        TcpState::SynSent => Direction::Outbound,
                        _ => Direction::Inbound,
                    });
                }
            }
            EventKind::StateChanged { to: TcpState::CloseWait, .. } => {
                if let Some(tracked) = self.connections.get_mut(&event.id) {
                    tracked.peer_closed = Some(Interval::exact(event.at));
                }
            }
            EventKind::StateChanged { to: TcpState::Closed, .. } => {
                if let Some(tracked) = self.connections.get_mut(&event.id) {
                    tracked.died = Some(Interval::exact(event.at));
                }
            }
            EventKind::StateChanged { .. } => {}
            EventKind::Destroyed => {
                return self.connections.swap_remove(&event.id).map(Departure::Closed);
            }
        }
        None
    }

    /// The entry of a connection whose opening an event reports, created if it does not exist. If a
    /// snapshot showed it before the event arrived, the entry becomes a traced one.
    fn entry(&mut self, event: &Event) -> Option<&mut Tracked> {
        if !self.connections.contains_key(&event.id) {
            if self.connections.len() >= self.connections_max {
                self.full = self.full.saturating_add(1);
                return None;
            }
            self.connections.insert(event.id, Box::new(Tracked::opened(event.id, event.at)));
        }
        let tracked = self.connections.get_mut(&event.id)?;
        if tracked.origin == Origin::Seeded {
            tracked.origin = Origin::Traced;
            tracked.opened_at = tracked.opened_at.min(event.at);
        }
        Some(tracked)
    }

    /// Reconciles the table with a snapshot. `has_lost`: events were lost since the snapshot
    /// before. A socket that no file descriptor refers to may be in flight between processes
    /// (`SCM_RIGHTS`), so only its second absence is a close. `started_at` gives the start time of
    /// a process.
    pub(crate) fn reconcile(
        &mut self,
        snapshot: Snapshot,
        has_lost: bool,
        started_at: impl Fn(ProcessKey) -> Timestamp,
    ) -> Vec<Departure> {
        self.snapshot += 1;
        let snapshot_at = snapshot.started_at;
        let previous_at = self.snapshot_at.replace(snapshot_at);
        self.full = 0;
        self.listeners = snapshot.listeners;
        let mut departures = Vec::new();
        for facts in snapshot.sockets {
            let id = facts.id;
            let is_full = self.connections.len() >= self.connections_max;
            let tracked = match self.connections.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(_) if is_full => {
                    self.full = self.full.saturating_add(1);
                    continue;
                }
                Entry::Vacant(place) => {
                    let found = Tracked::found_open(&facts, snapshot_at, previous_at);
                    place.insert(Box::new(found))
                }
            };
            let before = tracked.facts.as_deref();
            self.changed |= before.is_none_or(|before| facts.has_changed_since(before));
            if let Some(previous_at) = previous_at {
                tracked.update_passed_to(&facts, previous_at, &started_at);
            }
            // Events that are lost while a snapshot is being taken are counted after it.
            let predates = tracked.origin == Origin::Seeded && tracked.absent_at.is_none();
            let is_new = tracked.snapshots_seen <= 1 && !predates;
            if has_lost && is_new && tracked.call == OpeningCall::NotSeen {
                tracked.call = OpeningCall::Lost;
            }
            if tracked.update(facts, snapshot_at, self.snapshot) {
                departures.push(Departure::Used(id));
            }
        }
        self.drop_absent(snapshot_at, &mut departures);
        departures
    }

    fn drop_absent(&mut self, snapshot_at: Timestamp, departures: &mut Vec<Departure>) {
        let current = self.snapshot;
        for tracked in self.connections.values_mut() {
            if tracked.snapshot != current && tracked.known_since < snapshot_at {
                tracked.snapshots_missed = tracked.snapshots_missed.saturating_add(1);
                self.changed = true;
            }
        }
        let gone = self.connections.extract_if(.., |_, tracked| tracked.snapshots_missed >= 2);
        departures.extend(gone.map(|(_, tracked)| Departure::Closed(tracked)));
        // Release the memory that a burst of connections used.
        if self.connections.len() < self.connections.capacity() / 4 {
            self.connections.shrink_to(self.connections.len() * 2);
        }
    }
}
