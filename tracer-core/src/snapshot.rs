use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::net::SocketAddr;

use smallvec::SmallVec;

use crate::{Comm, ConnectionId, ProcessKey, TcpState, Timer, Timestamp};

/// Everything that one pass of the iterator saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Snapshot {
    /// When the pass began: what it shows was so at this time or later, and is dated by it. A socket
    /// opened after this may be missing from it.
    pub started_at: Timestamp,
    /// When the pass ended.
    pub ended_at: Timestamp,
    /// The TCP sockets in scope, one entry each, however many descriptors refer to it.
    /// Boxed, so that the table takes them over as they are.
    pub sockets: Vec<Box<SocketFacts>>,
    /// The processes in scope, with all their TCP sockets: those that were not asked for too.
    pub holders: Vec<Holder>,
    /// Network namespace and port of every listener, in scope or not.
    pub listeners: BTreeSet<(u32, u16)>,
    /// Descriptors in scope of sockets that look like TCP and are not judged, by kind (`mptcp`,
    /// `sctp`, ...).
    pub not_judged: BTreeMap<String, u64>,
    /// Records that could not be decoded: a torn read of a socket that was changing.
    pub undecodable: u64,
    /// Processes in scope whose descriptors could not be read, for want of permission.
    pub unreadable: u64,
    /// Descriptors in scope of TCP sockets that are in no list of the kernel's and could not be
    /// looked at: such as are dead, and those of network namespaces that may not be entered.
    pub unopened: u64,
}

/// What one pass saw of one socket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct SocketFacts {
    /// Which socket.
    pub id: ConnectionId,
    /// Inode number of its file: the `socket:[N]` of `/proc/PID/fd` and the `ino` of `ss -e`.
    pub inode: u64,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Its state.
    pub state: TcpState,
    /// Local end.
    pub local: SocketAddr,
    /// Remote end; port 0 if it was never connected.
    pub remote: SocketAddr,
    /// Every descriptor that refers to it.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "owners"))]
    pub owners: Owners,
    /// Data received, in bytes; a FIN is not counted.
    pub rx_bytes: u64,
    /// Data sent, in bytes; retransmissions are not counted.
    pub tx_bytes: u64,
    /// Data received and not read, in bytes; a FIN is not counted.
    pub unread_bytes: u64,
    /// Data written and not acknowledged, in bytes.
    pub unsent_bytes: u64,
    /// The peer sent its FIN (`SOCK_DONE`); `None` if that is not known, as of a dead socket where
    /// the kernel's memory cannot be read.
    pub fin_received: Option<bool>,
    /// The application has taken everything from the receive queue, the FIN if there is one.
    pub drained: bool,
    /// `tcp_sock.copied_seq`: moves when the application reads.
    pub read_sequence: u32,
    /// `tcp_sock.write_seq`: moves when the application writes.
    pub write_sequence: u32,
    /// When data was last sent; `None` on a socket that was never connected. A retransmission
    /// moves it too (measured), so a dead peer is found by [`Self::last_ack_at`] and not by this.
    pub last_sent_at: Option<Timestamp>,
    /// When data was last received; `None` on a socket that was never connected.
    /// Both are set at ESTABLISHED, so the earlier one bounds the age from below.
    pub last_received_at: Option<Timestamp>,
    /// The last segment of any kind, or timer (`tcp_mstamp`). Of a socket in CLOSE: when it died.
    /// `None` where the kernel's memory cannot be read.
    pub last_segment_at: Option<Timestamp>,
    /// When the last acknowledgement was processed (`tcp_sock.rcv_tstamp`), answers to keepalive
    /// and window probes included; `None` on a socket that was never connected. It says "the peer
    /// is alive", not "in use". Data that acknowledges nothing new does not always move it, and
    /// the peer's own keepalive probes never do (measured): where it is old, look at
    /// [`Self::last_received_at`] too.
    pub last_ack_at: Option<Timestamp>,
    /// Segments with data sent, retransmissions included (`tcp_sock.data_segs_out`). The kernel
    /// counts what goes over the wire, so a write that does not fit one segment is several.
    /// Measured with Go 1.19 to 1.27 and Python: a small HTTP/1.1 GET is 1, a TLS handshake 2.
    pub data_segments_sent: u32,
    /// Segments with data received, duplicates included (`tcp_sock.data_segs_in`).
    pub data_segments_received: u32,
    /// Keepalive or window probes sent since the peer last acknowledged anything
    /// (`inet_connection_sock.icsk_probes_out`). 1 is healthy for as long as an answer takes, and
    /// for some hundred milliseconds of the first second of window probes: a peer answers those
    /// at most twice a second (`tcp_invalid_ratelimit`). Kept by a socket that died of them.
    pub unanswered_probes: u8,
    /// Timeouts in a row of the oldest unacknowledged data, or of the SYN
    /// (`inet_connection_sock.icsk_retransmits`).
    pub retransmits: u8,
    /// How often in a row the interval of the retransmission or window probe timer was doubled
    /// (`inet_connection_sock.icsk_backoff`). It goes on growing while the peer answers window
    /// probes and its window stays shut, so alone it does not say that the peer is gone.
    pub backoff: u8,
    /// Which timer is armed (`inet_connection_sock.icsk_pending`).
    pub timer: Timer,
    /// The receive window that the peer announced last, in bytes (`tcp_sock.snd_wnd`): data sent
    /// and not acknowledged takes from it.
    pub peer_window: u32,
    /// There is an error that the application has not been told (`sk_err`); `None` if that is not
    /// known.
    pub pending_error: Option<bool>,
    /// The sequence arithmetic of who opened it, where it is conclusive: see `decode`.
    pub opened_actively: Option<bool>,
}

