//! What the detector reports: data without text, which the outputs present.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::net::SocketAddr;

use crate::{
    CallSiteReason, Caveat, Comm, Confidence, ConnectionId, Container, Counted, Direction,
    Evidence, FindingKey, Goroutines, Interval, Loss, Note, ObservedProcess, Options, Owner, Probe,
    ProcessKey, Reader, RecentlyClosed, Selection, SnapshotInterval, TcpState, Timestamp, Verdict,
    is_at_fd_limit,
};

/// The state of all findings at the time of the report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the run began.
    pub started_at: Timestamp,
    /// The time of the report: all ages count back from it.
    pub at: Timestamp,
    /// Active findings, the highest confidence first; then retracted ones, the latest first.
    pub findings: Vec<Finding>,
    /// The processes in the findings, and those that the user named.
    pub processes: Vec<ProcessSummary>,
    /// Connections without a finding; empty unless [`Options::all`].
    pub unflagged: Vec<Connection>,
    /// What could and could not be seen.
    pub coverage: Coverage,
    /// The thresholds in force.
    pub options: Options,
}

/// Connections of one process to one destination that share a verdict; if there are too few to each
/// address, those to one port of several addresses. Findings about HTTP responses are also split by
/// call site, and an HTTP/2 connection with responses of several call sites is in the finding of
/// each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Number of the finding, the same throughout a run.
    pub id: u64,
    /// Name of the finding, the same across runs, restarts and hosts.
    pub key: FindingKey,
    /// What is wrong.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// The owning process: the opener while it still holds the sockets, else the oldest holder.
    pub process: ProcessKey,
    /// The name of the owning process.
    pub comm: Comm,
    /// Target of its `/proc/PID/exe`.
    pub exe: Option<String>,
    /// The command line of the owning process, if the user asked for it.
    pub cmdline: Option<String>,
    /// File name of the script that it runs, if it is an interpreter.
    pub script: Option<String>,
    /// The real user id of the owning process.
    pub uid: Option<u32>,
    /// The container of the owning process.
    pub container: Option<Container>,
    /// The pid of the owning process in its innermost pid namespace, if that differs.
    pub inner_pid: Option<u32>,
    /// Inode number of the sockets' network namespace.
    pub netns: u32,
    /// Which side opened the connections.
    pub direction: Direction,
    /// The destination; `None` if there are several, and for inbound connections, which are grouped
    /// by local port.
    pub remote: Option<SocketAddr>,
    /// The port of the destinations; `None` for inbound connections.
    pub remote_port: Option<u16>,
    /// The number of destinations; 0 for inbound connections.
    pub remotes: usize,
    /// The port that was connected to; `None` for outbound connections.
    pub local_port: Option<u16>,
    /// The number of connections. For a retracted finding: the last number before it was retracted.
    pub count: usize,
    /// The largest [`count`](Self::count) that the finding has had.
    pub peak_count: usize,
    /// The highest [`confidence`](Self::confidence) that the finding has had.
    pub peak_confidence: Confidence,
    /// Age of the oldest connection in milliseconds.
    pub oldest_age_ms: u64,
    /// Whether [`oldest_age_ms`](Self::oldest_age_ms) is a lower bound.
    pub oldest_age_is_lower_bound: bool,
    /// Growth in thousandths of a connection per minute; `None` if unknown.
    pub growth_per_min_milli: Option<i64>,
    /// Whether the growth was estimated from past timestamps, not measured while watching.
    pub growth_is_reconstructed: bool,
    /// The number of leaked open HTTP responses on the connections that uprobes track. An HTTP/2
    /// connection can have several.
    pub responses: usize,
    /// Unread data of all connections, in bytes.
    pub unread_bytes: u64,
    /// Data of those responses that is buffered in the program's memory (HTTP/2), in bytes.
    pub held_bytes: u64,
    /// What is waiting to read from the connections.
    pub reader: Reader,
    /// `func file:line` of the application: where the responses were requested, else where the
    /// connections were opened. `None` if it is unknown, or not the same for all.
    pub call_site: Option<String>,
    /// Why [`call_site`](Self::call_site) is `None`; `None` if it is not.
    pub call_site_reason: Option<CallSiteReason>,
    /// Why the call sites of connections are unknown, and of how many; the most frequent reason
    /// first. Empty if all are known.
    pub call_site_reasons: Vec<Counted<CallSiteReason>>,
    /// `GET http://host/path`, if it is known and the same for all.
    pub request: Option<String>,
    /// The facts behind the finding.
    pub evidence: Vec<Evidence>,
    /// Why the confidence is not higher.
    pub caveats: Vec<Caveat>,
    /// When it was retracted, because every socket was closed or used again, or no rule matches any
    /// longer.
    pub retracted_at: Option<Timestamp>,
    /// How long it has been active, or was active, in milliseconds.
    pub active_ms: u64,
    /// The connections, the oldest first; empty for a retracted finding.
    pub connections: Vec<Connection>,
}

