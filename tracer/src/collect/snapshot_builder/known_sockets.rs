//! The records of a snapshot, by which the next one recognizes unchanged sockets.

use std::sync::Arc;

use tracer_common::SocketRecord;
use tracer_core::SocketFacts;
use zerocopy::IntoBytes as _;

/// The records of a pass of the iterator, with the decoded facts. Bounded by [`MAX`](Self::MAX).
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownSockets {
    /// In the order of the pass: by pid, then by file descriptor.
    sockets: Vec<KnownSocket>,
    /// All entries before this one precede the record that is searched for.
    next: usize,
}

#[derive(Clone, Debug)]
struct KnownSocket {
    /// Without the time of the record itself: the other times in it are those of the socket.
    record: SocketRecord,
    facts: Arc<SocketFacts>,
}

impl KnownSockets {
    /// Maximum number of records that are kept: 15 MiB. Further ones are decoded again.
    pub(super) const MAX: usize = 65_536;

    /// Keeps the records, each with its index in `sockets`. A socket with several file descriptors
    /// is not kept, because no record has all of them.
    pub(super) fn new(seen: Vec<(SocketRecord, usize)>, sockets: &[Arc<SocketFacts>]) -> Self {
        let known = seen.into_iter().filter_map(|(record, place)| {
            let facts = sockets.get(place).filter(|facts| facts.owners.len() == 1)?;
            Some(KnownSocket { record, facts: Arc::clone(facts) })
        });
        Self { sockets: known.collect(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// The facts decoded from an equal record. Calls must be in the order of the pass; otherwise
    /// fewer are found.
    pub(super) fn facts(&mut self, record: &SocketRecord) -> Option<Arc<SocketFacts>> {
        let place = |record: &SocketRecord| (record.pid, record.fd);
        while let Some(known) = self.sockets.get(self.next) {
            if place(&known.record) >= place(record) {
                let is_same = known.record.as_bytes() == record.as_bytes();
                return is_same.then(|| Arc::clone(&known.facts));
            }
            self.next += 1;
        }
        None
    }
}
