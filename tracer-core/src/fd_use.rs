//! How close a process is to its limit of open file descriptors.

use crate::{ProcessFacts, Timestamp};

/// The open file descriptors of a process and their limit, as last observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FdUse {
    /// Open file descriptors of every type.
    pub(crate) open: u64,
    /// Soft limit (`RLIMIT_NOFILE`).
    pub(crate) limit: u64,
    /// When both were observed.
    pub(crate) at: Timestamp,
    /// Since when every observation has shown the process at its limit; `None` if the latest one
    /// did not.
    full_since: Option<Timestamp>,
}

impl FdUse {
    /// The state after an observation at `at` of a process with at least `tcp_fds` open; `None` if
    /// it did not show the limit. `before` is the state until then. If that was observed more than
    /// `gap_max_ms` ago, the process may have closed many file descriptors and opened others since.
    pub(crate) fn observe(
        before: Option<Self>,
        facts: &ProcessFacts,
        tcp_fds: u64,
        at: Timestamp,
        gap_max_ms: u64,
    ) -> Option<Self> {
        // The two were counted at different times.
        let (open, limit) = (facts.open_fds.unwrap_or(0).max(tcp_fds), facts.fd_limit?);
        let before = before.filter(|before| at.ms_since(before.at) <= gap_max_ms);
        let since = before.and_then(|before| before.full_since).unwrap_or(at);
        let full_since = is_at_fd_limit(open, limit).then_some(since);
        Some(Self { open, limit, at, full_since })
    }

    /// Whether the process is at its limit: see [`is_at_fd_limit`].
    pub(crate) const fn is_full(&self) -> bool {
        self.full_since.is_some()
    }

    /// Whether this many file descriptors alone are as close to the limit.
    pub(crate) const fn is_filled_by(&self, count: u64) -> bool {
        is_at_fd_limit(count, self.limit)
    }

    /// For how long the process was seen at its limit, in milliseconds.
    pub(crate) fn full_ms(&self) -> u64 {
        self.full_since.map_or(0, |since| self.at.ms_since(since))
    }
}

/// Whether a process with this many open file descriptors is at its limit, as far as `tracer` is
/// concerned: at least 95% of it are open. A program may need several file descriptors to handle one
/// request, so it may fail before the last one is open.
pub const fn is_at_fd_limit(open: u64, limit: u64) -> bool {
    open.saturating_mul(20) >= limit.saturating_mul(19)
}