/// One connection at the time of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Identity of the socket.
    pub id: ConnectionId,
    /// Every file descriptor that refers to it, the owning process's first.
    pub owners: Vec<Owner>,
    /// Inode number of its file.
    pub inode: u64,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Which side opened the connection.
    pub direction: Direction,
    /// The TCP state of the connection.
    pub state: TcpState,
    /// Local address.
    pub local: SocketAddr,
    /// Remote address.
    pub remote: SocketAddr,
    /// Time since it was opened, in milliseconds.
    pub age_ms: u64,
    /// Whether the age is a lower bound: it was open before tracing began, or its opening was not
    /// seen.
    pub age_is_lower_bound: bool,
    /// Time since data was last sent or received, in milliseconds.
    pub idle_ms: u64,
    /// When the peer closed it, if it has.
    pub peer_closed: Option<Interval>,
    /// When it entered CLOSE with its file descriptor open, if it has.
    pub died: Option<Interval>,
    /// Data received and not read, in bytes.
    pub unread_bytes: u64,
    /// Data written and not acknowledged, in bytes.
    pub unsent_bytes: u64,
    /// Data received, in bytes.
    pub rx_bytes: u64,
    /// Data sent, in bytes, without retransmissions.
    pub tx_bytes: u64,
    /// What is waiting to read from it.
    pub reader: Reader,
    /// The number of leaked open HTTP responses on it that uprobes track.
    pub responses: usize,
    /// Data of those that is buffered in the program's memory (HTTP/2), in bytes.
    pub held_bytes: u64,
    /// `func file:line` of the application that requested the response, else that opened the
    /// connection, if known.
    pub call_site: Option<String>,
    /// Why [`call_site`](Self::call_site) is `None`; `None` if it is not.
    pub call_site_reason: Option<CallSiteReason>,
    /// The request whose response was neither read to EOF nor closed (`GET http://host/path`), if
    /// known.
    pub request: Option<String>,
    /// How the connection was discovered.
    pub origin: Origin,
}

/// How a connection was discovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// The connection was open before tracing began, or its opening was not seen.
    Seeded,
    /// The opening of the connection was seen.
    Traced,
}

impl Origin {
    /// The code in JSON and CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seeded => "seeded",
            Self::Traced => "traced",
        }
    }
}

/// The totals of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSummary {
    /// The process and its start time.
    pub key: ProcessKey,
    /// The name of the process.
    pub comm: Comm,
    /// File descriptors that refer to TCP sockets, including listeners.
    pub tcp_fds: u64,
    /// Those of sockets that are not connected: `connect` failed or was not called.
    pub fds_not_connected: u64,
    /// Open file descriptors of every type, as the limit counts them; `None` if unknown.
    pub open_fds: Option<u64>,
    /// Soft limit of open files (`RLIMIT_NOFILE`).
    pub fd_limit: Option<u64>,
    /// Growth of TCP file descriptors per minute, in thousandths: watched for at least a minute, or
    /// the sum over the process's findings.
    pub growth_per_min_milli: Option<i64>,
    /// Whether the growth was estimated from the connections in findings, not measured while
    /// watching.
    pub growth_is_reconstructed: bool,
    /// Seconds until the limit is reached if TCP file descriptors keep growing at this rate and
    /// other file descriptors do not grow. An upper bound if `open_fds` is unknown.
    pub seconds_to_fd_limit: Option<u64>,
    /// The goroutines of the process, if it is a Go process and they could be counted.
    pub goroutines: Option<Goroutines>,
}

impl ProcessSummary {
    /// File descriptors that are known to count toward the limit.
    pub fn used_fds(&self) -> u64 {
        // The two were counted at different times.
        self.open_fds.unwrap_or(0).max(self.tcp_fds)
    }

