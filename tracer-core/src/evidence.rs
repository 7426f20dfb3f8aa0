//! The facts behind a finding, as data. What limits its confidence is a [`Caveat`](crate::Caveat).

use alloc::{string::String, vec::Vec};
use core::net::SocketAddr;

/// The shortest and the longest of several durations, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// The shortest duration.
    pub min_ms: u64,
    /// The longest duration.
    pub max_ms: u64,
}

/// A part of a finding's connections, or of its responses if the variant says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountOf {
    /// The number of connections (or responses) for which the statement holds.
    pub count: usize,
    /// The number of all connections (or responses).
    pub total: usize,
}

/// A value and the number of its occurrences.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted<T> {
    /// The value.
    pub value: T,
    /// The number of occurrences.
    pub count: usize,
}

/// What happened to each connection of a finding; the times are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Occurrence {
    /// The peer closed the connection.
    PeerClosed,
    /// Data was last sent or received on the connection.
    WentSilent,
    /// The connection entered CLOSE.
    Died,
    /// The response was requested.
    Requested,
}

impl Occurrence {
    /// The code in JSON.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PeerClosed => "peer-closed",
            Self::WentSilent => "went-silent",
            Self::Died => "died",
            Self::Requested => "requested",
        }
    }
}

/// At how many separate times something happened, and over how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// What happened to the connections.
    pub occurrence: Occurrence,
    /// The largest number of occurrences that are certainly separate.
    pub times: usize,
    /// From the first separate occurrence to the last, at least, in milliseconds.
    pub span_ms: u64,
}

/// One fact about the connections of a finding. `count` is a number of connections unless the
/// variant says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum Evidence {
    /// The peer closed `count` connections `ago`, and the process has sent nothing since.
    PeerClosed { count: usize, ago: DurationRange },
    /// A read was seen to return EOF to the process on this part of the connections.
    EofReceived(CountOf),
    /// `count` connections have been in CLOSE for `dead`, and their file descriptors are open.
    /// The times are lower bounds if `is_lower_bound`.
    Dead { count: usize, dead: DurationRange, is_lower_bound: bool },
    /// A read or `SO_ERROR` returned EOF or the error to the process on this part of the
    /// connections, and the process closed none of them.
    DeathReported(CountOf),
    /// No read was seen to return EOF or the error on any of the `count` dead connections.
    DeathUnnoticed { count: usize },
    /// `count` connections were accepted, `received_bytes` arrived on them, and none of it has been
    /// read; it has been pending for `waiting`.
    NeverRead { count: usize, received_bytes: u64, waiting: DurationRange },
    /// The peer has sent its FIN on this part of the connections.
    PeerGaveUp(CountOf),
    /// `unread_bytes` are unread on `count` connections, and nothing was received for `silent`.
    UnreadSilent { count: usize, unread_bytes: u64, silent: DurationRange },
    /// `unread_bytes` are unread on `count` connections, and data is still arriving.
    UnreadGrowing { count: usize, unread_bytes: u64 },
    /// Nothing was read for as long as the connections were watched.
    NothingRead { watched: DurationRange },
    /// `count` connections have been idle for `silent`, each with an HTTP response that was
    /// neither read to EOF nor closed.
    ResponseSilent { count: usize, silent: DurationRange },
    /// `count` connections have been idle for `silent`, and no reader is waiting on them.
    SilentWithoutReader { count: usize, silent: DurationRange },
    /// `count` HTTP/1 responses were requested `age` ago and neither read to EOF nor closed.
    OpenResponses { count: usize, age: DurationRange },
    /// For `streams` HTTP/2 streams on `connections` connections, `buffered_bytes` are buffered in
    /// the process's memory, and the application has read none of them for `unread`.
    StreamsUnread { streams: usize, connections: usize, buffered_bytes: u64, unread: DurationRange },
    /// Data or EOF has been pending for longer than `--idle` and was not read, so no reader is
    /// waiting.
    DataPending(CountOf),
    /// Fewer responses than `--min-count` at this call site; together with other call sites,
    /// `count` responses of the same destination are leaked.
    SameDestination { count: usize },
    /// Confirmed by heap search: Go's HTTP client is waiting for the response to be read or
    /// closed, and nothing in the program can reach it any more.
    ResponseUnreferenced(CountOf),
    /// On this part of the connections, no goroutine, thread or epoll instance is waiting to read.
    NoReader(CountOf),
    /// No reader is waiting, and no epoll instance has the connections registered.
    NoReaderNoEpoll { count: usize },
    /// No thread was found waiting, and no epoll instance has the connections registered.
    NoThreadNoEpoll { count: usize },
    /// The HTTP requests whose responses these are, the most frequent first; `others` more are not
    /// listed.
    Requests { top: Vec<Counted<String>>, others: usize },
    /// Where the connections go, the most frequent destination first; `others` more are not listed.
    Destinations { top: Vec<Counted<SocketAddr>>, others: usize },
    /// The lines of code that requested the responses, else those that opened the connections, the
    /// most frequent first; `others` more are not listed.
    CallSites { top: Vec<Counted<String>>, others: usize },
    /// The occurrence happened to the connections at separate times, the latest of which is
    /// `since_last_ms` ago: recent enough for a leak that continues (*still accumulating* in
    /// [`rules`](crate::rules)).
    Rising { recurrence: Recurrence, since_last_ms: u64 },
    /// The occurrence happened to the connections at separate times, the latest of which is
    /// `since_last_ms` ago: too long ago for a leak that continues.
    Ceased { recurrence: Recurrence, since_last_ms: u64 },
    /// The occurrence happened to the connections in several clusters: too few, or within too short
    /// a time, to be *at separate times* in the sense of [`rules`](crate::rules).
    SeparateTimes(Recurrence),
    /// It happened `count` times in a single series, without a pause of more than
    /// `pause_max_ms`, the latest of them `since_last_ms` ago.
    Series {
        occurrence: Occurrence,
        count: usize,
        span_ms: u64,
        pause_max_ms: u64,
        since_last_ms: u64,
    },
    /// The process is at its fd limit: `open` of `limit` file descriptors are open, more than half
    /// of them for the `count` connections.
    FdLimitReached { count: usize, open: u64, limit: u64 },
    /// The lowest number of connections rose in each of `windows` consecutive windows, from `from`
    /// to `to`, and the oldest connections stayed open.
    CountRose { windows: usize, from: usize, to: usize },
    /// The lowest number of connections whose EOF was forwarded to a peer that does not close rose
    /// in each of `windows` consecutive windows, from `from` to `to`, as with half-closed tunnels.
    HalfClosedRose { windows: usize, from: usize, to: usize },
    /// The peer has acknowledged nothing on `count` connections for `silent`.
    NothingAcknowledged { count: usize, silent: DurationRange },
    /// Keepalive or window probes are not answered, up to `consecutive_max` in a row.
    ProbesUnanswered { count: usize, total: usize, consecutive_max: u8 },
    /// Data was retransmitted up to `retransmits_max` times on `count` of `total` connections.
    DataRetransmitted { count: usize, total: usize, retransmits_max: u8 },
    /// `count` connections have been idle for `idle`, and a reader is waiting on each.
    IdleWithReader { count: usize, idle: DurationRange },
    /// The connections belong to `transports` different `http.Transport` values.
    SeparateTransports { transports: usize },
    /// This part of the connections was opened while another connection to the same destination was
    /// idle.
    OpenedWhileOthersIdle(CountOf),
    /// This part of the connections carried at most one request.
    ServedAtMostOnce(CountOf),
    /// `count` connections carried one request and have been idle for `silent`.
    ServedOnce { count: usize, silent: DurationRange },
    /// `count` connections were opened before this process started, by a process that no longer
    /// holds them, and have been idle for `silent`.
    OpenedByAnother { count: usize, silent: DurationRange },
    /// The process that opened the connections.
    Opener { pid: u32 },
    /// This process has called `execve` since it was forked: close-on-exec was not set.
    CloseOnExecMissing,
    /// This process is a fork of the process that opened the connections, which is still running.
    ForkedFromOpener,
    /// `unsent_bytes` cannot be sent on `count` connections: the peer has read nothing for
    /// `stalled`.
    SendStalled { count: usize, unsent_bytes: u64, stalled: DurationRange },
}

