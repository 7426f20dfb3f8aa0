//! The history of a group of connections while it was watched.

use crate::{Timestamp, history::History, turnover::Turnover};

/// The history of a group. Constant size.
#[derive(Clone, Debug)]
pub(crate) struct GroupHistory {
    /// The number of its connections.
    pub(crate) counts: History,
    /// How the process treats its dead connections.
    pub(crate) turnover: Turnover,
}

impl GroupHistory {
    /// The history of a group that was first observed at `since`.
    pub(crate) fn new(since: Timestamp) -> Self {
        Self { counts: History::default(), turnover: Turnover::new(since) }
    }
}
