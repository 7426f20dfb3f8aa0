//! The open sockets, reconciled from events and snapshots.

use alloc::{boxed::Box, collections::BTreeSet, sync::Arc, vec::Vec};

use foldhash::fast::FixedState;
use indexmap::{IndexMap, map};

use crate::{
    ConnectionId, Direction, Event, EventKind, Interval, Origin, ProcessKey, Snapshot, SocketFacts,
    TcpState, Timestamp,
    process_index::{ProcessIndex, ProcessNumber, ProcessSet},
    tracked::{OpeningCall, Tracked},
};

/// Ports below this are not ephemeral by default (`net.ipv4.ip_local_port_range`).
const EPHEMERAL_PORT_MIN: u16 = 32_768;

/// The connection table. The number of its entries is limited.
#[derive(Debug)]
pub(crate) struct Table {
    /// In order of arrival until one is removed: deterministic for equal inputs, and close to the
    /// order in memory. The hash needs no secret, because the kernel assigns cookies in sequence; a
    /// forged recording can only be slow to replay.
    connections: IndexMap<ConnectionId, Entry, FixedState>,
    /// The processes that own connections.
    pub(crate) processes: ProcessIndex,
    connections_max: usize,
    /// The number of connections that did not fit since the latest snapshot began.
    pub(crate) full: u64,
    /// Number of the latest snapshot.
    snapshot: u64,
    /// When the latest snapshot began.
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

/// A connection, and the fields that loops over all connections read first.
#[derive(Debug)]
struct Entry {
    /// The owning process. `None` before a snapshot has shown the connection, and for sockets that
    /// are not connections: listeners and unconnected sockets.
    process: Option<ProcessNumber>,
    /// The number of the latest snapshot that showed the connection, as in [`Tracked::snapshot`].
    snapshot: u64,
    /// The full state. Boxed, so that growth of the table does not move it.
    tracked: Box<Tracked>,
}

/// How many open connections are known to lack a fact because of a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FactsLost {
    /// The number of connections whose age is a lower bound, because the event of their opening is
    /// missing.
    pub(crate) ages: u64,
    /// The number of connections whose opener is known from snapshots only.
    pub(crate) openers: u64,
    /// The number of connections without a stack in a run that records stacks.
    pub(crate) call_sites: u64,
}

/// A reason to retract a connection's verdict.
#[derive(Debug)]
pub(crate) enum Retraction {
    /// The connection was closed and removed from the table.
    Closed(Box<Tracked>),
    /// The connection was used again.
    Used(ConnectionId),
}