    /// Whether the process is at its limit of open files: see
    /// [`is_at_fd_limit`](crate::is_at_fd_limit).
    pub fn is_at_fd_limit(&self) -> bool {
        self.fd_limit.is_some_and(|limit| is_at_fd_limit(self.used_fds(), limit))
    }
}

/// What the run could and could not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Whether nothing that matters is missing: a later snapshot has corrected every loss, every
    /// process could be read, and no limit was reached.
    pub complete: bool,
    /// Running totals of what was lost.
    pub loss: Loss,
    /// The part of the loss since the latest snapshot began, which no snapshot has corrected yet.
    pub uncorrected: Loss,
    /// Connections for which the connection table had no room at the latest snapshot.
    pub table_full: u64,
    /// Open responses for which there was no room.
    pub responses_full: u64,
    /// Suspected processes that could not be read, plus processes whose file descriptors could not
    /// be read.
    pub processes_unreadable: u64,
    /// Stopped processes with suspicious connections: whether they leak is unknown until they run
    /// again.
    pub processes_stopped: u64,
    /// Whether selected processes may be outside of the pid namespace of `tracer`, where they are
    /// not seen.
    pub outside_hidden: bool,
    /// File descriptors of sockets that look like TCP and are not judged, by protocol, in the
    /// latest snapshot.
    pub not_judged: BTreeMap<String, u64>,
    /// File descriptors in scope of TCP sockets that are not connected, and so not judged, in the
    /// latest snapshot.
    pub fds_not_connected: u64,
    /// The process with the most connections that look like a leak and are too young to be judged.
    pub recently_closed: Option<RecentlyClosed>,
    /// What the user selected; `None` if that is not known, as in recordings before format 9.
    pub selection: Option<Selection>,
    /// The processes in scope that held TCP sockets in the latest snapshot, and those named with
    /// `--pid`, the one that started first first.
    pub observed: Vec<ObservedProcess>,
    /// TCP sockets in scope in the latest snapshot.
    pub sockets: u64,
    /// Processes in scope that held TCP sockets in the latest snapshot.
    pub processes: u64,
    /// Snapshots taken.
    pub snapshots: u64,
    /// The interval between them; `None` before the second one.
    pub snapshot_interval: Option<SnapshotInterval>,
    /// How kernel events are observed.
    pub probes: Vec<Probe>,
    /// Remarks for the reader of the report.
    pub notes: Vec<Note>,
}

impl Coverage {
    /// The gaps that the counters above show, as notes. They are not in [`notes`](Self::notes).
    pub fn gaps(&self) -> Vec<Note> {
        let failed = self.loss.snapshots_failed;
        let responses = self.loss.ledger_full.saturating_add(self.responses_full);
        let stopped = self.processes_stopped;
        let gaps = [
            self.outside_hidden.then_some(Note::OutsideNotVisible),
            (stopped > 0).then_some(Note::ProcessesStopped { count: stopped }),
            (self.snapshots == 0).then_some(Note::NoSnapshot),
            (failed > 0).then_some(Note::SnapshotsFailed { count: failed }),
            (self.table_full > 0).then_some(Note::ConnectionsNotKept { count: self.table_full }),
            (responses > 0).then_some(Note::ResponsesNotKept { count: responses }),
        ];
        gaps.into_iter().flatten().collect()
    }
}

/// A change of one connection's verdict: a line of the CSV export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: ChangeKind,
    /// The connection as last seen.
    pub connection: Connection,
    /// The verdict that was given, changed or retracted.
    pub flag: Flag,
    /// The key of the finding that the connection is part of, or was.
    pub key: FindingKey,
    /// File name of the script that the owning process runs, if it is an interpreter.
    pub script: Option<String>,
}

/// What happened to one connection's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The connection got a verdict, or its verdict changed.
    Flagged,
    /// The connection was used again, or no rule matches it any longer: the verdict is retracted.
    Retracted,
    /// The connection was closed: the verdict is retracted.
    Closed,
}

impl ChangeKind {
    /// The code in CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flagged => "flagged",
            Self::Retracted => "retracted",
            Self::Closed => "closed",
        }
    }
}

/// The verdict on one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flag {
    /// What is wrong.
    pub verdict: Verdict,
    /// How sure that is.
    pub confidence: Confidence,
    /// The time since which the connection has had a verdict without interruption, this one or
    /// others.
    pub since: Timestamp,
}
