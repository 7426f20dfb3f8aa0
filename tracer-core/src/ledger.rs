//! What a ledger in a running program says: which responses its HTTP client has handed out and not
//! got back, and where in the program's code something was asked for.

use alloc::{string::String, vec::Vec};

use crate::{ProcessKey, Timestamp};

/// A user stack that the kernel side keeps: its number there. Equal stacks have one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct StackId(pub u32);

/// The page of one process, whole: what is not on it was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Ledger {
    /// Whose.
    pub process: ProcessKey,
    /// When it was read.
    pub at: Timestamp,
    /// The responses that have been out for a while: whoever reads the ledger leaves out those that
    /// are too young to be suspicious.
    pub open: Vec<OpenResponse>,
    /// Why it is not complete, one sentence.
    pub limits: Option<String>,
}

/// A response that was handed out: its body was neither read to the end nor closed, and its
/// connection (or, in HTTP/2, stream) is still its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct OpenResponse {
    /// The descriptor of its connection in that process, verified to be an open TCP socket.
    pub fd: u32,
    /// When the request was made (`roundTrip` was called).
    pub since: Timestamp,
    /// Who made it; `None` if the stack could not be kept.
    pub stack: Option<StackId>,
    /// Its stream, if the connection speaks HTTP/2 and so has many.
    pub stream: Option<HttpStream>,
}

/// A stream of HTTP/2 (RFC 9113 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct HttpStream {
    /// Its number.
    pub id: u32,
    /// Bytes of the response that the program has received and the application has not read.
    pub held_bytes: u64,
    /// Becomes less with every byte that the application reads, wrapping, and changes with nothing
    /// else: a buffer may stay full while its application reads slowly.
    pub read_mark: u64,
}

/// The answer to [`Question::CallSite`](crate::Question::CallSite).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CallSite {
    /// In which process.
    pub process: ProcessKey,
    /// Of which stack.
    pub stack: StackId,
    /// `func file:line`, the innermost call that belongs to the application; `None` if there is
    /// none, or it could not be told.
    pub place: Option<String>,
    /// Why there is none, one sentence.
    pub limits: Option<String>,
}

/// How many goroutines of a Go process do what, beside its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Goroutines {
    /// All of them.
    pub total: u64,
    /// In `net/http.(*persistConn).readLoop`.
    pub read_loops: u64,
    /// In `net/http.(*persistConn).writeLoop`.
    pub write_loops: u64,
}
