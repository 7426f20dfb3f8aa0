//! What is waiting to read from a connection: the question behind every verdict, and the answers
//! that an inspection of the process can give.

use alloc::{boxed::Box, string::String, vec::Vec};

use crate::{ConnectionId, Goroutines, Limit, ProcessKey, Timestamp};

/// What is waiting to read data or EOF from the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// Unknown: never counted as evidence.
    #[default]
    Unknown,
    /// No reader, verified in the process's own data: Go's network poller has no goroutine that
    /// is waiting to read, or a level-triggered epoll has the file descriptor without `EPOLLIN`.
    None,
    /// A goroutine is parked in a read.
    Goroutine,
    /// A thread is blocked in a system call that reads or polls it.
    Thread,
    /// A level-triggered epoll watches it for input.
    Epoll,
    /// The connections of a finding differ.
    Mixed,
}

impl Reader {
    /// The code in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::None => "none",
            Self::Goroutine => "goroutine",
            Self::Thread => "thread",
            Self::Epoll => "epoll",
            Self::Mixed => "mixed",
        }
    }

    /// Whether a reader is certainly waiting for data or EOF.
    pub const fn is_waiting(self) -> bool {
        matches!(self, Self::Goroutine | Self::Thread | Self::Epoll)
    }
}

/// The answer to [`Question::Readers`](crate::Question::Readers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readers {
    /// The process that was inspected.
    pub process: ProcessKey,
    /// When the inspection began: an answer is valid for a connection only if the connection has
    /// not been used since.
    pub at: Timestamp,
    /// What was found out about the requested connections. The readers of missing ones are unknown.
    pub found: Vec<ReaderFacts>,
    /// Numbers of goroutines, if it is a Go process and all goroutines could be counted.
    pub goroutines: Option<Goroutines>,
    /// Why the answer is incomplete; empty if it is complete.
    pub limits: Vec<Limit>,
}

/// What is known about one connection's reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderFacts {
    /// The socket.
    pub id: ConnectionId,
    /// What is waiting to read.
    pub reader: Reader,
    /// Whether some epoll of the process has it registered, for any event: the process manages it.
    pub is_registered: bool,
    /// The state of the connection in Go's HTTP client, if it is one of the client's connections
    /// and every check passed.
    pub http: Option<HttpConnection>,
}

/// A connection of Go's `net/http` client, as found in the stack of its `readLoop` goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpConnection {
    /// What `readLoop` is waiting for.
    pub stage: HttpStage,
    /// Address of its `http.Transport`; meaningful only for comparison.
    pub transport: u64,
    /// The request whose response it carries, without query and user information:
    /// `GET http://host/path`. `None` if unknown.
    pub request: Option<String>,
    /// What can reach the response. Without a response, it is unknown.
    pub reachability: Reachability,
}

/// What can reach a response that has neither been read to EOF nor closed, apart from the
/// connection's own goroutines and objects: as long as something can, it may still be read or
/// closed.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reachability {
    /// No reference was found, but neither the heap nor the stacks could be searched completely.
    #[default]
    Unknown,
    /// No goroutine has a reference on its stack. Whether the heap has one is unknown.
    NotOnStack,
    /// Nothing can reach it any more: its memory was freed, or a complete search of the heap and of
    /// all stacks found no reference, twice.
    Dropped,
    /// Something references it. The holder is `None` if it is unknown.
    Held(Option<Box<ResponseHolder>>),
}

/// What references a response.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseHolder {
    /// What it is.
    pub kind: HolderKind,
    /// The application's function of a goroutine, the function of a closure, the type of an
    /// object, the symbol of a global variable; `None` if unknown. At most
    /// [`NAME_MAX`](Self::NAME_MAX) bytes long, and chosen by the process.
    pub name: Option<String>,
}

impl ResponseHolder {
    /// Maximum length of a name in bytes.
    pub const NAME_MAX: usize = 256;
}

/// The kinds of holders of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderKind {
    /// The stack of a goroutine.
    Goroutine,
    /// The captured variables of a function value.
    Closure,
    /// The buffer of a channel, or a goroutine that waits to send it.
    Channel,
    /// A map.
    Map,
    /// The array of a slice.
    Slice,
    /// A timer.
    Timer,
    /// A global variable.
    Global,
    /// Any other object in the heap.
    Object,
}

/// What the `readLoop` goroutine of an HTTP client connection is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpStage {
    /// The client's goroutine is blocked in `runtime.selectgo`, waiting for the application to read
    /// the response body to EOF or to close it. While the application reads, the application is the
    /// reader.
    AwaitingBody,
    /// The client's goroutine is blocked in `bufio.(*Reader).Peek`, waiting for the next response,
    /// or for EOF.
    Idle,
}
