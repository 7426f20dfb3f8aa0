use crate::COMM_LENGTH;

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum EventKind {
    /// `TCP_CLOSE` to `TCP_SYN_SENT`, in the context of the task that called `connect`.
    Connect = 1,
    /// `accept` or `accept4` returned a file descriptor to the task that called it.
    Accept = 2,
    /// The socket entered `TCP_ESTABLISHED`, `TCP_CLOSE_WAIT` or, while a file still refers to it,
    /// `TCP_CLOSE`. This may run in a softirq on top of any task, so no process is attributed.
    State = 3,
    /// The kernel destroyed the socket (`tcp:tcp_destroy_sock`): no file refers to it any longer.
    Destroy = 4,
}

/// One lifecycle event, as a record of the ring buffer `EVENTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct EventRecord {
    /// Time of the event, nanoseconds of `CLOCK_MONOTONIC` (`bpf_ktime_get_ns`).
    pub at_ns: u64,
    /// The socket's cookie (`bpf_get_socket_cookie`), or its [`Identity`](crate::Identity) with
    /// [`Settings::without_socket_helpers`](crate::Settings::without_socket_helpers); 0 if the map
    /// `IDENTITIES` is full.
    pub cookie: u64,
    /// `task_struct.group_leader->start_boottime` of the task, nanoseconds since boot; 0 if `pid`
    /// is 0.
    pub start_time_ns: u64,
    /// An [`EventKind`].
    pub kind: u32,
    /// Process id (thread group) in the tracer's pid namespace; 0 if the event cannot be attributed
    /// or the process is not visible in that namespace.
    pub pid: u32,
    /// For [`EventKind::Accept`] the file descriptor that `accept` returned, otherwise -1.
    pub fd: i32,
    /// Inode number of the socket's network namespace (`net.ns.inum`).
    pub netns: u32,
    /// The user stack, by the hash in its [`StackKey`](crate::StackKey), for
    /// [`EventKind::Connect`] and [`EventKind::Accept`] with
    /// [`Settings::with_stacks`](crate::Settings::with_stacks); otherwise
    /// [`NO_STACK`](crate::NO_STACK).
    pub stack: u64,
    /// `sock_common.skc_family`.
    pub family: u16,
    /// Local port in host byte order (`inet_sock.inet_sport`); 0 at `connect` unless the socket was
    /// bound.
    pub local_port: u16,
    /// Remote port in host byte order (`sock_common.skc_dport`).
    pub remote_port: u16,
    /// State before the event (`TCP_*` of `include/net/tcp_states.h`); 0 for
    /// [`EventKind::Accept`].
    pub old_state: u8,
    /// State after the event; the same as `old_state` for [`EventKind::Destroy`].
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
