//! Why a finding is no surer, as data.

use crate::CountOf;

/// One reason why a finding is no surer than it is, or what its evidence leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum Caveat {
    /// All occurrences may have had one cause, such as a restart of the server.
    SingleEventPossible,
    /// The peer may have closed its sending direction only: a request was read and not answered
    /// yet.
    HalfClosePossible(CountOf),
    /// Nothing is unread, but no read was seen to return EOF: the process may not know of it.
    EofUnconfirmed(CountOf),
    /// When the peer closed is unknown: answered keepalive probes refresh the only timestamp.
    CloseTimeUnknown(CountOf),
    /// A client pool with one connection per thread looks the same while it shrinks.
    ThreadPoolPossible,
    /// The idle pool of a database or cache driver looks the same.
    IdlePoolPossible,
    /// Silent streams, such as WebSocket or long polling, look the same.
    StreamPossible,
    /// Unread small responses and a new client for each request look the same from outside.
    CauseAmbiguous,
    /// A goroutine references the response and may still read it.
    ResponseReferenced(CountOf),
    /// Go's HTTP client waits for the response to be read or closed and no reader waits, but not
    /// all stacks could be scanned for references.
    ScanIncomplete(CountOf),
    /// A goroutine, thread or epoll waits to read.
    ReaderWaiting(CountOf),
    /// Whether a reader waits is unknown.
    ReaderUnknown(CountOf),
    /// The process itself waits for `connections` peers to read what it sent: it may be forwarding
    /// data at their pace.
    SendBlocked { connections: usize },
    /// EOF was sent on to `connections` peers, which have not closed yet: the process may be waiting
    /// for them.
    HalfClosedPeers { connections: usize },
    /// The process is stopped by a signal, a debugger or the cgroup freezer.
    ProcessStopped,
    /// The process was stopped, and has run again for `ago_ms` only.
    ProcessResumed { ago_ms: u64 },
    /// The process was not inspected since these connections last changed.
    NotInspected(CountOf),
    /// Responses that were read in several parts before, so reading may be paused.
    PausePossible(CountOf),
    /// More was read than an HTTP library buffers by itself, or data was read long after the request, so
    /// the application has used them.
    PartlyRead(CountOf),
    /// `count` connections to the same destination are being read: these may be next.
    OthersBeingRead { count: usize },
    /// `count` connections to the same port are being served: these may be next.
    OthersBeingServed { count: usize },
    /// A slow reader can be told apart only after `needed_ms` of watching.
    WatchedTooBriefly { needed_ms: u64 },
    /// Only `count` of `total` connections hold more than `unread_min_bytes`; `count_min` are
    /// needed, because less can be TLS session tickets.
    TooLittleUnread { count: usize, total: usize, unread_min_bytes: u64, count_min: usize },
    /// Fewer than `count_min` responses: the application may still read so few.
    TooFewResponses { count: usize, count_min: usize },
    /// Fewer than `count_min` connections: so few may have been passed on purpose.
    TooFewInherited { count: usize, count_min: usize },
    /// This process is a fork of the process that opened the connections, which was not seen: that
    /// may have exited, or hold no sockets any more. This process may be a daemon with its pool.
    OpenerNotSeen,
    /// The process has closed or used other dead connections of the group, of which up to
    /// `alive_max` were in use at one time: a pool may keep as many.
    CleanedUp { alive_max: usize },
    /// `connections` died after the latest run of a garbage collector that closed others like them.
    AwaitsCollection { connections: usize },
    /// Connections of the group were used again after they had a verdict, so that `count_min` are
    /// needed for a while, and not `--min-count`.
    UsedAgain { count_min: usize },
    /// It takes `watch_ms` of watching to see whether this goes on.
    Undecided { watch_ms: u64 },
    /// Whether this process has called `execve` is unknown.
    ExecUnknown,
}

impl Caveat {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SingleEventPossible => "single-event-possible",
            Self::CleanedUp { .. } => "cleaned-up",
            Self::AwaitsCollection { .. } => "awaits-collection",
            Self::UsedAgain { .. } => "used-again",
            Self::Undecided { .. } => "undecided",
            Self::HalfClosePossible(_) => "half-close-possible",
            Self::EofUnconfirmed(_) => "eof-unconfirmed",
            Self::CloseTimeUnknown(_) => "close-time-unknown",
            Self::ThreadPoolPossible => "thread-pool-possible",
            Self::IdlePoolPossible => "idle-pool-possible",
            Self::StreamPossible => "stream-possible",
            Self::CauseAmbiguous => "cause-ambiguous",
            Self::ResponseReferenced(_) => "response-referenced",
            Self::ScanIncomplete(_) => "scan-incomplete",
            Self::ReaderWaiting(_) => "reader-waiting",
            Self::ReaderUnknown(_) => "reader-unknown",
            Self::SendBlocked { .. } => "send-blocked",
            Self::HalfClosedPeers { .. } => "half-closed-peers",
            Self::ProcessStopped => "process-stopped",
            Self::ProcessResumed { .. } => "process-resumed",
            Self::NotInspected(_) => "not-inspected",
            Self::PausePossible(_) => "pause-possible",
            Self::PartlyRead(_) => "partly-read",
            Self::OthersBeingRead { .. } => "others-being-read",
            Self::OthersBeingServed { .. } => "others-being-served",
            Self::WatchedTooBriefly { .. } => "watched-too-briefly",
            Self::TooLittleUnread { .. } => "too-little-unread",
            Self::TooFewResponses { .. } => "too-few-responses",
            Self::TooFewInherited { .. } => "too-few-inherited",
            Self::OpenerNotSeen => "opener-not-seen",
            Self::ExecUnknown => "exec-unknown",
        }
    }
}
