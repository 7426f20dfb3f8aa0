/// The key of the map `LEDGER`: one response of a Go program's HTTP client that was handed out and
/// not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "user",
    derive(zerocopy::FromBytes, zerocopy::IntoBytes, zerocopy::Immutable, zerocopy::KnownLayout)
)]
#[repr(C)]
pub struct LedgerKey {
    /// Address in the program of what carries the response, by `kind`.
    pub carrier: u64,
    /// Process id (thread group) in the initial pid namespace: cheap, and unique.
    pub tgid: u32,
    /// A [`LedgerKind`].
    pub kind: u32,
}

/// What carries a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum LedgerKind {
    /// HTTP/1: a `net/http.persistConn`, which has one response at a time.
    Connection = 1,
    /// HTTP/2: a `http2clientStream`.
    Stream = 2,
    /// HTTP/2, before there is a stream: the `*http.Request`.
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
    /// When the request was made, nanoseconds of `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// `task_struct.group_leader->start_boottime`, nanoseconds since boot.
    pub start_time_ns: u64,
    /// Process id as the tracer's pid namespace sees it.
    pub pid: u32,
    /// Number of the user's stack in the map `STACKS`, negative if it was not kept.
    pub stack: i32,
}

const _: () = assert!(size_of::<LedgerKey>() == 16);
const _: () = assert!(size_of::<LedgerRecord>() == 24);
