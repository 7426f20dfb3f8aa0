//! What a snapshot of all open sockets shows.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};
use core::net::SocketAddr;

use smallvec::SmallVec;

use crate::{Comm, ConnectionId, ProcessKey, TcpState, Timer, Timestamp};

/// The result of one pass over all open file descriptors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// When the pass began. What it shows was true at this time or later; this is the timestamp
    /// used. A socket that was opened later may be missing.
    pub started_at: Timestamp,
    /// When the pass ended.
    pub ended_at: Timestamp,
    /// The TCP sockets in scope, one entry each, regardless of how many file descriptors refer to
    /// it. The same `Arc` as in the previous snapshot means that nothing about the socket has
    /// changed; the connection table then skips it.
    pub sockets: Vec<Arc<SocketFacts>>,
    /// The processes in scope, with all their TCP sockets, in scope or not.
    pub holders: Vec<Holder>,
    /// Network namespace and port of every listener, in scope or not.
    pub listeners: BTreeSet<(u32, u16)>,
    /// File descriptors in scope of sockets that look like TCP but are not judged, by protocol
    /// (`mptcp`, `smc`, `sctp`, `other`).
    pub not_judged: BTreeMap<String, u64>,
    /// Records that could not be decoded, because the socket changed while it was read.
    pub undecodable: u64,
    /// Processes in scope whose file descriptors could not be read without more privileges.
    pub unreadable: u64,
    /// File descriptors in scope of TCP sockets that sock_diag(7) does not list and that could not
    /// be inspected: dead ones, and those in network namespaces that may not be entered.
    pub unopened: u64,
}

/// What one snapshot saw of one socket. Kernel fields are those of `struct tcp_sock` unless another
/// structure is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketFacts {
    /// The identity of the socket.
    pub id: ConnectionId,
    /// Inode number of the socket's file: the `socket:[N]` of `/proc/PID/fd` and the `ino` of `ss
    /// -e`.
    pub inode: u64,
    /// Inode number of the socket's network namespace.
    pub netns: u32,
    /// The TCP state of the socket (`sk_state`).
    pub state: TcpState,
    /// Local address.
    pub local: SocketAddr,
    /// Remote address; port 0 if the socket was never connected.
    pub remote: SocketAddr,
    /// Every file descriptor that refers to the socket.
    pub owners: Owners,
    /// Data received, in bytes (`bytes_received`, without the FIN).
    pub rx_bytes: u64,
    /// Data sent, in bytes (`bytes_sent` less `bytes_retrans`).
    pub tx_bytes: u64,
    /// Data received and not read, in bytes (`rcv_nxt` less `copied_seq`, without the FIN).
    pub unread_bytes: u64,
    /// Data written and not acknowledged, in bytes (`write_seq` less `snd_una`).
    pub unsent_bytes: u64,
    /// Whether the peer's FIN was received (`SOCK_DONE` in `sk_flags`); `None` if unknown, as for a
    /// dead socket if kernel memory cannot be read.
    pub fin_received: Option<bool>,
    /// Whether the application has read everything from the receive queue, including the FIN if
    /// there is one.
    pub drained: bool,
    /// `copied_seq`: advances when the application reads.
    pub read_sequence: u32,
    /// `write_seq`: advances when the application writes.
    pub write_sequence: u32,
    /// When data was last sent (`lsndtime`); `None` on a socket that was never connected. A
    /// retransmission updates it (measured), so a dead peer shows only in [`Self::last_ack_at`].
    pub last_sent_at: Option<Timestamp>,
    /// When data was last received (`icsk_ack.lrcvtime`); `None` on a socket that was never
    /// connected. Both are set on entry to ESTABLISHED, so the earlier one is a lower bound of the
    /// age.
    pub last_received_at: Option<Timestamp>,
    /// When the application last read data, or when the connection was established if it has read
    /// none (`rcvq_space.time`). `None` if the kernel did not record the latest read: it followed
    /// another one within the round-trip time, preceded the first measurement of that time, or
    /// returned EOF.
    pub last_read_at: Option<Timestamp>,
    /// The last segment of any kind, or timer (`tcp_mstamp`). For a socket in CLOSE: when it died.
    /// `None` if kernel memory cannot be read.
    pub last_segment_at: Option<Timestamp>,
    /// When the last ACK was processed (`rcv_tstamp`), including answers to keepalive and window
    /// probes; `None` on a socket that was never connected. It shows that the peer is alive, not
    /// that the connection is used. Data that acknowledges nothing new does not always update it,
    /// and the peer's own keepalive probes never do (measured): if it is old, check
    /// [`Self::last_received_at`] as well.
    pub last_ack_at: Option<Timestamp>,
    /// Segments with data sent, including retransmissions (`data_segs_out`). A write that does not
    /// fit into one segment counts several times. Measured with Go 1.19 to 1.27 and Python: a small
    /// HTTP/1.1 GET is 1, a TLS handshake 2.
    pub data_segments_sent: u32,
    /// Segments with data received, including duplicates (`data_segs_in`).
    pub data_segments_received: u32,
    /// Keepalive or window probes sent since the peer last acknowledged anything
    /// (`inet_connection_sock.icsk_probes_out`). 1 is healthy for one round trip, and for a few
    /// hundred milliseconds of the first second of window probes, because a peer answers those at
    /// most twice a second (`tcp_invalid_ratelimit`). A socket that died because of unanswered
    /// probes keeps the number.
    pub unanswered_probes: u8,
    /// Consecutive timeouts of the oldest unacknowledged data, or of the SYN
    /// (`inet_connection_sock.icsk_retransmits`).
    pub retransmits: u8,
    /// How many times in a row the interval of the retransmission or window probe timer was doubled
    /// (`inet_connection_sock.icsk_backoff`). It also grows while the peer answers window probes
    /// and its window stays closed, so on its own it does not show that the peer is gone.
    pub backoff: u8,
    /// Which timer is armed (`inet_connection_sock.icsk_pending`).
    pub timer: Timer,
    /// The receive window that the peer last advertised, in bytes (`snd_wnd`). Data in flight
    /// counts against it.
    pub peer_window: u32,
    /// Whether an error is pending that the application has not fetched (`sk_err`); `None` if
    /// unknown.
    pub pending_error: Option<bool>,
    /// Whether this side opened the connection; `None` if sequence numbers are not conclusive: see
    /// [`decode`](crate::decode).
    pub opened_actively: Option<bool>,
}

