//! What the detector reports. Plain data without text: the outputs give it a form.

use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::net::SocketAddr;

use crate::{
    CallSiteReason, Caveat, Comm, Confidence, ConnectionId, Container, Direction, Evidence,
    FindingKey, Goroutines, Interval, Loss, Note, Options, Owner, Probe, ProcessKey, Reader,
    SnapshotInterval, TcpState, Timestamp, Verdict,
};

/// What is known at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the run began.
    pub started_at: Timestamp,
    /// The time of the report: all ages count back from it.
    pub at: Timestamp,
    /// Active findings, the worst first; then retracted ones, the latest first.
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

/// Connections of one process to one destination that share a verdict, or to one port of several
/// addresses where there are too few to each address. Findings about HTTP responses are also split
/// by call site, and an HTTP/2 connection with responses of several call sites is in the finding of
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
    /// The accountable process: the opener while it still holds the sockets, else the oldest
    /// holder.
    pub process: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// Target of its `/proc/PID/exe`.
    pub exe: Option<String>,
    /// Its command line, if the user asked for it.
    pub cmdline: Option<String>,
    /// File name of the script that it runs, if it is an interpreter.
    pub script: Option<String>,
    /// Its real user id.
    pub uid: Option<u32>,
    /// Its container.
    pub container: Option<Container>,
    /// Its pid in its own pid namespace, if that is another one.
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
    /// How many destinations; 0 for inbound connections.
    pub remotes: usize,
    /// The port that was connected to; `None` for outbound connections.
    pub local_port: Option<u16>,
    /// How many connections. For a retracted finding: how many there were last.
    pub count: usize,
    /// The largest [`count`](Self::count) that the finding has had.
    pub peak_count: usize,
    /// The highest [`confidence`](Self::confidence) that the finding has had.
    pub peak_confidence: Confidence,
    /// Age of the oldest connection in milliseconds.
    pub oldest_age_ms: u64,
    /// The oldest connection's age is a lower bound.
    pub oldest_age_is_lower_bound: bool,
    /// Growth in connections per minute, in thousandths.
    pub growth_per_min_milli: Option<i64>,
    /// The growth was calculated from ages, not watched.
    pub growth_is_reconstructed: bool,
    /// HTTP responses on the connections that are in flight and leaked, as far as a ledger knows.
    /// An HTTP/2 connection can have several.
    pub responses: usize,
    /// Unread data of all connections, in bytes.
    pub unread_bytes: u64,
    /// Data of those responses that the program holds in its own memory (HTTP/2), in bytes.
    pub held_bytes: u64,
    /// Who waits to read from the connections.
    pub reader: Reader,
    /// `func file:line` of the application: where the responses were requested, else where the
    /// connections were opened. `None` if it is unknown, or not the same for all.
    pub call_site: Option<String>,
    /// Why [`call_site`](Self::call_site) is `None`; `None` if it is not.
    pub call_site_reason: Option<CallSiteReason>,
    /// `GET http://host/path`, if it is known and the same for all.
    pub request: Option<String>,
    /// The facts behind the finding.
    pub evidence: Vec<Evidence>,
    /// Why it is no surer.
    pub caveats: Vec<Caveat>,
    /// When it was retracted, because every socket was closed or used again, or no rule matches
    /// any more.
    pub retracted_at: Option<Timestamp>,
    /// How long it has been active, or was, in milliseconds.
    pub active_ms: u64,
    /// The connections, the oldest first; empty for a retracted finding.
    pub connections: Vec<Connection>,
}

