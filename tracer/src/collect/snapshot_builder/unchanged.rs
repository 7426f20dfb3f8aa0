//! Adds what has not changed since the previous snapshot.

use super::SnapshotBuilder;
use crate::collect::socket_records::Fingerprint;

impl SnapshotBuilder {
    /// The pass of which all records are known by their numbers, if there is one.
    pub(crate) const fn known_pass(&self) -> Option<u64> {
        self.before.pass()
    }

    /// The records that follow are those of this pass, which numbers them.
    pub(crate) const fn begin_pass(&mut self, pass: u64) {
        self.pass = Some(pass);
    }

    /// Adds one file descriptor by its record's number in this pass and in the previous one.
    pub(crate) fn add_same(&mut self, previous: u32, number: u32) {
        let Some((fingerprint, facts)) = self.before.numbered(previous) else {
            // The previous pass could not decode it either.
            self.snapshot.undecodable += 1;
            return;
        };
        let place = self.add_shared(facts);
        self.keep_fingerprint(fingerprint.numbered(number), place);
    }

    /// Adds one file descriptor if the same record was decoded for the previous snapshot. Returns
    /// whether it was.
    pub(crate) fn add_known(&mut self, fingerprint: &Fingerprint) -> bool {
        let Some(facts) = self.before.facts(fingerprint) else { return false };
        let place = self.add_shared(facts);
        self.keep_fingerprint(*fingerprint, place);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use tracer_common::SocketRecord;
    use tracer_core::{Snapshot, Timestamp, decode::KernelConstants};
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::collect::{
        filter::Filter, snapshot_builder::KnownSockets, socket_records::Fingerprints,
    };

    const CONSTANTS: KernelConstants = KernelConstants { jiffies_per_second: 250, fin_flag: 2 };

    fn record(cookie: u64, pid: u32, fd: u32) -> SocketRecord {
        let mut record = SocketRecord::new_zeroed();
        (record.cookie, record.pid, record.fd) = (cookie, pid, fd);
        (record.family, record.socket_type, record.protocol, record.state) = (2, 1, 6, 1);
        (record.local_port, record.remote_port, record.netns) = (40_000, 443, 1);
        record
    }

    fn finish(builder: SnapshotBuilder) -> (Snapshot, KnownSockets) {
        let (filter, followed) = (Filter::default(), BTreeSet::new());
        builder.finish_knowing(Timestamp::from_ms(2), 0, &filter, |_| true, &followed)
    }

    #[test]
    fn a_number_stands_for_the_record_of_the_previous_pass() {
        // The second socket has two file descriptors.
        let records = [record(1, 10, 3), record(2, 10, 4), record(2, 11, 4), record(3, 11, 5)];
        let fingerprints = Fingerprints::default();
        let mut builder =
            SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(KnownSockets::default());
        assert_eq!(builder.known_pass(), None);
        builder.begin_pass(7);
        for (number, record) in (0..).zip(&records) {
            builder.add_new(record, fingerprints.of(record).numbered(number), CONSTANTS);
        }
        let (first, known) = finish(builder);

        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(known);
        assert_eq!(builder.known_pass(), Some(7));
        builder.begin_pass(8);
        builder.add_same(1, 0);
        builder.add_same(2, 1);
        builder.add_same(3, 2);
        let (second, known) = finish(builder);
        assert_eq!(second.sockets, first.sockets[1..]);
        assert!(Arc::ptr_eq(&second.sockets[1], &first.sockets[2]));

        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(known);
        builder.begin_pass(9);
        builder.add_same(1, 0);
        builder.add_same(3, 1);
        let (third, _) = finish(builder);
        let owners = third.sockets[0].owners.iter().map(|owner| (owner.key.pid, owner.fd));
        assert_eq!(owners.collect::<Vec<_>>(), [(11, 4)], "its other file descriptor is closed");
        assert_eq!((third.sockets.len(), third.undecodable), (1, 1), "the last one has no record");
    }

    /// Adds records to a numbered pass, and returns what is known of them.
    fn first_pass(records: &[SocketRecord]) -> (Snapshot, KnownSockets) {
        let fingerprints = Fingerprints::default();
        let mut builder =
            SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(KnownSockets::default());
        builder.begin_pass(7);
        for (number, record) in (0..).zip(records) {
            builder.add_new(record, fingerprints.of(record).numbered(number), CONSTANTS);
        }
        finish(builder)
    }

    /// A pass visits the threads of a process after other processes.
    #[test]
    fn records_are_found_in_any_order_of_processes() {
        let records = [record(1, 10, 3), record(2, 20, 4), record(3, 10, 7), record(4, 21, 4)];
        let (first, known) = first_pass(&records);

        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(known);
        builder.begin_pass(8);
        builder.add_same(0, 0);
        let new = Fingerprints::default().of(&record(5, 30, 5));
        assert!(!builder.add_known(&new));
        for number in 1..4 {
            builder.add_same(number, number);
        }
        let (second, _) = finish(builder);
        assert_eq!((second.sockets, second.undecodable), (first.sockets, 0));
    }

    #[test]
    fn many_file_descriptors_of_a_socket_are_known() {
        let records: Vec<SocketRecord> = (0..40).map(|fd| record(1, 10, fd)).collect();
        let (first, known) = first_pass(&records);

        let mut builder = SnapshotBuilder::new(Timestamp::from_ms(1)).knowing(known);
        builder.begin_pass(8);
        for number in 0..40 {
            builder.add_same(number, number);
        }
        let (second, _) = finish(builder);
        assert_eq!((&second.sockets, second.undecodable), (&first.sockets, 0));
        assert_eq!((&second.holders, second.holders[0].tcp_fds), (&first.holders, 40));
    }
}
