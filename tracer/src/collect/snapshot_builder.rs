//! Builds a snapshot, with one entry per socket, from records, one per file descriptor. It does no I/O.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::Entry},
    mem,
    sync::Arc,
};

use foldhash::{HashMap, HashMapExt as _};
use tracer_common::SocketRecord;
use tracer_core::{
    Comm, ConnectionId, Holder, Owner, Owners, ProcessKey, Snapshot, SocketFacts, TcpState,
    Timestamp,
    decode::{self, DecodeError, FileDescriptor, KernelConstants},
};

use super::{
    filter::Filter,
    socket_records::{Fingerprint, Fingerprints},
};

mod known_sockets;
mod unchanged;

pub(crate) use known_sockets::KnownSockets;

/// Maximum number of file descriptors of one socket in one process that are kept. Programs duplicate
/// one a few times at most; a process with a million duplicates would fill the memory.
const FDS_MAX: usize = 16;

/// A snapshot that is being built.
#[derive(Debug)]
pub struct SnapshotBuilder {
    snapshot: Snapshot,
    places: HashMap<ConnectionId, usize>,
    /// Number of file descriptors by process, name and kind.
    not_judged: BTreeMap<(Who, String), u64>,
    /// Processes whose file descriptors could not be read.
    unreadable: Vec<Who>,
    /// Processes with a file descriptor of a socket that could not be queried, once per file
    /// descriptor.
    unopened: Vec<Who>,
    without_holder: u64,
    /// Number of further file descriptors of sockets with [`FDS_MAX`], by process.
    omitted: HashMap<ProcessKey, u64>,
    /// The records of the previous snapshot.
    before: KnownSockets,
    /// The fingerprints of the records of this snapshot, each with the index of its socket.
    seen: Vec<(Fingerprint, usize)>,
    is_kept: bool,
    /// The pass, if it numbers its records.
    pass: Option<u64>,
}

type Who = (ProcessKey, Comm);

impl SnapshotBuilder {
    /// An empty snapshot.
    pub fn new(started_at: Timestamp) -> Self {
        let snapshot = Snapshot { started_at, ..Snapshot::default() };
        Self {
            snapshot,
            places: HashMap::new(),
            not_judged: BTreeMap::new(),
            unreadable: Vec::new(),
            unopened: Vec::new(),
            without_holder: 0,
            omitted: HashMap::new(),
            before: KnownSockets::default(),
            seen: Vec::new(),
            is_kept: false,
            pass: None,
        }
    }

    /// Reserves room for as many sockets as the previous snapshot had.
    pub(crate) fn with_room_for(mut self, sockets: usize) -> Self {
        self.snapshot.sockets.reserve(sockets);
        self.places.reserve(sockets);
        self
    }

    /// Sockets that have not changed since the previous snapshot share its facts. The records of
    /// this snapshot are kept for the next one.
    pub(crate) fn knowing(mut self, before: KnownSockets) -> Self {
        self.seen.reserve(before.len());
        (self.before, self.is_kept) = (before, true);
        self
    }

    /// Adds one file descriptor. A socket has an entry in `owners` for each file descriptor that
    /// refers to it, in any process.
    pub fn add(&mut self, record: &SocketRecord, constants: KernelConstants) {
        self.add_new(record, Fingerprints::default().of(record), constants);
    }

    /// Adds one file descriptor whose record was not decoded before.
    pub(crate) fn add_new(
        &mut self,
        record: &SocketRecord,
        fingerprint: Fingerprint,
        constants: KernelConstants,
    ) {
        match decode::file_descriptor(record, constants) {
            Ok(FileDescriptor::Tcp(facts)) => {
                let place = self.add_shared(Arc::new(facts));
                self.keep_fingerprint(fingerprint, place);
            }
            Ok(FileDescriptor::NotJudged(kind)) => {
                let key = ProcessKey { start_time_ns: record.start_time_ns, pid: record.pid };
                self.add_not_judged(key, &Comm::from_kernel(&record.comm), &kind);
            }
            Err(error) => {
                log::debug!("fd {} of process {} cannot be decoded", record.fd, record.pid);
                self.add_undecodable(&error);
            }
        }
    }

    /// Counts a file descriptor of a socket that has the type of a TCP socket but another protocol.
    pub(crate) fn add_not_judged(&mut self, key: ProcessKey, comm: &Comm, kind: &str) {
        let owner = (key, comm.clone());
        *self.not_judged.entry((owner, kind.to_owned())).or_default() += 1;
    }

    /// Counts a process whose file descriptors could not be read.
    pub(crate) fn add_unreadable(&mut self, key: ProcessKey, comm: Comm) {
        self.unreadable.push((key, comm));
    }

    /// Counts a file descriptor of a TCP socket that could not be queried.
    pub(crate) fn add_unopened(&mut self, key: ProcessKey, comm: &Comm) {
        self.unopened.push((key, comm.clone()));
    }

    /// Counts sockets whose processes are hidden.
    pub(crate) const fn add_without_holder(&mut self, count: u64) {
        self.without_holder += count;
    }