/// One connection at the time of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Identity of the socket.
    pub id: ConnectionId,
    /// Every file descriptor that refers to it, the accountable one first.
    pub owners: Vec<Owner>,
    /// Inode number of its file.
    pub inode: u64,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Which side opened it.
    pub direction: Direction,
    /// Its state.
    pub state: TcpState,
    /// Local address.
    pub local: SocketAddr,
    /// Remote address.
    pub remote: SocketAddr,
    /// Time since it was opened, in milliseconds.
    pub age_ms: u64,
    /// The age is a lower bound: it was open before tracing began, or its opening was not seen.
    pub age_is_lower_bound: bool,
    /// Time since data was last sent or received, in milliseconds.
    pub idle_ms: u64,
    /// When the peer closed it, if it has.
    pub peer_closed: Option<Interval>,
    /// When it went to CLOSE with its file descriptor open, if it has.
    pub died: Option<Interval>,
    /// Data received and not read, in bytes.
    pub unread_bytes: u64,
    /// Data written and not acknowledged, in bytes.
    pub unsent_bytes: u64,
    /// Data received, in bytes.
    pub rx_bytes: u64,
    /// Data sent, in bytes, without retransmissions.
    pub tx_bytes: u64,
    /// Who waits to read from it.
    pub reader: Reader,
    /// HTTP responses on it that are in flight and leaked, as far as a ledger knows.
    pub responses: usize,
    /// Data of those that the program holds in its own memory (HTTP/2), in bytes.
    pub held_bytes: u64,
    /// `func file:line` of the application that requested the response, else that opened the
    /// connection, if known.
    pub call_site: Option<String>,
    /// Why [`call_site`](Self::call_site) is `None`; `None` if it is not.
    pub call_site_reason: Option<CallSiteReason>,
    /// `GET http://host/path` whose response was never read or closed, if known.
    pub request: Option<String>,
    /// How the tool came to know it.
    pub origin: Origin,
}

/// How the tool came to know a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It was open before tracing began, or its opening was not seen.
    Seeded,
    /// Its opening was seen.
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
    /// Which process.
    pub key: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// File descriptors that refer to TCP sockets, including listeners.
    pub tcp_fds: u64,
    /// Open file descriptors of every type, as the limit counts them; `None` if unknown.
    pub open_fds: Option<u64>,
    /// Soft limit of open files (`RLIMIT_NOFILE`).
    pub fd_limit: Option<u64>,
    /// Growth of TCP file descriptors per minute, in thousandths: watched for at least a minute, or
    /// the sum over the process's findings.
    pub growth_per_min_milli: Option<i64>,
    /// The growth was calculated from the ages of the connections in findings, not watched.
    pub growth_is_reconstructed: bool,
    /// Seconds until the limit is reached if TCP file descriptors grow at this rate and nothing
    /// else does. An upper bound if `open_fds` is unknown.
    pub seconds_to_fd_limit: Option<u64>,
    /// Its goroutines, if it is a Go process and they could be counted.
    pub goroutines: Option<Goroutines>,
}

impl ProcessSummary {
    /// File descriptors that count towards the limit, as far as known.
    pub fn used_fds(&self) -> u64 {
        // The two were counted at different times.
        self.open_fds.unwrap_or(0).max(self.tcp_fds)
    }
}

/// What the run could and could not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Nothing that matters is missing: no loss that a later snapshot has not made up for, no
    /// process that could not be read, no limit reached.
    pub complete: bool,
    /// Running totals of what was lost.
    pub loss: Loss,
    /// What of that was lost since the latest snapshot began, so that nothing has made up for it.
    pub unhealed: Loss,
    /// Connections for which the connection table had no room at the latest snapshot.
    pub table_full: u64,
    /// Responses in flight for which there was no room.
    pub responses_full: u64,
    /// Suspected processes that could not be read, and processes whose file descriptors could not.
    pub processes_unreadable: u64,
    /// Stopped processes with suspicious connections: whether they leak cannot be said before they
    /// run again.
    pub processes_stopped: u64,
    /// Processes that were asked for may be outside of the pid namespace of `tracer`, where they are
    /// not seen.
    pub outside_hidden: bool,
    /// File descriptors of sockets that look like TCP and are not judged, by protocol, in the latest
    /// snapshot.
    pub not_judged: BTreeMap<String, u64>,
    /// TCP sockets in scope in the latest snapshot.
    pub sockets: u64,
    /// Processes in scope that held TCP sockets in the latest snapshot.
    pub processes: u64,
    /// Snapshots taken.
    pub snapshots: u64,
    /// How far apart they are; `None` before the second one.
    pub snapshot_interval: Option<SnapshotInterval>,
    /// How kernel events are observed.
    pub probes: Vec<Probe>,
    /// Remarks for the reader of the report.
    pub notes: Vec<Note>,
}

impl Coverage {
    /// What is missing by the counters above, as notes. They are not in [`notes`](Self::notes).
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
    /// File name of the script that the accountable process runs, if it is an interpreter.
    pub script: Option<String>,
}

/// What happened to one connection's verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It got a verdict, or another one than before.
    Flagged,
    /// It was used again, or no rule matches any more: the verdict is retracted.
    Retracted,
    /// It was closed: the verdict is retracted.
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
    /// Since when the connection has had a verdict without a break, this one or others.
    pub since: Timestamp,
}
