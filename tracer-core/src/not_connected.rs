//! Sockets that are not connected. They are in no group and never judged, because they have no
//! destination, and the kernel keeps no times for them; so they are counted.

use alloc::{collections::BTreeMap, sync::Arc};

use crate::{Holder, Note, Options, ProcessKey, SocketFacts, TcpState};

/// The number of file descriptors of such sockets by process, in the latest snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NotConnected(BTreeMap<ProcessKey, u64>);

impl NotConnected {
    /// Those among the sockets of a snapshot.
    pub(crate) fn among(sockets: &[Arc<SocketFacts>]) -> Self {
        let mut fds: BTreeMap<ProcessKey, u64> = BTreeMap::new();
        let of_sockets = sockets.iter().filter(|facts| is_not_connected(facts));
        for owner in of_sockets.flat_map(|facts| &facts.owners).filter(|owner| owner.in_scope) {
            let count = fds.entry(owner.key).or_default();
            *count = count.saturating_add(1);
        }
        Self(fds)
    }

    /// Their number in one process.
    pub(crate) fn of(&self, process: ProcessKey) -> u64 {
        self.0.get(&process).copied().unwrap_or(0)
    }

    /// Their number in all processes in scope.
    pub(crate) fn total(&self) -> u64 {
        self.0.values().fold(0, |total, count| total.saturating_add(*count))
    }

    /// A note if a process has more than `--pool-size` of them. A program has a few before it calls
    /// `connect` and after `connect` has failed, and may keep some bound ones. It has no use for
    /// more than the idle connections that a pool keeps.
    pub(crate) fn note(
        &self,
        holders: &BTreeMap<ProcessKey, Holder>,
        options: &Options,
    ) -> Option<Note> {
        let fds_max = u64::try_from(options.pool_size).unwrap_or(u64::MAX);
        let many = self.0.iter().filter(|(_, fds)| **fds > fds_max);
        // The one that started first, if several have as many.
        let (key, fds) = many.clone().rev().max_by_key(|(_, fds)| **fds)?;
        let others = many.filter(|(other, _)| *other != key);
        let (other_processes, other_fds) = others
            .fold((0_u64, 0_u64), |(count, total), (_, fds)| {
                (count + 1, total.saturating_add(*fds))
            });
        let comm = holders.get(key).map(|holder| holder.comm.clone()).unwrap_or_default();
        Some(Note::NotConnected { process: *key, comm, fds: *fds, other_processes, other_fds })
    }
}

/// Whether the socket is not connected and has not been: `connect` failed or was not called, or
/// `connect(AF_UNSPEC)` dissolved the connection. A connection that has died keeps its times.
fn is_not_connected(facts: &SocketFacts) -> bool {
    facts.state == TcpState::Closed && facts.last_received_at.is_none()
}
