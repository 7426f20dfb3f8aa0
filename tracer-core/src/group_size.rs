//! The size of a group of connections.

use crate::Timestamp;

/// The size of a group in one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GroupSize {
    /// All connections.
    pub(crate) count: usize,
    /// How many are not dead, in the sense of [`turnover`](crate::turnover).
    pub(crate) alive: usize,
    /// When the oldest of its connections was opened.
    pub(crate) oldest: Timestamp,
}

impl GroupSize {
    pub(crate) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.alive += other.alive;
        self.oldest = self.oldest.min(other.oldest);
    }
}
