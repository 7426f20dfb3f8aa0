//! The records of a snapshot, by which the next one recognizes unchanged sockets.

use std::sync::Arc;

use smallvec::smallvec;
use tracer_core::{Owner, SocketFacts};

use crate::collect::socket_records::Fingerprint;

/// The fingerprints of the records of a pass of the iterator, with the decoded facts. Bounded by
/// [`MAX`](Self::MAX).
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownSockets {
    /// In the order of the pass: by pid, then by file descriptor.
    sockets: Vec<KnownSocket>,
    /// All entries before this one precede the record that is searched for by its fingerprint.
    next: usize,
    /// The probable place of the next record that is searched for by its number.
    next_number: usize,
    /// The pass, if it has numbered its records.
    pass: Option<u64>,
}

#[derive(Clone, Debug)]
struct KnownSocket {
    fingerprint: Fingerprint,
    /// With every file descriptor of the socket.
    facts: Arc<SocketFacts>,
}

impl KnownSockets {
    /// Maximum number of records that are kept: 8 MiB. Further ones are decoded again.
    pub(super) const MAX: usize = 262_144;

    /// Keeps the records of a pass, each with its index in `sockets`.
    pub(super) fn new(
        pass: Option<u64>,
        seen: Vec<(Fingerprint, usize)>,
        sockets: &[Arc<SocketFacts>],
    ) -> Self {
        let known = seen.into_iter().filter_map(|(fingerprint, place)| {
            Some(KnownSocket { fingerprint, facts: Arc::clone(sockets.get(place)?) })
        });
        Self { sockets: known.collect(), next: 0, next_number: 0, pass }
    }

    pub(super) fn len(&self) -> usize {
        self.sockets.len()
    }

    pub(super) const fn pass(&self) -> Option<u64> {
        self.pass
    }

    /// The facts decoded from an equal record. Calls must be in the order of the pass; otherwise
    /// fewer are found.
    pub(super) fn facts(&mut self, fingerprint: &Fingerprint) -> Option<Arc<SocketFacts>> {
        let place = |fingerprint: &Fingerprint| (fingerprint.pid, fingerprint.fd);
        while let Some(known) = self.sockets.get(self.next) {
            if place(&known.fingerprint) >= place(fingerprint) {
                return known.fingerprint.is_same(fingerprint).then(|| known.facts()).flatten();
            }
            self.next += 1;
        }
        None
    }

    /// The record with this number, and the facts decoded from it. Fast if calls are in the order of
    /// the pass.
    pub(super) fn numbered(&mut self, number: u32) -> Option<(Fingerprint, Arc<SocketFacts>)> {
        // The numbers ascend. Records of the iterator over files, which has none, are the last ones.
        let of = |known: &KnownSocket| known.fingerprint.number.unwrap_or(u32::MAX);
        let mut place = self.next_number;
        if self.sockets.get(place).map(of) != Some(number) {
            place = self.sockets.binary_search_by_key(&number, of).ok()?;
        }
        self.next_number = place + 1;
        let known = self.sockets.get(place)?;
        Some((known.fingerprint, known.facts()?))
    }
}

impl KnownSocket {
    /// The facts as the record showed them, with its own file descriptor only.
    fn facts(&self) -> Option<Arc<SocketFacts>> {
        if self.facts.owners.len() == 1 {
            return Some(Arc::clone(&self.facts));
        }
        let Fingerprint { pid, fd, .. } = self.fingerprint;
        // Of many file descriptors of one process, only the first ones are in the facts.
        let owner = self.facts.owners.iter().find(|it| it.key.pid == pid)?;
        let owners = smallvec![Owner { fd, ..owner.clone() }];
        Some(Arc::new(SocketFacts { owners, ..SocketFacts::clone(&self.facts) }))
    }
}
