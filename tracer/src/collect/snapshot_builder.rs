//! Builds a snapshot, with one entry per socket, from records, one per file descriptor. It does no I/O.

use std::{
    collections::{BTreeMap, BTreeSet, hash_map::Entry},
    mem,
    sync::Arc,
};

use foldhash::{HashMap, HashMapExt as _};
use tracer_common::SocketRecord;
use tracer_core::{
    Comm, ConnectionId, Holder, Owner, ProcessKey, Snapshot, SocketFacts, TcpState, Timestamp,
    decode::{self, DecodeError, FileDescriptor, KernelConstants},
};

use super::{
    filter::Filter,
    socket_records::{Fingerprint, Fingerprints},
};

mod known_sockets;
mod unchanged;

pub(crate) use known_sockets::KnownSockets;

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
                self.note_seen(fingerprint, place);
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
    fn add_shared(&mut self, facts: Arc<SocketFacts>) -> usize {
        let sockets = &mut self.snapshot.sockets;
        match self.places.entry(facts.id) {
            Entry::Vacant(place) => {
                sockets.push(facts);
                *place.insert(sockets.len() - 1)
            }
            Entry::Occupied(place) => {
                let known = Arc::make_mut(&mut sockets[*place.get()]);
                let mut facts = Arc::unwrap_or_clone(facts);
                let mut owners = mem::take(&mut known.owners);
                owners.append(&mut facts.owners);
                *known = SocketFacts { owners, ..facts };
                *place.get()
            }
        }
    }

    fn note_seen(&mut self, fingerprint: Fingerprint, place: usize) {
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

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    const CONSTANTS: KernelConstants = KernelConstants { jiffies_per_second: 250, fin_flag: 2 };

    /// An established connection to port 443, as one process holds it.
    fn record(cookie: u64, pid: u32, fd: u32) -> SocketRecord {
        let mut record = SocketRecord::new_zeroed();
        (record.cookie, record.pid, record.fd) = (cookie, pid, fd);
        record.start_time_ns = u64::from(pid);
        (record.family, record.socket_type, record.protocol, record.state) = (2, 1, 6, 1);
        (record.local_port, record.remote_port, record.netns) = (40_000, 443, 1);
        record
    }

    fn build(records: &[SocketRecord]) -> SnapshotBuilder {
        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1));
        for record in records {
            builder.add(record, CONSTANTS);
        }
        builder
    }

    fn finish(builder: SnapshotBuilder, filter: &Filter, pid: u32, followed: &[u64]) -> Snapshot {
        let followed = followed.iter().map(|cookie| ConnectionId(*cookie)).collect();
        builder.finish(Timestamp::from_ms(2), 0, filter, |key| key.pid == pid, &followed)
    }

    fn ids(snapshot: &Snapshot) -> Vec<u64> {
        snapshot.sockets.iter().map(|facts| facts.id.0).collect()
    }

    #[test]
    fn a_socket_has_one_owner_per_file_descriptor() {
        let records = [record(1, 10, 3), record(1, 11, 7), record(1, 10, 4), record(1, 10, 3)];
        let snapshot = finish(build(&records), &Filter::default(), 11, &[]);
        let owners: Vec<_> = snapshot.sockets[0]
            .owners
            .iter()
            .map(|owner| (owner.key.pid, owner.fd, owner.in_scope))
            .collect();
        assert_eq!(owners, [(10, 3, false), (10, 4, false), (11, 7, true)]);
    }

    fn add_all(
        builder: &mut SnapshotBuilder,
        fingerprints: &Fingerprints,
        records: &[SocketRecord],
    ) {
        for record in records {
            let fingerprint = fingerprints.of(record);
            if !builder.add_known(&fingerprint) {
                builder.add_new(record, fingerprint, CONSTANTS);
            }
        }
    }

    /// The snapshot of these records, after an earlier snapshot.
    fn build_again(
        fingerprints: &Fingerprints,
        before: KnownSockets,
        records: &[SocketRecord],
    ) -> (Snapshot, KnownSockets) {
        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(before);
        add_all(&mut builder, fingerprints, records);
        let (filter, followed) = (Filter::default(), BTreeSet::new());
        builder.finish_knowing(Timestamp::from_ms(2), 0, &filter, |_| true, &followed)
    }

    #[test]
    fn what_has_not_changed_is_shared_with_the_snapshot_before() {
        // The third socket has two file descriptors.
        let mut records = [
            record(1, 10, 3),
            record(2, 10, 4),
            record(3, 11, 3),
            record(4, 11, 5),
            record(3, 12, 3),
        ];
        let fingerprints = Fingerprints::default();
        let (first, known) = build_again(&fingerprints, KnownSockets::default(), &records);
        for record in &mut records {
            (record.at_ns, record.jiffies) = (record.at_ns + 4_000_000, record.jiffies + 1);
        }
        records[1].bytes_received = 7;
        let without_first = [&records[1..], &[record(5, 13, 3)]].concat();
        for (again, shared) in [(&records[..], &[0, 3][..]), (&without_first, &[3])] {
            let (second, _) = build_again(&fingerprints, known.clone(), again);
            let (plain, _) = build_again(&fingerprints, KnownSockets::default(), again);
            assert_eq!(second, plain, "sharing makes no difference");
            for (index, facts) in first.sockets.iter().enumerate() {
                let is_shared = second.sockets.iter().any(|other| Arc::ptr_eq(facts, other));
                assert_eq!(is_shared, shared.contains(&index), "socket {index}");
            }
        }
    }

    #[test]
    fn a_shared_socket_follows_the_scope() {
        let records = [record(1, 10, 3), record(2, 11, 3)];
        let fingerprints = Fingerprints::default();
        let (_, known) = build_again(&fingerprints, KnownSockets::default(), &records);
        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(known);
        add_all(&mut builder, &fingerprints, &records);
        let snapshot = finish(builder, &Filter::default(), 11, &[1]);
        let scopes = snapshot.sockets.iter().map(|facts| facts.owners[0].in_scope);
        assert_eq!(scopes.collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn only_selected_and_followed_sockets_are_in_the_snapshot() {
        let records = [record(1, 10, 3), record(2, 11, 3), record(3, 11, 4)];
        let snapshot = finish(build(&records), &Filter::default(), 10, &[2]);
        assert_eq!(ids(&snapshot), [1, 2]);
        assert_eq!(snapshot.holders.len(), 1, "the other process is not selected");
    }

    #[test]
    fn address_filters_keep_listeners_and_fd_counts() {
        let mut listener = record(1, 10, 3);
        (listener.state, listener.local_port, listener.remote_port) = (10, 8_080, 0);
        let mut foreign = record(2, 11, 3);
        (foreign.state, foreign.local_port) = (10, 50_051);
        let records = [listener, foreign, record(3, 10, 4)];
        let filter = Filter { remote_ports: [80].into(), ..Filter::default() };
        let snapshot = finish(build(&records), &filter, 10, &[]);
        assert_eq!(ids(&snapshot), [1]);
        assert_eq!(snapshot.listeners, [(1, 8_080), (1, 50_051)].into());
        assert_eq!(snapshot.holders[0].tcp_fds, 2);
    }

    #[test]
    fn sockets_that_are_not_judged_are_counted() {
        let mut records = [record(1, 10, 3), record(2, 11, 3), record(3, 10, 5)];
        for record in &mut records {
            record.protocol = 262;
        }
        records[2].state = 99;
        let snapshot = finish(build(&records), &Filter::default(), 10, &[]);
        assert_eq!(snapshot.not_judged, [("mptcp".to_owned(), 2)].into());
        let mut torn = record(1, 10, 3);
        torn.state = 99;
        assert_eq!(finish(build(&[torn]), &Filter::default(), 10, &[]).undecodable, 1);
    }
}
