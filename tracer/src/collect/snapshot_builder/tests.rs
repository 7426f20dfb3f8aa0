//! Snapshots from records.

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

#[test]
fn many_duplicates_in_one_process_are_counted_and_not_kept() {
    let count = u32::try_from(FDS_MAX).unwrap() + 5;
    let mut records: Vec<_> = (0..count).map(|fd| record(1, 10, fd)).collect();
    records.extend([record(2, 10, count), record(1, 11, 7)]);
    let snapshot = finish(build(&records), &Filter::default(), 10, &[]);
    let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1));
    let mut whole = snapshot.sockets[0].as_ref().clone();
    whole.owners = (0..count).map(|fd| Owner { fd, ..whole.owners[0].clone() }).collect();
    builder.add_facts(whole);
    let at_once = finish(builder, &Filter::default(), 10, &[]);

    for (snapshot, others) in [(snapshot, 1), (at_once, 0)] {
        let owners = &snapshot.sockets[0].owners;
        assert_eq!(owners.len(), FDS_MAX + others);
        assert!(owners[..FDS_MAX].iter().map(|owner| owner.fd).eq(0..16));
        assert_eq!(snapshot.holders[0].tcp_fds, (count as usize + others) as u64);
    }
}

fn add_all(builder: &mut SnapshotBuilder, fingerprints: &Fingerprints, records: &[SocketRecord]) {
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
    let mut records =
        [record(1, 10, 3), record(2, 10, 4), record(3, 11, 3), record(4, 11, 5), record(3, 12, 3)];
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
