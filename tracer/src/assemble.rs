//! From the iterator's records, one a descriptor, to a snapshot, one entry a socket. Pure.

use std::collections::{HashMap, hash_map::Entry};

use tracer_common::SocketRecord;
use tracer_core::{
    ConnectionId, Holder, ProcessKey, Snapshot, SocketFacts, TcpState, Timestamp,
    decode::{self, Descriptor, KernelConstants},
};

use crate::scope::Scope;

/// A snapshot in the making.
#[derive(Debug)]
pub(crate) struct Assembly {
    snapshot: Snapshot,
    places: HashMap<ConnectionId, usize>,
}

impl Assembly {
    pub(crate) fn new(started_at: Timestamp) -> Self {
        let snapshot = Snapshot { started_at, ..Snapshot::default() };
        Self { snapshot, places: HashMap::new() }
    }

    /// Takes in one descriptor. A socket has as many owners as descriptors refer to it; a
    /// process that the iterator shows twice (its main thread has exited, so each thread appears)
    /// is one owner.
    pub(crate) fn add(&mut self, record: &SocketRecord, constants: KernelConstants) {
        match decode::descriptor(record, constants) {
            Ok(Descriptor::Tcp(facts)) => self.add_facts(facts),
            Ok(Descriptor::NotJudged(kind)) => {
                *self.snapshot.not_judged.entry(kind).or_default() += 1;
            }
            Err(error) => {
                log::debug!("descriptor {} of process {}: {error}", record.fd, record.pid);
                self.snapshot.undecodable += 1;
            }
        }
    }

    fn add_facts(&mut self, mut facts: SocketFacts) {
        match self.places.entry(facts.id) {
            Entry::Vacant(place) => {
                place.insert(self.snapshot.sockets.len());
                self.snapshot.sockets.push(facts);
            }
            Entry::Occupied(place) => {
                let known = &mut self.snapshot.sockets[*place.get()];
                let mut owners = std::mem::take(&mut known.owners);
                facts.owners.retain(|owner| !owners.contains(owner));
                owners.append(&mut facts.owners);
                *known = SocketFacts { owners, ..facts };
            }
        }
    }

    /// The process of every descriptor.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.snapshot.sockets.iter().flat_map(|facts| &facts.owners).map(|owner| owner.key)
    }

    /// The snapshot of what is in scope. Listeners stay whatever their ends: they tell the
    /// directions of the others.
    pub(crate) fn finish(
        self,
        ended_at: Timestamp,
        truncated: u64,
        scope: &Scope,
        in_cgroup: impl Fn(ProcessKey) -> bool,
    ) -> Snapshot {
        let mut snapshot = Snapshot { ended_at, ..self.snapshot };
        snapshot.undecodable += truncated;
        for owner in snapshot.sockets.iter_mut().flat_map(|facts| &mut facts.owners) {
            owner.in_scope = scope.admits_owner(owner) && in_cgroup(owner.key);
        }
        snapshot.holders = Holder::of(&snapshot.sockets);
        snapshot.sockets.retain(|facts| {
            facts.owners.iter().any(|owner| owner.in_scope)
                && (facts.state == TcpState::Listen || scope.admits_ends(facts.local, facts.remote))
        });
        snapshot
    }
}