impl Evidence {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::PeerClosed { .. } => "peer-closed",
            Self::EofReceived(_) => "eof-received",
            Self::Dead { .. } => "dead",
            Self::DeathReported(_) => "death-reported",
            Self::DeathUnnoticed { .. } => "death-unnoticed",
            Self::NeverRead { .. } => "never-read",
            Self::PeerGaveUp(_) => "peer-gave-up",
            Self::UnreadSilent { .. } => "unread-silent",
            Self::UnreadGrowing { .. } => "unread-growing",
            Self::NothingRead { .. } => "nothing-read",
            Self::ResponseSilent { .. } => "response-silent",
            Self::SilentWithoutReader { .. } => "silent-without-reader",
            Self::OpenResponses { .. } => "open-responses",
            Self::StreamsUnread { .. } => "streams-unread",
            Self::DataPending(_) => "data-pending",
            Self::SameDestination { .. } => "same-destination",
            Self::ResponseUnreferenced(_) => "response-unreferenced",
            Self::NoReader(_) => "no-reader",
            Self::NoReaderNoEpoll { .. } => "no-reader-no-epoll",
            Self::NoThreadNoEpoll { .. } => "no-thread-no-epoll",
            Self::Requests { .. } => "requests",
            Self::Destinations { .. } => "destinations",
            Self::CallSites { .. } => "call-sites",
            Self::Rising { .. } => "rising",
            Self::Ceased { .. } => "ceased",
            Self::SeparateTimes(_) => "separate-times",
            Self::Series { .. } => "series",
            Self::FdLimitReached { .. } => "fd-limit-reached",
            Self::CountRose { .. } => "count-rose",
            Self::HalfClosedRose { .. } => "half-closed-rose",
            Self::NothingAcknowledged { .. } => "nothing-acknowledged",
            Self::ProbesUnanswered { .. } => "probes-unanswered",
            Self::DataRetransmitted { .. } => "data-retransmitted",
            Self::IdleWithReader { .. } => "idle-with-reader",
            Self::SeparateTransports { .. } => "separate-transports",
            Self::OpenedWhileOthersIdle(_) => "opened-while-others-idle",
            Self::ServedAtMostOnce(_) => "served-at-most-once",
            Self::ServedOnce { .. } => "served-once",
            Self::OpenedByAnother { .. } => "opened-by-another",
            Self::Opener { .. } => "opener",
            Self::CloseOnExecMissing => "close-on-exec-missing",
            Self::ForkedFromOpener => "forked-from-opener",
            Self::SendStalled { .. } => "send-stalled",
        }
    }
}