impl Table {
    pub(crate) const fn new(connections_max: usize) -> Self {
        Self {
            connections: IndexMap::with_hasher(FixedState::with_seed(0)),
            processes: ProcessIndex::new(),
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
        self.open_entries().map(|(_, tracked)| tracked)
    }

    /// The [`open`](Self::open) connections of these processes.
    pub(crate) fn open_of(&self, processes: &ProcessSet) -> impl Iterator<Item = &Tracked> {
        let entries = self.open_entries().take(if processes.is_empty() { 0 } else { usize::MAX });
        entries.filter(|(process, _)| processes.contains(*process)).map(|(_, tracked)| tracked)
    }

    fn open_entries(&self) -> impl Iterator<Item = (ProcessNumber, &Tracked)> {
        let entries = self.connections.values().filter(|entry| entry.snapshot == self.snapshot);
        entries.filter_map(|entry| Some((entry.process?, &*entry.tracked)))
    }

    /// The connection, if it is in the latest snapshot.
    pub(crate) fn get_open(&self, id: ConnectionId) -> Option<&Tracked> {
        let entry = self.connections.get(&id)?;
        (entry.snapshot == self.snapshot && entry.process.is_some()).then_some(&*entry.tracked)
    }

    /// All connections that may be open.
    pub(crate) fn connections(&self) -> impl Iterator<Item = &Tracked> {
        self.connections.values().map(|entry| &*entry.tracked)
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
        self.connections().any(|tracked| tracked.flag().is_some() && tracked.snapshots_missed > 0)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Tracked> {
        self.connections.get(&id).map(|entry| &*entry.tracked)
    }

    /// Forgets which connections are unchanged, so that all are evaluated again.
    #[cfg(test)]
    pub(crate) fn forget_what_is_unchanged(&mut self) {
        self.processes.touch_all();
        for entry in self.connections.values_mut() {
            entry.tracked.repetition = crate::repetition::Repetition::SaysMore;
        }
    }

    /// Changes a connection in a way that may affect the judgment of its process.
    pub(crate) fn change(&mut self, id: ConnectionId, change: impl FnOnce(&mut Tracked)) {
        if let Some(entry) = self.connections.get_mut(&id) {
            change(&mut entry.tracked);
            entry.settle(&mut self.processes);
        }
    }

    /// Sets [`Tracked::alive_max_since`]. The connection does not count as changed, because this
    /// matters only when it is judged for another reason.
    pub(crate) fn set_alive_max_since(&mut self, id: ConnectionId, alive_max_since: usize) {
        if let Some(entry) = self.connections.get_mut(&id) {
            entry.tracked.alive_max_since = alive_max_since;
        }
    }

    /// Sets [`Tracked::is_replacement`].
    pub(crate) fn set_replacement(&mut self, id: ConnectionId) {
        self.change(id, |tracked| tracked.is_replacement = true);
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

    pub(crate) fn handle_event(&mut self, event: &Event) -> Option<Retraction> {
        self.changed = true;
        if let EventKind::Connected(Some(actor)) | EventKind::Accepted(Some(actor)) = &event.kind {
            self.has_stacks |= actor.stack.is_some();
        }
        match &event.kind {
            EventKind::Connected(actor) => {
                let known = self.connections.contains_key(&event.id);
                self.change_opening(event, |tracked| {
                    tracked.reconnect(event.at);
                    tracked.set_opener(actor.as_ref());
                });
                return known.then_some(Retraction::Used(event.id));
            }
            EventKind::Accepted(actor) => {
                self.change_opening(event, |tracked| {
                    tracked.direction = Some(Direction::Inbound);
                    tracked.set_opener(actor.as_ref());
                });
            }
            EventKind::StateChanged { from, to: TcpState::Established } => {
                self.change_opening(event, |tracked| {
                    if tracked.direction.is_none() {
                        tracked.opened_at = event.at;
                        tracked.direction = Some(match from {
                            TcpState::SynSent => Direction::Outbound,
                            _ => Direction::Inbound,
                        });
                    }
                });
            }
            EventKind::StateChanged { to: TcpState::CloseWait, .. } => {
                let closed = Interval::exact(event.at);
                self.change(event.id, |tracked| tracked.peer_closed = Some(closed));
            }
            EventKind::StateChanged { to: TcpState::Closed, .. } => {
                let died = Interval::exact(event.at);
                self.change(event.id, |tracked| tracked.died = Some(died));
            }
            EventKind::StateChanged { .. } => {}
            EventKind::Destroyed => {
                let entry = self.connections.swap_remove(&event.id);
                return entry.map(|entry| Retraction::Closed(entry.leave(&mut self.processes)));
            }
        }
        None
    }

    /// Changes the entry of a connection whose opening an event reports. The entry is created if it
    /// does not exist. If a snapshot showed the connection before the event arrived, the entry
    /// becomes a traced one.
    fn change_opening(&mut self, event: &Event, change: impl FnOnce(&mut Tracked)) {
        let is_full = self.connections.len() >= self.connections_max;
        let entry = match self.connections.entry(event.id) {
            map::Entry::Occupied(known) => known.into_mut(),
            map::Entry::Vacant(_) if is_full => {
                self.full = self.full.saturating_add(1);
                return;
            }
            map::Entry::Vacant(place) => {
                place.insert(Entry::new(Tracked::opened(event.id, event.at)))
            }
        };
        let tracked = &mut entry.tracked;
        if tracked.origin == Origin::Seeded {
            tracked.origin = Origin::Traced;
            tracked.opened_at = tracked.opened_at.min(event.at);
        }
        change(tracked);
        entry.settle(&mut self.processes);
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
    ) -> Vec<Retraction> {
        self.snapshot += 1;
        let snapshot_at = snapshot.started_at;
        let previous_at = self.snapshot_at.replace(snapshot_at);
        self.full = 0;
        self.set_listeners(snapshot.listeners);
        let mut retractions = Vec::new();
        for facts in snapshot.sockets {
            let id = facts.id;
            let is_full = self.connections.len() >= self.connections_max;
            let entry = match self.connections.entry(id) {
                map::Entry::Occupied(known) => known.into_mut(),
                map::Entry::Vacant(_) if is_full => {
                    self.full = self.full.saturating_add(1);
                    continue;
                }
                map::Entry::Vacant(place) => {
                    let found = Tracked::found_open(&facts, snapshot_at, previous_at);
                    place.insert(Entry::new(found))
                }
            };
            if entry.see_again(&facts, snapshot_at, self.snapshot) {
                continue;
            }
            let tracked = &mut entry.tracked;
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
                retractions.push(Retraction::Used(id));
            }
            entry.settle(&mut self.processes);
        }
        self.drop_absent(snapshot_at, &mut retractions);
        retractions
    }

    /// Stores the listeners. Directions that are guessed from listeners may change.
    fn set_listeners(&mut self, listeners: BTreeSet<(u32, u16)>) {
        if self.listeners == listeners {
            return;
        }
        self.listeners = listeners;
        for entry in self.connections.values() {
            if let Some(process) = entry.process.filter(|_| entry.tracked.direction.is_none()) {
                self.processes.touch(process);
            }
        }
    }

    fn drop_absent(&mut self, snapshot_at: Timestamp, retractions: &mut Vec<Retraction>) {
        let mut has_gone = false;
        for entry in self.connections.values_mut() {
            if entry.snapshot == self.snapshot {
                continue;
            }
            if let Some(process) = entry.process {
                self.processes.touch(process);
            }
            let tracked = &mut entry.tracked;
            if tracked.known_since < snapshot_at {
                tracked.snapshots_missed = tracked.snapshots_missed.saturating_add(1);
                has_gone |= tracked.snapshots_missed >= 2;
                self.changed = true;
            }
        }
        if has_gone {
            let is_gone = |_: &_, entry: &mut Entry| entry.tracked.snapshots_missed >= 2;
            let gone = self.connections.extract_if(.., is_gone);
            retractions
                .extend(gone.map(|(_, it)| Retraction::Closed(it.leave(&mut self.processes))));
        }
        // Memory that a burst of connections took is released.
        if self.connections.len() < self.connections.capacity() / 4 {
            self.connections.shrink_to(self.connections.len() * 2);
        }
    }
}

impl Entry {
    fn new(tracked: Tracked) -> Self {
        Self { process: None, snapshot: tracked.snapshot, tracked: Box::new(tracked) }
    }

    /// Updates the table if the snapshot shows a socket with the same facts as the previous
    /// snapshot. Returns whether it does.
    fn see_again(&mut self, facts: &Arc<SocketFacts>, at: Timestamp, snapshot: u64) -> bool {
        let was_seen = self.snapshot.checked_add(1) == Some(snapshot);
        if was_seen && self.tracked.see_again(facts, at, snapshot) {
            self.snapshot = snapshot;
            return true;
        }
        false
    }

    /// Updates the index of processes after a change of the connection. To be called after each
    /// change.
    fn settle(&mut self, processes: &mut ProcessIndex) {
        self.snapshot = self.tracked.snapshot;
        // The new process is joined first: it may be the old one, which would lose its number.
        let before = self.process.take();
        self.process = self.tracked.judged_by().and_then(|key| processes.join(key));
        if let Some(before) = before {
            processes.leave(before);
        }
    }

    /// Removes the connection from the table.
    fn leave(self, processes: &mut ProcessIndex) -> Box<Tracked> {
        if let Some(process) = self.process {
            processes.leave(process);
        }
        self.tracked
    }
}
