//! What a snapshot saw, to recognize in the next one what has not changed.

use std::sync::Arc;

use tracer_common::SocketRecord;
use tracer_core::SocketFacts;
use zerocopy::IntoBytes as _;

/// The records of a pass of the iterator, with what they were decoded to. Bounded by
/// [`MAX`](Self::MAX).
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownSockets {
    /// In the order of the pass: by pid, then by file descriptor.
    sockets: Vec<KnownSocket>,
    /// All before this come before the record that is looked for.
    next: usize,
}

#[derive(Clone, Debug)]
struct KnownSocket {
    /// Without the time of the record. The times in it are those of the socket.
    record: SocketRecord,
    facts: Arc<SocketFacts>,
}

impl KnownSockets {
    /// Most records that are kept, 15 MiB. Of further ones nothing is known.
    pub(super) const MAX: usize = 65_536;

    /// What was seen: records, each with its place in `sockets`. A socket with several file
    /// descriptors is not kept, because no record has all of them.
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

    /// What the same record was decoded to. To be called in the order of the pass; otherwise less is
    /// found.
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