impl SocketFacts {
    /// Whether data moved, the state changed or the owners changed between the two snapshots.
    /// Answered keepalive probes do not count.
    pub(crate) fn has_changed_since(&self, before: &Self) -> bool {
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

/// The file descriptors of a socket: nearly always one, which is stored inline.
pub type Owners = SmallVec<[Owner; 1]>;

/// One file descriptor that refers to a socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The process that holds the file descriptor.
    pub key: ProcessKey,
    /// The file descriptor's number in the process.
    pub fd: u32,
    /// The process's name.
    pub comm: Comm,
    /// Whether the process is in scope. Always true if the user did not restrict the scope.
    pub in_scope: bool,
}

/// A process that holds TCP sockets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process and its start time.
    pub key: ProcessKey,
    /// The name of the process.
    pub comm: Comm,
    /// File descriptors that refer to TCP sockets, including listeners.
    pub tcp_fds: u64,
}

impl Holder {
    /// The processes in scope that hold these sockets.
    pub fn of(sockets: &[Arc<SocketFacts>]) -> Vec<Self> {
        let mut holders: BTreeMap<ProcessKey, Self> = BTreeMap::new();
        let mut add = |run: Self| {
            let key = run.key;
            let holder = holders.entry(key).or_insert(Self { tcp_fds: 0, ..run.clone() });
            holder.tcp_fds = holder.tcp_fds.saturating_add(run.tcp_fds);
        };
        // The sockets of a process are mostly adjacent.
        let mut run: Option<Self> = None;
        let owners = sockets.iter().flat_map(|facts| &facts.owners);
        for owner in owners.filter(|owner| owner.in_scope) {
            match &mut run {
                Some(run) if run.key == owner.key => run.tcp_fds = run.tcp_fds.saturating_add(1),
                _ => {
                    let new = Self { key: owner.key, comm: owner.comm.clone(), tcp_fds: 1 };
                    run.replace(new).into_iter().for_each(&mut add);
                }
            }
        }
        run.into_iter().for_each(add);
        holders.into_values().collect()
    }
}
