/// The key of the map `LEDGER`: one open HTTP response in a Go program's HTTP client. It was
/// requested, and has been neither read to EOF nor closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct LedgerKey {
    /// Address, in the memory of the program, of the object that `kind` names.
    pub object: u64,
    /// Process id (thread group) in the initial pid namespace, from `bpf_get_current_pid_tgid`: it
    /// is cheap to read and unique on the host.
    pub tgid: u32,
    /// A [`LedgerKind`].
    pub kind: u32,
}

/// The type of the Go object whose address identifies an open response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LedgerKind {
    /// HTTP/1: a `*net/http.persistConn`, which carries one response at a time.
    Connection = 1,
    /// HTTP/2: a `*http2clientStream` (`clientStream` in `net/http/internal/http2` and
    /// `golang.org/x/net/http2`).
    Stream = 2,
    /// HTTP/2 before a stream is assigned: the `*net/http.Request`.
    Request = 3,
}

/// The value of the map `LEDGER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct LedgerRecord {
    /// Time of the request, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// `task_struct.group_leader->start_boottime`, nanoseconds since boot.
    pub start_time_ns: u64,
    /// The user stack at which the request was made, by the hash in its
    /// [`StackKey`](crate::StackKey); [`NO_STACK`](crate::NO_STACK) if it was not kept.
    pub stack: u64,
    /// Process id (thread group) in the tracer's pid namespace; 0 if it is not visible there.
    pub pid: u32,
    /// Explicit padding, zero.
    pub padding: u32,
}

const _: () = assert!(size_of::<LedgerKey>() == 16);
const _: () = assert!(size_of::<LedgerRecord>() == 32);
