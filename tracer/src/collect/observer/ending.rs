//! The end of a run: what is not removed immediately.

use std::{mem, time::Duration};

use super::Observer;
use crate::collect::kernel::fd_keeper;

/// Uprobes that are removed after the end of the run. They have no effect until then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeftUprobes {
    pub(crate) count: usize,
    /// Estimated time to remove them all, from the time that one of them took.
    pub(crate) duration: Duration,
}

impl Observer {
    /// Ends the observation. One uprobe is removed; the others are left to the keeper of this
    /// process's file descriptors, if it has one.
    pub(crate) fn end_observation(self) -> Option<LeftUprobes> {
        let Self { mut backend, ledgers, has_keeper, .. } = self;
        let kernel = backend.kernel().filter(|_| has_keeper)?;
        if let Err(error) = kernel.turn_ledger_off() {
            log::warn!("{error:#}");
        }
        let left = ledgers?.leave_attached();
        // The keeper also closes its file descriptors of the programs and maps.
        mem::forget(backend);
        let (count, each) = left?;
        let duration = each.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        Some(LeftUprobes { count, duration })
    }
}

/// Starts the keeper. Without it, this process exits only when the uprobes are removed.
pub(super) fn start_keeper() -> bool {
    let started = fd_keeper::start();
    if let Err(error) = &started {
        log::warn!("uprobes cannot be removed in the background: {error:#}");
    }
    started.is_ok()
}