    /// Counts a socket with an impossible value.
    pub(crate) fn add_undecodable(&mut self, error: &DecodeError) {
        log::debug!("a socket cannot be decoded: {error}");
        self.snapshot.undecodable += 1;
    }

    /// Adds the facts of one socket. Repeated calls for the same socket add holders; of the other
    /// facts, the latest win.
    pub(crate) fn add_facts(&mut self, facts: SocketFacts) {
        self.add_shared(Arc::new(facts));
    }

    /// Returns the index of the socket.
    fn add_shared(&mut self, mut facts: Arc<SocketFacts>) -> usize {
        let sockets = &mut self.snapshot.sockets;
        match self.places.entry(facts.id) {
            Entry::Vacant(place) => {
                if facts.owners.len() > FDS_MAX {
                    let all = mem::take(&mut Arc::make_mut(&mut facts).owners);
                    append(&mut Arc::make_mut(&mut facts).owners, all, &mut self.omitted);
                }
                sockets.push(facts);
                *place.insert(sockets.len() - 1)
            }
            Entry::Occupied(place) => {
                let known = Arc::make_mut(&mut sockets[*place.get()]);
                let mut facts = Arc::unwrap_or_clone(facts);
                let mut owners = mem::take(&mut known.owners);
                append(&mut owners, mem::take(&mut facts.owners), &mut self.omitted);
                *known = SocketFacts { owners, ..facts };
                *place.get()
            }
        }
    }

    fn keep_fingerprint(&mut self, fingerprint: Fingerprint, place: usize) {
        if self.is_kept && self.seen.len() < KnownSockets::MAX {
            self.seen.push((fingerprint, place));
        }
    }

    /// The process of every file descriptor.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.snapshot.sockets.iter().flat_map(|facts| &facts.owners).map(|owner| owner.key)
    }

    /// The snapshot of all sockets that the filter selects, and of those in `followed`, which an
    /// earlier snapshot contained. Listeners are selected regardless of their addresses.
    pub fn finish(
        self,
        ended_at: Timestamp,
        truncated: u64,
        filter: &Filter,
        admits: impl Fn(ProcessKey) -> bool,
        followed: &BTreeSet<ConnectionId>,
    ) -> Snapshot {
        self.finish_knowing(ended_at, truncated, filter, admits, followed).0
    }

    /// The snapshot, and its records, for comparison by the next one.
    pub(crate) fn finish_knowing(
        self,
        ended_at: Timestamp,
        truncated: u64,
        filter: &Filter,
        admits: impl Fn(ProcessKey) -> bool,
        followed: &BTreeSet<ConnectionId>,
    ) -> (Snapshot, KnownSockets) {
        let mut snapshot = Snapshot { ended_at, ..self.snapshot };
        snapshot.undecodable += truncated;
        let in_scope = |key, comm: &Comm| filter.admits_name(comm) && admits(key);
        for facts in &mut snapshot.sockets {
            if facts.state == TcpState::Listen {
                snapshot.listeners.insert((facts.netns, facts.local.port()));
            }
            let is_as_found = |owner: &Owner| owner.in_scope == in_scope(owner.key, &owner.comm);
            if facts.owners.len() == 1 && facts.owners.iter().all(is_as_found) {
                continue;
            }
            let owners = &mut Arc::make_mut(facts).owners;
            for owner in owners.iter_mut() {
                owner.in_scope = in_scope(owner.key, &owner.comm);
            }
            // The iterator visits a process whose main thread has exited once for each thread.
            owners.sort_unstable();
            owners.dedup();
        }
        let known = KnownSockets::new(self.pass, self.seen, &snapshot.sockets);
        snapshot.holders = Holder::of(&snapshot.sockets);
        for holder in &mut snapshot.holders {
            holder.tcp_fds += self.omitted.get(&holder.key).copied().unwrap_or(0);
        }
        snapshot.sockets.retain(|facts| {
            (facts.owners.iter().any(|owner| owner.in_scope) || followed.contains(&facts.id))
                && (facts.state == TcpState::Listen
                    || filter.admits_addresses(facts.local, facts.remote))
        });
        for (((key, comm), kind), count) in self.not_judged {
            if in_scope(key, &comm) {
                *snapshot.not_judged.entry(kind).or_default() += count;
            }
        }
        let in_scope =
            |whose: &[Who]| whose.iter().filter(|(key, comm)| in_scope(*key, comm)).count() as u64;
        snapshot.unreadable = in_scope(&self.unreadable);
        snapshot.unopened = in_scope(&self.unopened);
        if filter.has_all_processes() {
            snapshot.unopened += self.without_holder;
        }
        (snapshot, known)
    }
}

/// Adds file descriptors of a socket, those of a process one after the other. What exceeds
/// [`FDS_MAX`] for a process is only counted.
fn append(owners: &mut Owners, more: Owners, omitted: &mut HashMap<ProcessKey, u64>) {
    for owner in more {
        let first_of_many = owners.len().checked_sub(FDS_MAX).and_then(|at| owners.get(at));
        if first_of_many.is_some_and(|first| first.key == owner.key) {
            *omitted.entry(owner.key).or_default() += 1;
        } else {
            owners.push(owner);
        }
    }
}

#[cfg(test)]
mod tests;
