use crate::COMM_LENGTH;

/// Number of file descriptors that one run of the iterator `iter/task` visits. The kernel allocates
/// file tables in multiples of the bits of a `long` (`alloc_fdtable` in `fs/file.c`).
pub const CHUNK_FDS: usize = 64;

/// Number of words of the bit set of open file descriptors that are read at a time.
pub const CHUNK_WORDS: usize = 64;

/// Maximum number of [`Block`]s.
pub const BLOCKS_MAX: usize = 16;

/// Size of [`RawRecord::bytes`].
pub const BLOCK_BYTES_MAX: usize = 448;

/// Number of records in the map `RECORDS`.
pub const RAW_RECORDS: u32 = 512;

/// Consecutive bytes of a socket that the iterator `iter/task` copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Block {
    /// Offset in `struct tcp_sock`, in bytes.
    pub offset: u32,
    /// Length in bytes. 0 behind the last block.
    pub length: u32,
    /// Position in [`RawRecord::bytes`].
    pub position: u32,
}

/// What is copied of a socket, in the order in which it is read: the read-only global `BLOCKS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Blocks {
    /// The blocks, up to the first of length 0.
    pub blocks: [Block; BLOCKS_MAX],
}

/// One file descriptor that refers to a stream socket of IPv4 or IPv6, as the iterator `iter/task`
/// writes it to the map `RECORDS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct RawRecord {
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
    /// Explicit padding, zero.
    pub padding: u32,
    /// `comm` of the thread group leader.
    pub comm: [u8; COMM_LENGTH],
    /// The [`Blocks`] of the socket.
    pub bytes: [u8; BLOCK_BYTES_MAX],
}

const _: () = assert!(size_of::<RawRecord>() == 512);

/// How far a pass of the iterator `iter/task` is: the only entry of the map `PROGRESS`, which user
/// space sets to zeros before a pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Progress {
    /// Number of records in the map `RECORDS` that user space has not taken.
    pub records: u32,
    /// The task (`task_struct.pid`) whose file table is not finished; 0 if there is none.
    pub task: u32,
    /// The first file descriptor of that task that was not visited.
    pub fd: u32,
    /// Number of file descriptors of sockets that were not reported because the file table changed
    /// meanwhile.
    pub changed: u32,
}

/// Memory of the iterator `iter/task`: the only entry of the map `CHUNK`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct Chunk {
    /// Address of `socket_file_ops`, as the iterator `iter/task_file` saw it in the file of a
    /// socket; 0 if it has not seen one.
    pub socket_operations: u64,
    /// The first word of [`open`](Self::open) that is not 0, and the second one.
    pub found: [u64; 2],
    /// Bits of the file descriptors that are open.
    pub open: [u64; CHUNK_WORDS],
    /// The entries of the file table.
    pub files: [u64; CHUNK_FDS],
    /// Their `struct socket`; 0 if the file is not a socket.
    pub sockets: [u64; CHUNK_FDS],
    /// The `struct sock` of those; 0 if it is not a stream socket of IPv4 or IPv6.
    pub socks: [u64; CHUNK_FDS],
}
