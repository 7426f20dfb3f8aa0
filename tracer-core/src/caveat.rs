//! Why the confidence of a finding is not higher, as data.

use crate::{CountOf, ResponseHolder};

/// One reason why the confidence of a finding is not higher, or what its evidence leaves open.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum Caveat {
    /// All occurrences may have had one cause, such as a restart of the server.
    SingleCausePossible,
    /// All occurrences may have had one cause, a burst of load: they were a single series, and
    /// connections were opened after others had died.
    SingleBurstPossible,
    /// The peer may have closed only its sending direction: a request was read and has not been
    /// answered yet.
    HalfClosePossible(CountOf),
    /// Nothing is unread, but no read was seen to return EOF: the process may not know that the
    /// peer closed.
    EofUnconfirmed(CountOf),
    /// When the peer closed is unknown: answered keepalive probes refresh the only timestamp.
    CloseTimeUnknown(CountOf),
    /// A client pool with one connection per thread looks the same while it shrinks.
    ThreadPoolPossible,
    /// The idle pool of a database or cache driver looks the same.
    IdlePoolPossible,
    /// Idle streams, such as WebSocket or long polling, look the same.
    StreamPossible,
    /// Unread small responses and a new client for each request look the same from outside.
    CauseAmbiguous,
    /// Something in the program still references `count` of `total` responses, so they may be read
    /// or closed. `holder` is the most frequent one, if any is known.
    ResponseReferenced { count: usize, total: usize, holder: Option<ResponseHolder> },
    /// Go's HTTP client is waiting for the response to be read or closed and no reader is waiting,
    /// but not all stacks could be scanned for references.
    ScanIncomplete(CountOf),
    /// A goroutine, a thread or an epoll instance is waiting to read.
    ReaderWaiting(CountOf),
    /// Whether a reader is waiting is unknown.
    ReaderUnknown(CountOf),
    /// The process is itself blocked sending on `connections` connections: it may be forwarding
    /// data to slow clients.
    SendBlocked { connections: usize },
    /// The process forwarded EOF to `connections` peers, which have not closed yet: it may be
    /// waiting for them.
    HalfClosedPeers { connections: usize },
    /// The process is stopped by a signal, a debugger or the cgroup freezer.
    ProcessStopped,
    /// The process was stopped and resumed only `ago_ms` ago.
    ProcessResumed { ago_ms: u64 },
    /// The process was not inspected since the connections last changed.
    NotInspected(CountOf),
    /// The responses were previously read in several parts, so reading may only be paused.
    PausePossible(CountOf),
    /// More was read than an HTTP library buffers on its own, or data was read long after the
    /// request, so the application has been reading them.
    PartlyRead(CountOf),
    /// The process is reading `count` other connections to the same destination, and may read these
    /// next.
    OthersBeingRead { count: usize },
    /// The process is serving `count` other connections on the same port, and may serve these next.
    OthersBeingServed { count: usize },
    /// A slow reader can be distinguished only after `needed_ms` of watching.
    WatchedTooBriefly { needed_ms: u64 },
    /// Only `count` of `total` connections have more than `unread_min_bytes` unread; `count_min`
    /// are required, because less can be TLS session tickets.
    TooLittleUnread { count: usize, total: usize, unread_min_bytes: u64, count_min: usize },
    /// There are fewer than `count_min` responses: the application may still read so few.
    TooFewResponses { count: usize, count_min: usize },
    /// There are fewer than `count_min` connections: so few may have been passed on purpose.
    TooFewInherited { count: usize, count_min: usize },
    /// This process is a fork of the process that opened the connections. That process was not
    /// seen: it may have exited or closed its sockets. This process may be a daemon using a pool
    /// opened before the fork.
    OpenerNotSeen,
    /// The process has closed or used other dead connections of the group, and at most `alive_max`
    /// of the group were alive at one time: a pool may keep that many.
    CleanedUp { alive_max: usize },
    /// `connections` died after the last run of a garbage collector that had closed others of the
    /// group.
    AwaitsCollection { connections: usize },
    /// Connections of the group were used again after they had a verdict, so `count_min` are
    /// required for a while instead of `--min-count`.
    UsedAgain { count_min: usize },
    /// A run of `watch_ms` would show whether connections continue to accumulate.
    Undecided { watch_ms: u64 },
    /// The connections are a single series without a pause, which continues and has lasted
    /// `lasted_ms` so far. A burst of load looks the same, but does not last `needed_ms`. A run of
    /// `watch_ms` would show whether this one does.
    ShortSeries { lasted_ms: u64, needed_ms: u64, watch_ms: u64 },
    /// The process is at its fd limit, so the number of connections cannot grow.
    CannotGrow,
    /// `alive_max` connections of the group may have been in use at one time: a pool that large
    /// looks the same.
    AliveTogether { alive_max: usize },
    /// Whether this process has called `execve` is unknown.
    ExecUnknown,
}

impl Caveat {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::SingleCausePossible => "single-cause-possible",
            Self::CleanedUp { .. } => "cleaned-up",
            Self::AwaitsCollection { .. } => "awaits-collection",
            Self::UsedAgain { .. } => "used-again",
            Self::Undecided { .. } => "undecided",
            Self::ShortSeries { .. } => "short-series",
            Self::CannotGrow => "cannot-grow",
            Self::AliveTogether { .. } => "alive-together",
            Self::SingleBurstPossible => "single-burst-possible",
            Self::HalfClosePossible(_) => "half-close-possible",
            Self::EofUnconfirmed(_) => "eof-unconfirmed",
            Self::CloseTimeUnknown(_) => "close-time-unknown",
            Self::ThreadPoolPossible => "thread-pool-possible",
            Self::IdlePoolPossible => "idle-pool-possible",
            Self::StreamPossible => "stream-possible",
            Self::CauseAmbiguous => "cause-ambiguous",
            Self::ResponseReferenced { .. } => "response-referenced",
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

    /// Whether watching for longer would show whether the connections accumulate, or would show
    /// nothing new.
    pub const fn is_about_watching(&self) -> bool {
        matches!(self, Self::Undecided { .. } | Self::ShortSeries { .. } | Self::CannotGrow)
    }

    /// Whether all occurrences may have had a single cause.
    pub(crate) const fn is_about_cause(&self) -> bool {
        matches!(self, Self::SingleCausePossible | Self::SingleBurstPossible)
    }
}
