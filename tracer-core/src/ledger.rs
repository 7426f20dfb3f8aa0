//! Open HTTP responses, and the call sites of stacks.
//!
//! Uprobes in Go's `net/http` maintain a BPF map, the *ledger*: it has an entry for each open
//! response, whose body was neither read to EOF nor closed. The ledger is state, not a stream of
//! events, and is read completely after each snapshot.

use alloc::{string::String, vec::Vec};

use crate::{CallSiteReason, Limit, ProcessKey, Timestamp};

/// Number of a user stack, valid for one run. Two stacks never share a number, and equal stacks of
/// a process usually have equal numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId(pub u32);

/// The complete list of open responses of one process: a response that is not on the list was
/// released (its body was read to EOF or closed).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// The process.
    pub process: ProcessKey,
    /// When the list was read.
    pub at: Timestamp,
    /// The responses that are old enough to be suspicious. Younger ones are left out.
    pub open: Vec<OpenResponse>,
    /// Why the list is incomplete; empty if it is complete.
    pub limits: Vec<Limit>,
}

/// An open HTTP response: its body was neither read to EOF nor closed, and its connection (in
/// HTTP/2: its stream) still belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenResponse {
    /// File descriptor of its connection in that process, verified to be an open TCP socket.
    pub fd: u32,
    /// When the request was made (call of `roundTrip`).
    pub since: Timestamp,
    /// The user stack that made the request; `None` if it was not kept.
    pub stack: Option<StackId>,
    /// The HTTP/2 stream of the response; `None` for HTTP/1.
    pub stream: Option<HttpStream>,
}

/// A stream of HTTP/2 (RFC 9113 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HttpStream {
    /// Stream identifier.
    pub id: u32,
    /// Bytes of the response that are buffered in the program's memory and that the application has
    /// not read.
    pub held_bytes: u64,
    /// A counter that decreases (and wraps) with every byte that the application reads, and changes
    /// for no other reason. It shows slow reading while new data keeps the buffer full.
    pub read_mark: u64,
}

/// The answer to [`Question::CallSite`](crate::Question::CallSite).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The process.
    pub process: ProcessKey,
    /// The stack.
    pub stack: StackId,
    /// `func file:line` of the innermost call that belongs to the application; `None` if there is
    /// none or it is unknown.
    pub location: Option<String>,
    /// Why it is unknown; `None` if it is known, or if no frame belongs to the application.
    pub reason: Option<CallSiteReason>,
}

/// Numbers of goroutines of a Go process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Goroutines {
    /// All goroutines of the program, without the runtime's own.
    pub total: u64,
    /// Goroutines in `net/http.(*persistConn).readLoop`.
    pub read_loops: u64,
    /// Goroutines in `net/http.(*persistConn).writeLoop`.
    pub write_loops: u64,
}
