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
        self.note_seen(fingerprint.numbered(number), place);
    }

    /// Adds one file descriptor if the same record was decoded for the previous snapshot. Returns
    /// whether it was.
    pub(crate) fn add_known(&mut self, fingerprint: &Fingerprint) -> bool {
        let Some(facts) = self.before.facts(fingerprint) else { return false };
        let place = self.add_shared(facts);
        self.note_seen(*fingerprint, place);
        true
    }
}
