//! Why a connection cannot be held against its process.

/// Why a connection is no more than *possible* to be leaked, whatever its state. A verdict that was
/// surer before is kept, and does not rise, except for [`Pool`](Self::Pool) and
/// [`Collector`](Self::Collector).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    /// The process may wait for a slow peer of another connection before it reads on.
    SlowPeer,
    /// The process has passed EOF on to another connection, and may wait for that one's peer to close.
    HalfClosedPeer,
    /// The process comes back to others of the group, and this may be one that it keeps.
    Pool,
    /// A garbage collector closes connections of the group, and may not have run since this one died.
    Collector,
    /// The process is stopped or frozen, or was until recently.
    Stopped,
    /// Nobody has looked who reads from the connection since it last changed.
    NotInspected,
}

impl Excuse {
    /// The process waits for the peer of another connection.
    pub(crate) const fn is_waiting(self) -> bool {
        matches!(self, Self::SlowPeer | Self::HalfClosedPeer)
    }
}
