//! Why a connection is capped: a healthy program could explain its state.

/// Why a connection is at most *possible*, whatever its state. A confidence that was higher before
/// is kept and does not rise, except with [`Pool`](Self::Pool) and [`Collector`](Self::Collector).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CapReason {
    /// The process may be waiting for a slow peer of another connection before it continues
    /// reading.
    SlowPeer,
    /// The process has forwarded EOF to another connection, and may be waiting for its peer to
    /// close.
    HalfClosedPeer,
    /// The peer may have closed only its sending direction, to mark the end of its request, and be
    /// waiting for the response.
    Request,
    /// The process returns to other connections of the group, and this may be one that it keeps.
    Pool,
    /// A garbage collector closes connections of the group, and may not have run since this one
    /// died.
    Collector,
    /// The process is stopped or frozen, or was until recently.
    Stopped,
    /// The process was not inspected for a reader since the connection last changed.
    NotInspected,
}

impl CapReason {
    /// Whether the process is waiting for the peer of another connection, or working on a request,
    /// before it continues with the connection.
    pub(crate) const fn is_temporary(self) -> bool {
        matches!(self, Self::SlowPeer | Self::HalfClosedPeer | Self::Request)
    }
}
