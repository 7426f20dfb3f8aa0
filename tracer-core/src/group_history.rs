//! The history of a group of connections while it was watched.

use crate::{
    Direction, Options, Timestamp, group_size::GroupSize, history::History, turnover::Turnover,
};

/// The history of a group that has become small is kept for this many times `--idle`.
const KEPT_IDLES: u64 = 10;

/// The history of a group of connections. Its size in memory is constant.
#[derive(Clone, Debug)]
pub(crate) struct GroupHistory {
    /// The number of connections of the group over time.
    pub(crate) counts: History,
    /// How the process treats the dead connections of the group.
    pub(crate) turnover: Turnover,
    /// When the group last had `--min-count` connections.
    large_at: Timestamp,
}

impl GroupHistory {
    /// The history of a group that was first observed at `since`.
    pub(crate) fn new(direction: Direction, since: Timestamp) -> Self {
        Self {
            counts: History::default(),
            turnover: Turnover::new(direction, since),
            large_at: since,
        }
    }

    /// Updates the history with the size of the group in a snapshot at `at`.
    pub(crate) fn observe(&mut self, at: Timestamp, size: GroupSize, options: &Options) {
        if size.count >= options.count_min {
            self.large_at = at;
            self.counts.observe(at, size.count, size.oldest, options.window_ms);
        } else {
            self.counts = History::default();
        }
        self.turnover.observe(size, options.idle_ms);
    }

    /// Whether the history may still matter: a group of which all dead connections were closed may
    /// soon have as many again.
    pub(crate) fn is_kept(&self, at: Timestamp, options: &Options) -> bool {
        let kept_ms = options.idle_ms.saturating_mul(KEPT_IDLES);
        self.large_at == at
            || (self.turnover.is_eventful() && at.ms_since(self.large_at) <= kept_ms)
    }
}
