//! How a group of connections developed while it was watched.

use crate::{Timestamp, history::History, turnover::Turnover};

/// How a group developed. Of constant size.
#[derive(Clone, Debug)]
pub(crate) struct GroupHistory {
    /// The number of its connections.
    pub(crate) counts: History,
    /// What the process does with dead ones.
    pub(crate) turnover: Turnover,
}

impl GroupHistory {
    /// The history of a group that was first observed at `since`.
    pub(crate) fn new(since: Timestamp) -> Self {
        Self { counts: History::default(), turnover: Turnover::new(since) }
    }
}
