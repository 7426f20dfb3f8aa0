//! Who would notice: the question behind every verdict, and what a look into the process can say.

use alloc::{string::String, vec::Vec};

use crate::{ConnectionId, Goroutines, ProcessKey, Timestamp};

/// Who would notice data or an end of stream arriving on the connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Reader {
    /// Not known: never counted as evidence.
    #[default]
    Unknown,
    /// Nobody, verified in the process's own books: Go's poller has no goroutine waiting to read,
    /// or a level-triggered epoll has the descriptor without `EPOLLIN`.
    None,
    /// A goroutine is parked in a read of it.
    Goroutine,
    /// A thread is blocked in a call that reads or polls it.
    Thread,
    /// A level-triggered epoll watches it for input.
    Epoll,
    /// The connections of a finding differ.
    Mixed,
}

impl Reader {
    /// The word of the JSON and CSV schemas.
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

    /// Somebody certainly waits for data or the end.
    pub const fn is_there(self) -> bool {
        matches!(self, Self::Goroutine | Self::Thread | Self::Epoll)
    }
}

/// The answer to [`Question::Readers`](crate::Question::Readers).
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Readers {
    /// The process that was looked into.
    pub process: ProcessKey,
    /// When the look began: what it says holds for a connection only if that was not used since.
    pub at: Timestamp,
    /// What was found, of the connections that were asked about. One that is missing is unknown.
    pub found: Vec<ReaderFacts>,
    /// How many goroutines there are, if it is a Go process whose goroutines could be looked at.
    pub goroutines: Option<Goroutines>,
    /// Why less is known than could be, one sentence: `memory of the process cannot be read: ...`.
    pub limits: Option<String>,
}

/// What is known of one connection's reader.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ReaderFacts {
    /// Which socket.
    pub id: ConnectionId,
    /// Who would notice.
    pub reader: Reader,
    /// Some epoll of the process has it, in whatever way: the process has made provision for it.
    pub is_registered: bool,
    /// What Go's HTTP client does with it, if it is one of its connections and every check held.
    pub http: Option<HttpConnection>,
}

/// A connection of Go's `net/http` client, as found in the stack of its `readLoop` goroutine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct HttpConnection {
    /// What `readLoop` waits for.
    pub stage: HttpStage,
    /// Which `http.Transport` it belongs to: its address, good for comparing only.
    pub transport: u64,
    /// The request whose response it carries, without query and user information:
    /// `GET http://host/path`. `None` if it could not be told.
    pub request: Option<String>,
    /// Who may come back to the response.
    pub held: Held,
}

/// Whether a goroutine other than the connection's own has a response in hand: its stack refers to
/// it, so it may come back to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Held {
    /// None was found, and not everything could be looked through.
    #[default]
    Unknown,
    /// None has, or there is no response.
    Nobody,
    /// Some goroutine has.
    Somebody,
}

/// What the `readLoop` goroutine of an HTTP client connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum HttpStage {
    /// For the application to read the response's body to its end, or to close it
    /// (`runtime.selectgo`). While an application reads, it is the reader.
    AwaitingBody,
    /// For the next response, or the end of the connection (`bufio.(*Reader).Peek`).
    Idle,
}
