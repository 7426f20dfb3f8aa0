use crate::COMM_LENGTH;

/// One file descriptor that refers to a stream socket of IPv4 or IPv6, as the iterator
/// `iter/task_file` writes it. A socket with several file descriptors appears several times.
///
/// If `protocol` is not `IPPROTO_TCP` (MPTCP, SMC, SCTP), the fields of `tcp_sock`,
/// `inet_connection_sock` and `skc_flags` are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct SocketRecord {
    /// The socket's cookie (`bpf_get_socket_cookie`), or its [`Identity`](crate::Identity) with
    /// [`Settings::without_socket_helpers`](crate::Settings::without_socket_helpers); 0 if the map
    /// `IDENTITIES` is full.
    pub cookie: u64,
    /// Inode number of the socket's file (`inode.i_ino`): the `socket:[N]` of `/proc/PID/fd`.
    pub inode: u64,
    /// `task_struct.group_leader->start_boottime`, nanoseconds since boot.
    pub start_time_ns: u64,
    /// Time of this record, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Time of this record, `bpf_jiffies64`.
    pub jiffies: u64,
    /// `tcp_sock.bytes_received`: includes 1 for a received FIN.
    pub bytes_received: u64,
    /// `tcp_sock.bytes_acked`: includes 1 for an acknowledged SYN and 1 for an acknowledged FIN.
    pub bytes_acked: u64,
    /// `tcp_sock.bytes_sent`: data only, retransmissions included.
    pub bytes_sent: u64,
    /// `tcp_sock.bytes_retrans`.
    pub bytes_retransmitted: u64,
    /// `tcp_sock.tcp_mstamp`: time of the last segment or timer, microseconds of
    /// `CLOCK_MONOTONIC`.
    pub last_segment_us: u64,
    /// `tcp_sock.rcvq_space.time`: when the application last read data, or when the connection was
    /// established if it has read none; microseconds of `CLOCK_MONOTONIC`. 0 if it has read again
    /// since then (`rcvq_space.seq` differs from `copied_seq`). In `tcp_rcv_space_adjust`, the
    /// kernel does not record a read that follows another one within the round-trip time, a read
    /// before it has measured that time (between programs on one host, until a window of data has
    /// arrived), or a read that returns EOF.
    pub last_read_us: u64,
    /// `sock_common.skc_flags` (`sk_flags`): a bit set indexed by `enum sock_flags`.
    pub flags: u64,
    /// Process id (thread group) in the tracer's pid namespace.
    pub pid: u32,
    /// The file descriptor.
    pub fd: u32,
    /// Inode number of the socket's network namespace (`net.ns.inum`).
    pub netns: u32,
    /// `tcp_sock.rcv_nxt`.
    pub rcv_nxt: u32,
    /// `tcp_sock.copied_seq`.
    pub copied_seq: u32,
    /// `tcp_sock.snd_una`.
    pub snd_una: u32,
    /// `tcp_sock.write_seq`.
    pub write_seq: u32,
    /// `tcp_sock.lsndtime`: low 32 bits of jiffies when data was last sent or retransmitted; set
    /// at ESTABLISHED.
    pub last_sent_jiffies: u32,
    /// `inet_connection_sock.icsk_ack.lrcvtime`: low 32 bits of jiffies when data was last
    /// received; set at ESTABLISHED, 0 on a socket that was never established.
    pub last_received_jiffies: u32,
    /// `tcp_sock.rcv_tstamp`: low 32 bits of jiffies when the last ACK was processed, including
    /// replies to this side's keepalive and window probes; 0 on a socket that never received one.
    pub last_ack_jiffies: u32,
    /// `tcp_sock.data_segs_out`: segments with data sent, retransmissions included.
    pub data_segments_sent: u32,
    /// `tcp_sock.data_segs_in`: segments with data received, duplicates included.
    pub data_segments_received: u32,
    /// `tcp_sock.snd_wnd`: the receive window that the peer last advertised, in bytes.
    pub peer_window: u32,
    /// `sock.sk_err`: the pending error (an `errno`) that the application has not fetched yet; 0 if
    /// none.
    pub error: u32,
    /// `sock_common.skc_family`.
    pub family: u16,
    /// `sock.sk_type`.
    pub socket_type: u16,
    /// `sock.sk_protocol`.
    pub protocol: u16,
    /// Local port in host byte order: of TCP `inet_sock.inet_sport`, which a closed socket keeps;
    /// otherwise `sock_common.skc_num`.
    pub local_port: u16,
    /// Remote port in host byte order (`sock_common.skc_dport`).
    pub remote_port: u16,
    /// `sock_common.skc_state`.
    pub state: u8,
    /// `inet_connection_sock.icsk_pending`: which timer is armed (`ICSK_TIME_*` in
    /// `include/net/inet_connection_sock.h`), 0 if none.
    pub timer: u8,
    /// `inet_connection_sock.icsk_retransmits`: consecutive timeouts of the oldest unacknowledged
    /// data.
    pub retransmits: u8,
    /// `inet_connection_sock.icsk_backoff`: how many times in a row the timer's interval was
    /// doubled.
    pub backoff: u8,
    /// `inet_connection_sock.icsk_probes_out`: unanswered keepalive or window probes.
    pub probes_out: u8,
    /// Explicit padding, zero.
    pub padding: u8,
    /// Local address in network byte order; IPv4 uses the first four bytes.
    pub local_address: [u8; 16],
    /// Remote address in network byte order; IPv4 uses the first four bytes.
    pub remote_address: [u8; 16],
    /// `comm` of the thread group leader.
    pub comm: [u8; COMM_LENGTH],
}

const _: () = assert!(size_of::<SocketRecord>() == 216);
const _: () = assert!(align_of::<SocketRecord>() == 8);