impl SocketFacts {
    /// Something happened to the socket between the two: data, an end, a new holder. That time
    /// passed or a keepalive probe was answered is nothing.
    pub(crate) fn has_moved_since(&self, before: &Self) -> bool {
        let data = |facts: &Self| (facts.rx_bytes, facts.tx_bytes, facts.unread_bytes);
        let uses = |facts: &Self| (facts.read_sequence, facts.write_sequence, facts.unsent_bytes);
        let end =
            |facts: &Self| (facts.state, facts.fin_received, facts.drained, facts.pending_error);
        data(self) != data(before)
            || uses(self) != uses(before)
            || end(self) != end(before)
            || self.owners != before.owners
    }
}

/// The descriptors of a socket: nearly always one, which is kept in place.
pub type Owners = SmallVec<[Owner; 1]>;

/// Reads them as a list, which takes no more room at first than is likely to be needed: what is read
/// may say anything of its length.
#[cfg(feature = "serde")]
fn owners<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Owners, D::Error> {
    let owners: Vec<Owner> = serde::Deserialize::deserialize(deserializer)?;
    Ok(owners.into_iter().collect())
}

/// One file descriptor that refers to a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Owner {
    /// The process that holds it.
    pub key: ProcessKey,
    /// The descriptor's number there.
    pub fd: u32,
    /// The process's name.
    pub comm: Comm,
    /// The user asked for this process (always true when the user asked for all).
    pub in_scope: bool,
}

/// A process that holds TCP sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Holder {
    /// Which process.
    pub key: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// Descriptors that refer to TCP sockets, listeners included.
    pub tcp_fds: u64,
}

impl Holder {
    /// The processes in scope that hold these sockets.
    pub fn of(sockets: &[Box<SocketFacts>]) -> Vec<Self> {
        let mut holders: BTreeMap<ProcessKey, Self> = BTreeMap::new();
        let owners = sockets.iter().flat_map(|facts| &facts.owners);
        for owner in owners.filter(|owner| owner.in_scope) {
            let new = || Self { key: owner.key, comm: owner.comm.clone(), tcp_fds: 0 };
            holders.entry(owner.key).or_insert_with(new).tcp_fds += 1;
        }
        holders.into_values().collect()
    }
}
