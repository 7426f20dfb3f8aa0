use alloc::{boxed::Box, collections::BTreeSet, vec::Vec};

use foldhash::fast::FixedState;
use indexmap::{IndexMap, map::Entry};

use crate::{
    ConnectionId, Direction, Event, Happening, Interval, Origin, ProcessKey, Snapshot, TcpState,
    Timestamp, tracked::Tracked,
};

/// The open sockets, as events and snapshots together tell it. Bounded.
#[derive(Debug)]
pub(crate) struct Table {
    /// In the order in which they came, as far as none has gone: the same for the same inputs, and
    /// that of the memory they are in. Boxed, so that the list can grow without moving them. The
    /// hash needs no secret, for the kernel hands out cookies in turn; a recording that was made up
    /// can be slow to replay.
    connections: IndexMap<ConnectionId, Box<Tracked>, FixedState>,
    connections_max: usize,
    /// Connections that did not fit since the latest snapshot began.
    pub(crate) full: u64,
    /// Number of the latest snapshot.
    snapshot: u64,
    /// When it began.
    looked_at: Option<Timestamp>,
    /// Something has happened to some connection: taken by [`Detector::take_stir`].
    ///
    /// [`Detector::take_stir`]: crate::Detector::take_stir
    pub(crate) stirred: bool,
    /// Network namespace and port of every listener in the latest snapshot.
    listeners: BTreeSet<(u32, u16)>,
}

/// A connection that is not what it was, for the detector to take back its verdict.
#[derive(Debug)]
pub(crate) enum Departure {
    /// It is closed and out of the table.
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
            looked_at: None,
            stirred: false,
            listeners: BTreeSet::new(),
        }
    }

    /// The connections that the latest snapshot showed, listeners and unconnected ones left out.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Tracked> {
        self.connections.values().map(AsRef::as_ref).filter(|tracked: &&Tracked| {
            tracked.snapshot == self.snapshot
                && self.snapshot > 0
                && tracked.facts.as_ref().is_some_and(|facts| {
                    facts.state != TcpState::Listen && facts.remote.port() != 0
                })
        })
    }

    /// Some connection with a verdict was absent from the latest snapshot.
    pub(crate) fn is_undecided(&self) -> bool {
        self.connections.values().any(|tracked| tracked.flag().is_some() && tracked.missed > 0)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Tracked> {
        self.connections.get(&id).map(AsRef::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut Tracked> {
        self.connections.get_mut(&id).map(AsMut::as_mut)
    }

    /// Who opened a connection: what an event or the sequence numbers proved, else a guess from
    /// the listeners and then the ports, as the lower one is usually the service's.
    pub(crate) fn direction(&self, tracked: &Tracked) -> Direction {
        tracked.direction.unwrap_or_else(|| {
            let Some(facts) = &tracked.facts else { return Direction::Outbound };
            let listening = self.listeners.contains(&(facts.netns, facts.local.port()));
            let looks_like_service =
                facts.local.port() < 32_768 && facts.local.port() < facts.remote.port();
            if listening || looks_like_service { Direction::Inbound } else { Direction::Outbound }
        })
    }

    pub(crate) fn handle_event(&mut self, event: &Event) -> Option<Departure> {
        self.stirred = true;
        match &event.happening {
            Happening::Connected(actor) => {
                let known = self.connections.contains_key(&event.id);
                if let Some(tracked) = self.born(event) {
                    tracked.reconnect(event.at);
                    tracked.opened_by(actor.as_ref());
                }
                return known.then_some(Departure::Used(event.id));
            }
            Happening::Accepted(actor) => {
                if let Some(tracked) = self.born(event) {
                    tracked.direction = Some(Direction::Inbound);
                    tracked.opened_by(actor.as_ref());
                }
            }
            Happening::Entered { from, to: TcpState::Established } => {
                if let Some(tracked) = self.born(event)
                    && tracked.direction.is_none()
                {
                    tracked.opened_at = event.at;
                    tracked.direction = Some(match from {
                        TcpState::SynSent => Direction::Outbound,
                        _ => Direction::Inbound,
                    });
                }
            }
            Happening::Entered { to: TcpState::CloseWait, .. } => {
                if let Some(tracked) = self.connections.get_mut(&event.id) {
                    tracked.peer_closed = Some(Interval::exact(event.at));
                }
            }
            Happening::Entered { to: TcpState::Closed, .. } => {
                if let Some(tracked) = self.connections.get_mut(&event.id) {
                    tracked.died = Some(Interval::exact(event.at));
                }
            }
            Happening::Entered { .. } => {}
            Happening::Destroyed => {
                return self.connections.swap_remove(&event.id).map(Departure::Closed);
            }
        }
        None
    }

    /// The entry of a connection whose opening an event tells, made if it is not there. If a
    /// snapshot was faster than the event, the entry is no longer a seeded one.
    fn born(&mut self, event: &Event) -> Option<&mut Tracked> {
        if !self.connections.contains_key(&event.id) {
            if self.connections.len() >= self.connections_max {
                self.full += 1;
                return None;
            }
            self.connections.insert(event.id, Box::new(Tracked::born(event.id, event.at)));
        }
        let tracked = self.connections.get_mut(&event.id)?;
        if tracked.origin == Origin::Seeded {
            tracked.origin = Origin::Traced;
            tracked.opened_at = tracked.opened_at.min(event.at);
        }
        Some(tracked)
    }

    /// Makes the table equal to what the snapshot shows. A socket that is in no descriptor table
    /// may be in flight between processes, so only the second absence is a close. `began` says when
    /// a process did.
    pub(crate) fn reconcile(
        &mut self,
        snapshot: Snapshot,
        began: impl Fn(ProcessKey) -> Timestamp,
    ) -> Vec<Departure> {
        self.snapshot += 1;
        let started_at = snapshot.started_at;
        let looked_before = self.looked_at.replace(started_at);
        self.full = 0;
        self.listeners = snapshot.listeners;
        let mut departures = Vec::new();
        for facts in snapshot.sockets {
            let id = facts.id;
            let is_full = self.connections.len() >= self.connections_max;
            let tracked = match self.connections.entry(id) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(_) if is_full => {
                    self.full += 1;
                    continue;
                }
                Entry::Vacant(place) => {
                    place.insert(Box::new(Tracked::seeded(&facts, started_at, looked_before)))
                }
            };
            let before = tracked.facts.as_deref();
            self.stirred |= before.is_none_or(|before| facts.has_moved_since(before));
            if let Some(looked_at) = looked_before {
                tracked.note_handed(&facts, looked_at, &began);
            }
            if tracked.see(facts, started_at, self.snapshot) {
                departures.push(Departure::Used(id));
            }
        }
        self.drop_absent(started_at, &mut departures);
        departures
    }

    fn drop_absent(&mut self, started_at: Timestamp, departures: &mut Vec<Departure>) {
        let current = self.snapshot;
        for tracked in self.connections.values_mut() {
            if tracked.snapshot != current && tracked.known_since < started_at {
                tracked.missed = tracked.missed.saturating_add(1);
                self.stirred = true;
            }
        }
        let gone = self.connections.extract_if(.., |_, tracked| tracked.missed >= 2);
        departures.extend(gone.map(|(_, tracked)| Departure::Closed(tracked)));
        // What a flood took is given back.
        if self.connections.len() < self.connections.capacity() / 4 {
            self.connections.shrink_to(self.connections.len() * 2);
        }
    }
}
