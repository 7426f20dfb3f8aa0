use crate::COMM_LENGTH;

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// CLOSE to SYN_SENT, in the context of the task that called `connect`.
    Connect = 1,
    /// `accept` returned a socket to the task that called it.
    Accept = 2,
    /// The socket changed state, in any context: the current task means nothing.
    State = 3,
    /// The kernel destroyed the socket (`tcp:tcp_destroy_sock`): no file refers to it any more.
    Destroy = 4,
}

/// One lifecycle event, as it travels through the ring buffer `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct EventRecord {
    /// When, in nanoseconds of `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`).
    pub at_ns: u64,
    /// The socket's cookie (`bpf_get_socket_cookie`), or 0 if it has none yet.
    pub cookie: u64,
    /// `task_struct.group_leader->start_boottime` of the task, nanoseconds since boot; 0 if `pid` is.
    pub start_time_ns: u64,
    /// An [`EventKind`].
    pub kind: u32,
    /// Process id (thread group) as the tracer's pid namespace sees it; 0 if the event cannot be
    /// attributed or the process is outside that namespace.
    pub pid: u32,
    /// For [`EventKind::Accept`] the file descriptor that `accept` returned, else -1.
    pub fd: i32,
    /// Inode number of the socket's network namespace (`net.ns.inum`).
    pub netns: u32,
    /// Number of the user's stack in the map `STACKS`, of [`EventKind::Connect`] and
    /// [`EventKind::Accept`] if [`Settings::with_stacks`](crate::Settings::with_stacks); negative
    /// if there is none.
    pub stack: i32,
    /// Explicit padding, zero.
    pub padding: u32,
    /// `skc_family`.
    pub family: u16,
    /// Local port in host byte order; 0 at `connect` unless the socket was bound.
    pub local_port: u16,
    /// Remote port in host byte order.
    pub remote_port: u16,
    /// State before (`TCP_*` of `include/net/tcp_states.h`); 0 where there is none.
    pub old_state: u8,
    /// State after.
    pub new_state: u8,
    /// Local address in network byte order; IPv4 uses the first four bytes.
    pub local_address: [u8; 16],
    /// Remote address in network byte order; IPv4 uses the first four bytes.
    pub remote_address: [u8; 16],
    /// `comm` of the thread group leader; zeros if `pid` is 0.
    pub comm: [u8; COMM_LENGTH],
}

const _: () = assert!(size_of::<EventRecord>() == 104);
const _: () = assert!(align_of::<EventRecord>() == 8);
