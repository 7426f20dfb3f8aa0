//! From the iterator's records, one a descriptor, to a snapshot, one entry a socket. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, hash_map::Entry};

use tracer_common::SocketRecord;
use tracer_core::{
    Comm, ConnectionId, Holder, ProcessKey, Snapshot, SocketFacts, TcpState, Timestamp,
    decode::{self, Descriptor, KernelConstants},
};

use crate::scope::Scope;

/// A snapshot in the making.
#[derive(Debug)]
pub(crate) struct Assembly {
    snapshot: Snapshot,
    places: HashMap<ConnectionId, usize>,
    /// Descriptors by process, name and kind.
    not_judged: BTreeMap<((ProcessKey, Comm), String), u64>,
}

impl Assembly {
    pub(crate) fn new(started_at: Timestamp) -> Self {
        let snapshot = Snapshot { started_at, ..Snapshot::default() };
        Self { snapshot, places: HashMap::new(), not_judged: BTreeMap::new() }
    }

    /// Takes in one descriptor. A socket has as many owners as descriptors refer to it.
    pub(crate) fn add(&mut self, record: &SocketRecord, constants: KernelConstants) {
        match decode::descriptor(record, constants) {
            Ok(Descriptor::Tcp(facts)) => self.add_facts(facts),
            Ok(Descriptor::NotJudged(kind)) => {
                let key = ProcessKey { start_time_ns: record.start_time_ns, pid: record.pid };
                let owner = (key, Comm::from_kernel(&record.comm));
                *self.not_judged.entry((owner, kind)).or_default() += 1;
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
                owners.append(&mut facts.owners);
                *known = SocketFacts { owners, ..facts };
            }
        }
    }

    /// The process of every descriptor.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.snapshot.sockets.iter().flat_map(|facts| &facts.owners).map(|owner| owner.key)
    }

    /// The snapshot of what is in scope, and of what was before. Listeners stay whatever their
    /// ends.
    pub(crate) fn finish(
        self,
        ended_at: Timestamp,
        truncated: u64,
        scope: &Scope,
        admits: impl Fn(ProcessKey) -> bool,
        followed: &BTreeSet<ConnectionId>,
    ) -> Snapshot {
        let mut snapshot = Snapshot { ended_at, ..self.snapshot };
        snapshot.undecodable += truncated;
        let in_scope = |key, comm: &Comm| scope.admits_name(comm) && admits(key);
        for facts in &mut snapshot.sockets {
            if facts.state == TcpState::Listen {
                snapshot.listeners.insert((facts.netns, facts.local.port()));
            }
            for owner in &mut facts.owners {
                owner.in_scope = in_scope(owner.key, &owner.comm);
            }
            // A process whose main thread has exited is shown once for each of its threads.
            facts.owners.sort_unstable();
            facts.owners.dedup();
        }
        snapshot.holders = Holder::of(&snapshot.sockets);
        snapshot.sockets.retain(|facts| {
            (facts.owners.iter().any(|owner| owner.in_scope) || followed.contains(&facts.id))
                && (facts.state == TcpState::Listen || scope.admits_ends(facts.local, facts.remote))
        });
        for (((key, comm), kind), count) in self.not_judged {
            if in_scope(key, &comm) {
                *snapshot.not_judged.entry(kind).or_default() += count;
            }
        }
        snapshot
    }
}
