use zerocopy::{FromBytes, Immutable, KnownLayout};

/// The beginning of `struct tcp_info` (`include/uapi/linux/tcp.h`), as of Linux 5.4. Later versions
/// append fields.
#[derive(Clone, Copy, Debug, Default, FromBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct TcpInfo {
    pub(super) state: u8,
    congestion_state: u8,
    pub(super) retransmits: u8,
    pub(super) probes: u8,
    pub(super) backoff: u8,
    options_and_scales: [u8; 3],
    /// From the timeout to the count of forward acknowledgments.
    timeouts_and_segments: [u32; 9],
    pub(super) last_data_sent_ms: u32,
    last_ack_sent_ms: u32,
    pub(super) last_data_received_ms: u32,
    pub(super) last_ack_received_ms: u32,
    /// From the path MTU to the count of all retransmissions.
    path: [u32; 11],
    pacing_rates: [u64; 2],
    pub(super) bytes_acked: u64,
    pub(super) bytes_received: u64,
    segments: [u32; 2],
    not_sent_bytes: u32,
    least_round_trip: u32,
    pub(super) data_segments_in: u32,
    pub(super) data_segments_out: u32,
    /// From the delivery rate to the time for which the send buffer was the limit.
    rates: [u64; 4],
    delivered: [u32; 2],
    pub(super) bytes_sent: u64,
    pub(super) bytes_retransmitted: u64,
    disorder: [u32; 3],
    /// The window that the peer last advertised.
    pub(super) send_window: u32,
}

const _: () = assert!(size_of::<TcpInfo>() == 232);

impl TcpInfo {
    /// Parses it; `None` if the kernel is older and has fewer fields.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self::read_from_prefix(bytes).ok()?.0)
    }

    /// Whether the socket was ever connected: data was acknowledged or received, or a window
    /// advertised.
    pub(super) const fn was_connected(&self) -> bool {
        self.bytes_acked > 0 || self.bytes_received > 0 || self.send_window > 0
    }
}
