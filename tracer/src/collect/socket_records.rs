//! The receiver of the records of a pass over all open sockets.

use std::hash::{BuildHasher as _, Hasher as _};

use foldhash::quality::RandomState;
use tracer_common::SocketRecord;
use zerocopy::IntoBytes as _;

/// Receives the records of a pass.
pub(crate) trait SocketRecords {
    /// The pass of which all records are known by their numbers, if there is one.
    fn known_pass(&self) -> Option<u64> {
        None
    }

    /// Begins a pass that numbers its records.
    fn begin_pass(&mut self, _pass: u64) {}

    /// Takes record `number`, which is the same as record `previous` of the
    /// [`known_pass`](Self::known_pass), except for its time.
    fn add_same(&mut self, _previous: u32, _number: u32) {}

    /// Whether nothing has changed since a record with this fingerprint was added. It is then known,
    /// and is not passed on.
    fn is_known(&mut self, _fingerprint: &Fingerprint) -> bool {
        false
    }

    /// Takes a record.
    fn add(&mut self, record: &SocketRecord, fingerprint: Fingerprint);
}

impl<F: FnMut(&SocketRecord)> SocketRecords for F {
    fn add(&mut self, record: &SocketRecord, _fingerprint: Fingerprint) {
        self(record);
    }
}

/// Identifies the contents of a record, so that an unchanged one need not be decoded and kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fingerprint {
    /// The number of the record in its pass, if the pass numbers its records. It does not matter
    /// for [`is_same`](Self::is_same).
    pub(crate) number: Option<u32>,
    pub(crate) pid: u32,
    pub(crate) fd: u32,
    /// A hash of all other fields of the record, except for its time: the other times in it are
    /// those of the socket. With 64 bits, missing a single change is not expected within the age of
    /// the universe, and the next change would be seen anyway.
    contents: u64,
}

impl Fingerprint {
    /// This fingerprint for the record with this number.
    pub(crate) fn numbered(self, number: u32) -> Self {
        Self { number: Some(number), ..self }
    }

    /// Whether the contents are the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let contents = |it: &Self| (it.pid, it.fd, it.contents);
        contents(self) == contents(other)
    }
}

/// Computes the fingerprints of one run. Its seed is random, so that nobody can look for two
/// contents with the same hash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprints(RandomState);

impl Fingerprints {
    /// The fingerprint of a record with these contents, in any number of parts.
    pub(crate) fn of_parts(&self, pid: u32, fd: u32, parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = self.0.build_hasher();
        for part in parts {
            hasher.write(part);
        }
        Fingerprint { number: None, pid, fd, contents: hasher.finish() }
    }

    /// The fingerprint of a record of the iterator over files.
    pub(crate) fn of(&self, record: &SocketRecord) -> Fingerprint {
        let timeless = SocketRecord { at_ns: 0, jiffies: 0, ..*record };
        self.of_parts(record.pid, record.fd, &[timeless.as_bytes()])
    }

    /// Passes on a record of the iterator over files, unless it is known.
    pub(crate) fn pass_on(&self, record: &SocketRecord, records: &mut dyn SocketRecords) {
        let fingerprint = self.of(record);
        if !records.is_known(&fingerprint) {
            records.add(record, fingerprint);
        }
    }
}

#[cfg(test)]
mod tests {
    use zerocopy::FromZeros as _;

    use super::*;

    #[test]
    fn only_the_time_of_a_record_does_not_matter() {
        let fingerprints = Fingerprints::default();
        let record = SocketRecord { pid: 7, fd: 3, ..SocketRecord::new_zeroed() };
        let later = SocketRecord { at_ns: 1, jiffies: 1, ..record };
        assert!(fingerprints.of(&record).is_same(&fingerprints.of(&later)));
        for other in [
            SocketRecord { fd: 4, ..record },
            SocketRecord { copied_seq: 1, ..record },
            SocketRecord { probes_out: 1, ..record },
        ] {
            assert!(!fingerprints.of(&record).is_same(&fingerprints.of(&other)));
        }
    }
}
