//! Connections that are not judged yet although they look like a leak: their peers have closed them
//! or they have died, but that was less than `--idle` ago.

use crate::{Comm, ProcessKey};

/// The process that has the most of these connections, if they are at least `--min-count`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecentlyClosed {
    /// The process.
    pub process: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// Its connections that their peers closed, or that died, less than `--idle` ago.
    pub count: u64,
    /// Those of all processes.
    pub total: u64,
}
