//! From the iterator's records, one a descriptor, to a snapshot, one entry a socket. Pure.

use std::collections::{BTreeMap, BTreeSet, hash_map::Entry};

use foldhash::{HashMap, HashMapExt as _};
use tracer_common::SocketRecord;
use tracer_core::{
    Comm, ConnectionId, Holder, ProcessKey, Snapshot, SocketFacts, TcpState, Timestamp,
    decode::{self, DecodeError, FileDescriptor, KernelConstants},
};

use super::filter::Filter;

/// A snapshot in the making.
#[derive(Debug)]
pub struct SnapshotBuilder {
    snapshot: Snapshot,
    places: HashMap<ConnectionId, usize>,
    /// Descriptors by process, name and kind.
    not_judged: BTreeMap<(Who, String), u64>,
    /// Processes whose descriptors could not be read.
    unreadable: Vec<Who>,
    /// Who holds a descriptor of a socket that could not be looked at.
    unopened: Vec<Who>,
    without_holder: u64,
}

type Who = (ProcessKey, Comm);

impl SnapshotBuilder {
    /// One that has no socket yet.
    pub fn new(started_at: Timestamp) -> Self {
        let snapshot = Snapshot { started_at, ..Snapshot::default() };
        Self {
            snapshot,
            places: HashMap::new(),
            not_judged: BTreeMap::new(),
            unreadable: Vec::new(),
            unopened: Vec::new(),
            without_holder: 0,
        }
    }

    /// Takes in one descriptor. A socket has as many owners as descriptors refer to it.
    pub fn add(&mut self, record: &SocketRecord, constants: KernelConstants) {
        match decode::file_descriptor(record, constants) {
            Ok(FileDescriptor::Tcp(facts)) => self.add_facts(facts),
            Ok(FileDescriptor::NotJudged(kind)) => {
                let key = ProcessKey { start_time_ns: record.start_time_ns, pid: record.pid };
                self.add_not_judged(key, &Comm::from_kernel(&record.comm), &kind);
            }
            Err(error) => {
                log::debug!("descriptor {} of process {}", record.fd, record.pid);
                self.add_undecodable(&error);
            }
        }
    }

    /// Counts a descriptor of a socket that passes for TCP and is not.
    pub(crate) fn add_not_judged(&mut self, key: ProcessKey, comm: &Comm, kind: &str) {
        let owner = (key, comm.clone());
        *self.not_judged.entry((owner, kind.to_owned())).or_default() += 1;
    }

    /// Counts a process whose descriptors could not be read.
    pub(crate) fn add_unreadable(&mut self, key: ProcessKey, comm: Comm) {
        self.unreadable.push((key, comm));
    }

    /// Counts a descriptor of a TCP socket that could not be looked at.
    pub(crate) fn add_unopened(&mut self, key: ProcessKey, comm: &Comm) {
        self.unopened.push((key, comm.clone()));
    }

    /// Counts sockets whose processes are hidden.
    pub(crate) const fn add_without_holder(&mut self, count: u64) {
        self.without_holder += count;
    }

    /// Counts a socket of which something impossible was told.
    pub(crate) fn add_undecodable(&mut self, error: &DecodeError) {
        log::debug!("a socket: {error}");
        self.snapshot.undecodable += 1;
    }

    /// Takes in what is known of one socket, once for each time that it is come across.
    pub(crate) fn add_facts(&mut self, mut facts: SocketFacts) {
        match self.places.entry(facts.id) {
            Entry::Vacant(place) => {
                place.insert(self.snapshot.sockets.len());
                self.snapshot.sockets.push(Box::new(facts));
            }
            Entry::Occupied(place) => {
                let known = &mut self.snapshot.sockets[*place.get()];
                let mut owners = std::mem::take(&mut known.owners);
                owners.append(&mut facts.owners);
                **known = SocketFacts { owners, ..facts };
            }
        }
    }

