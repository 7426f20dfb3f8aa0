//! The data that the iterator over file tables (`iter/task`) shares with user space.

use crate::COMM_LENGTH;

/// Number of file descriptors that one run of the program visits: one word of the bit set of open
/// file descriptors. The kernel allocates file tables in multiples of it (`alloc_fdtable` in
/// `fs/file.c`).
pub const CHUNK_FDS: usize = 64;

/// Number of words of the bit set of open file descriptors that are read at a time.
pub const CHUNK_WORDS: usize = 64;

/// Maximum number of [`SocketBlock`]s.
pub const BLOCKS_MAX: usize = 16;

/// Size of [`RawSocketRecord::bytes`].
pub const BLOCK_BYTES_MAX: usize = 448;

/// Number of entries of the map `RECORDS`: 256 KiB, which fit into a CPU's cache.
pub const RAW_RECORDS_MAX: u32 = 512;

/// Number of records of a pass that the next pass can recognize: half of the entries of the map
/// `SEEN`.
pub const SEEN_MAX: u32 = 65_536;

/// Number of entries of the map `PROCESSES`.
pub const RAW_PROCESSES_MAX: u32 = 8_192;

/// Consecutive bytes of a socket that are copied at a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct SocketBlock {
    /// Offset in `struct tcp_sock`, in bytes.
    pub offset: u32,
    /// Length in bytes.
    pub length: u32,
    /// Position in [`RawSocketRecord::bytes`].
    pub position: u32,
}

/// The bytes that are copied from a socket: the read-only global `BLOCKS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct SocketBlocks {
    /// The blocks, in the order in which they are copied. The unused ones at the end have length 0.
    pub blocks: [SocketBlock; BLOCKS_MAX],
    /// Position of `sock_common.skc_net.net` in [`RawSocketRecord::bytes`].
    pub net_position: u32,
}

/// One file descriptor that refers to a stream socket of IPv4 or IPv6: an entry of the map
/// `RECORDS`. User space converts it to a [`SocketRecord`](crate::SocketRecord).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct RawSocketRecord {
    /// Inode number of the socket's file (`inode.i_ino`).
    pub inode: u64,
    /// `task_struct.group_leader->start_boottime`, nanoseconds since boot.
    pub start_time_ns: u64,
    /// Time of this record, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Time of this record, `bpf_jiffies64`.
    pub jiffies: u64,
    /// Process id (thread group) in the tracer's pid namespace.
    pub pid: u32,
    /// The file descriptor.
    pub fd: u32,
    /// Inode number of the socket's network namespace (`net.ns.inum`).
    pub netns: u32,
    /// The number, counted from 1, of the record of the previous pass since which the socket has
    /// not changed; 0 if there is none. If it is not 0, only [`pid`](Self::pid) and
    /// [`fd`](Self::fd) of the other fields are set.
    pub previous: u32,
    /// `comm` of the thread group leader.
    pub comm: [u8; COMM_LENGTH],
    /// The [`SocketBlocks`] of the socket. The bytes beyond `struct sock` are meaningless if it is
    /// not a TCP socket.
    pub bytes: [u8; BLOCK_BYTES_MAX],
}

const _: () = assert!(size_of::<RawSocketRecord>() == 512);

/// A process with records in a pass: an entry of the map `PROCESSES`. All fields of tasks are those
/// of the thread group leader. User space compares the addresses, and never uses them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct RawProcess {
    /// `task_struct.start_boottime`, nanoseconds since boot.
    pub start_time_ns: u64,
    /// `task_struct.self_exec_id`, which each `execve` increments.
    pub exec_number: u64,
    /// Address of the credentials of the process (`task_struct.real_cred`); it differs once they
    /// change.
    pub credentials: u64,
    /// Address of the set of cgroups of the process (`task_struct.cgroups`); it differs once the
    /// process is moved.
    pub cgroups: u64,
    /// Soft limit of open files (`signal_struct.rlim[RLIMIT_NOFILE].rlim_cur`).
    pub fd_limit: u64,
    /// `task_struct.jobctl`.
    pub job_control: u64,
    /// `task_struct.__state`.
    pub state: u32,
    /// `task_struct.flags`.
    pub flags: u32,
    /// Process id (thread group) in the tracer's pid namespace.
    pub pid: u32,
    /// Number of open file descriptors of every type (`fdtable.open_fds`).
    pub open_fds: u32,
}

const _: () = assert!(size_of::<RawProcess>() == 64);

/// The progress of a pass: the only entry of the map `PROGRESS`. User space zeroes it before a
/// pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct TableProgress {
    /// Number of entries of the map `RECORDS`. User space sets it to 0 when it has read them.
    pub records: u32,
    /// The task (`task_struct.pid`) that was visited last; 0 if there is none.
    pub task: u32,
    /// The first file descriptor of the task [`task`](Self::task) that has not been visited.
    pub fd: u32,
    /// Number of open file descriptors of the task before [`fd`](Self::fd).
    pub open_fds: u32,
    /// Number of entries of the map `PROCESSES`.
    pub processes: u32,
    /// The number of the task's entry in the map `PROCESSES`, counted from 1; 0 if there is none.
    pub process: u32,
    /// Number of records of this pass so far.
    pub total: u32,
    /// The half of the map `SEEN` that this pass fills: 0 or 1. The other half has the entries of
    /// the previous pass.
    pub half: u32,
    /// Number of entries of the previous pass in the map `SEEN`; 0 if user space does not know that
    /// pass.
    pub before: u32,
    /// The first entry of the previous pass that may be about a file descriptor that has not been
    /// visited.
    pub next: u32,
}

/// The facts about the socket of one record by which the next pass recognizes that it has not
/// changed: an entry of the map `SEEN`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct SeenSocket {
    /// The task (`task_struct.pid`, upper half) and the file descriptor (lower half).
    pub place: u64,
    /// Address of the `struct sock`.
    pub sock: u64,
    /// A hash of the values of which at least one changes whenever anything in a record does; 0 if
    /// the socket must be read again. The lowest bit says that the hashed values had not changed
    /// since the pass before when the record was read, so the record is complete.
    pub contents: u64,
}

/// Memory of the program: the only entry of the map `CHUNK`. Addresses are those of the kernel; 0
/// is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct TableChunk {
    /// Address of `socket_file_ops`, as `iter/task_file` found it in the file of a socket.
    pub socket_operations: u64,
    /// The network namespace of the latest socket.
    pub net: u64,
    /// Inode number of the network namespace of the latest socket.
    pub netns: u64,
    /// Index in [`open`](Self::open) of the first word that is not 0, and of the second one;
    /// [`u64::MAX`] if there is none.
    pub occupied: [u64; 2],
    /// The bits of open file descriptors.
    pub open: [u64; CHUNK_WORDS],
    /// The entries of the file table.
    pub files: [u64; CHUNK_FDS],
    /// Addresses of the `struct socket` of the files that are sockets.
    pub sockets: [u64; CHUNK_FDS],
    /// Addresses of the `struct sock` of the files that are stream sockets of IPv4 or IPv6.
    pub socks: [u64; CHUNK_FDS],
    /// The number of the record of the previous pass for the same file descriptor and `struct sock`,
    /// counted from 1; 0 if there is none.
    pub previous: [u64; CHUNK_FDS],
}
