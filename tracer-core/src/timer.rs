//! The retransmission timer of a connection.

/// The timer that the kernel has armed for a connection (`inet_connection_sock.icsk_pending`),
/// named after what the kernel does when it expires. Keepalive has a timer of its own, which is not
/// among these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// None (0): no data is in flight or waiting to be sent.
    #[default]
    None,
    /// `ICSK_TIME_RETRANS` (1): data in flight is not acknowledged and will be retransmitted. On a
    /// healthy connection, it is armed for one round trip.
    Retransmit,
    /// `ICSK_TIME_PROBE0` (3): no data is in flight, data is waiting, and the peer's window has no
    /// room for the next segment, so the window will be probed. The window need not be 0: it can be
    /// a few bytes too small (measured on loopback, with its segments of 64 KiB).
    WindowProbe,
    /// Any other number: 5 and 6 (tail loss probe, reordering timeout) are armed while data is in
    /// flight.
    Other,
}

impl Timer {
    /// The timer of a kernel number (`ICSK_TIME_*` in `include/net/inet_connection_sock.h`).
    pub const fn from_kernel(number: u8) -> Self {
        match number {
            0 => Self::None,
            1 => Self::Retransmit,
            3 => Self::WindowProbe,
            _ => Self::Other,
        }
    }
}
