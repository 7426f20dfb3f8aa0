//! The records of a snapshot, by which the next one recognizes unchanged sockets.

use std::sync::Arc;

use tracer_core::SocketFacts;

use crate::collect::socket_records::Fingerprint;

/// The fingerprints of the records of a pass of the iterator, with the decoded facts. Bounded by
/// [`MAX`](Self::MAX).
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownSockets {
    /// In the order of the pass: by pid, then by file descriptor.
    sockets: Vec<KnownSocket>,
    /// All entries before this one precede the record that is searched for.
    next: usize,
}

#[derive(Clone, Debug)]
struct KnownSocket {
    fingerprint: Fingerprint,
    facts: Arc<SocketFacts>,
}

impl KnownSockets {
    /// Maximum number of records that are kept: 6 MiB. Further ones are decoded again.
    pub(super) const MAX: usize = 262_144;

    /// Keeps the records, each with its index in `sockets`. A socket with several file descriptors
    /// is not kept, because no record has all of them.
    pub(super) fn new(seen: Vec<(Fingerprint, usize)>, sockets: &[Arc<SocketFacts>]) -> Self {
        let known = seen.into_iter().filter_map(|(fingerprint, place)| {
            let facts = sockets.get(place).filter(|facts| facts.owners.len() == 1)?;
            Some(KnownSocket { fingerprint, facts: Arc::clone(facts) })
        });
        Self { sockets: known.collect(), next: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    /// The facts decoded from an equal record. Calls must be in the order of the pass; otherwise
    /// fewer are found.
    pub(super) fn facts(&mut self, fingerprint: &Fingerprint) -> Option<Arc<SocketFacts>> {
        let place = |fingerprint: &Fingerprint| (fingerprint.pid, fingerprint.fd);
        while let Some(known) = self.sockets.get(self.next) {
            if place(&known.fingerprint) >= place(fingerprint) {
                let is_same = known.fingerprint == *fingerprint;
                return is_same.then(|| Arc::clone(&known.facts));
            }
            self.next += 1;
        }
        None
    }
}