    /// The process of every descriptor.
    pub(crate) fn processes(&self) -> impl Iterator<Item = ProcessKey> {
        self.snapshot.sockets.iter().flat_map(|facts| &facts.owners).map(|owner| owner.key)
    }

    /// The snapshot of what is in scope, and of what was before. Listeners stay whatever their
    /// ends.
    pub fn finish(
        self,
        ended_at: Timestamp,
        truncated: u64,
        scope: &Filter,
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
        let in_scope =
            |whose: &[Who]| whose.iter().filter(|(key, comm)| in_scope(*key, comm)).count() as u64;
        snapshot.unreadable = in_scope(&self.unreadable);
        snapshot.unopened = in_scope(&self.unopened);
        if scope.is_everybody() {
            snapshot.unopened += self.without_holder;
        }
        snapshot
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

    fn assemble(records: &[SocketRecord]) -> SnapshotBuilder {
        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1));
        for record in records {
            builder.add(record, CONSTANTS);
        }
        builder
    }

    fn finish(builder: SnapshotBuilder, scope: &Filter, pid: u32, followed: &[u64]) -> Snapshot {
        let followed = followed.iter().map(|cookie| ConnectionId(*cookie)).collect();
        builder.finish(Timestamp::from_ms(2), 0, scope, |key| key.pid == pid, &followed)
    }

    fn ids(snapshot: &Snapshot) -> Vec<u64> {
        snapshot.sockets.iter().map(|facts| facts.id.0).collect()
    }

    #[test]
    fn a_socket_has_every_descriptor_as_an_owner_once() {
        let records = [record(1, 10, 3), record(1, 11, 7), record(1, 10, 4), record(1, 10, 3)];
        let snapshot = finish(assemble(&records), &Filter::default(), 11, &[]);
        let owners: Vec<_> = snapshot.sockets[0]
            .owners
            .iter()
            .map(|owner| (owner.key.pid, owner.fd, owner.in_scope))
            .collect();
        assert_eq!(owners, [(10, 3, false), (10, 4, false), (11, 7, true)]);
    }

    #[test]
    fn what_is_out_of_scope_is_left_out_unless_it_was_followed() {
        let records = [record(1, 10, 3), record(2, 11, 3), record(3, 11, 4)];
        let snapshot = finish(assemble(&records), &Filter::default(), 10, &[2]);
        assert_eq!(ids(&snapshot), [1, 2]);
        assert_eq!(snapshot.holders.len(), 1, "the other process was not asked for");
    }

    #[test]
    fn filters_of_ends_leave_listeners_and_the_count_of_descriptors() {
        let mut listener = record(1, 10, 3);
        (listener.state, listener.local_port, listener.remote_port) = (10, 8_080, 0);
        let mut foreign = record(2, 11, 3);
        (foreign.state, foreign.local_port) = (10, 50_051);
        let records = [listener, foreign, record(3, 10, 4)];
        let scope = Filter { remote_ports: [80].into(), ..Filter::default() };
        let snapshot = finish(assemble(&records), &scope, 10, &[]);
        assert_eq!(ids(&snapshot), [1]);
        assert_eq!(snapshot.listeners, [(1, 8_080), (1, 50_051)].into());
        assert_eq!(snapshot.holders[0].tcp_fds, 2);
    }

    #[test]
    fn what_is_not_judged_is_counted_in_scope() {
        let mut records = [record(1, 10, 3), record(2, 11, 3), record(3, 10, 5)];
        for record in &mut records {
            record.protocol = 262;
        }
        records[2].state = 99;
        let snapshot = finish(assemble(&records), &Filter::default(), 10, &[]);
        assert_eq!(snapshot.not_judged, [("mptcp".to_owned(), 2)].into());
        let mut torn = record(1, 10, 3);
        torn.state = 99;
        assert_eq!(finish(assemble(&[torn]), &Filter::default(), 10, &[]).undecodable, 1);
    }
}
