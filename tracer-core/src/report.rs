use alloc::{collections::BTreeMap, string::String, vec::Vec};
use core::net::SocketAddr;

use crate::{
    Comm, Confidence, ConnectionId, Container, Direction, Goroutines, Interval, Loss, Owner,
    ProcessKey, Reader, TcpState, Timestamp, Verdict,
};

/// What is known at one moment. Plain data: the sinks give it a form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// When the run began.
    pub started_at: Timestamp,
    /// The moment all ages count back from.
    pub at: Timestamp,
    /// Standing findings, the worst first; then those that were taken back, the latest first.
    pub findings: Vec<Finding>,
    /// The processes in the findings, and those that the user asked for.
    pub processes: Vec<ProcessSummary>,
    /// Connections without a finding; empty unless [`Options::all`](crate::Options::all).
    pub unflagged: Vec<Connection>,
    /// What could and could not be seen.
    pub coverage: Coverage,
}

/// Connections of one process to one destination that share a verdict, or to the same port of many
/// where those to each are too few; of responses, those of one call site. A connection of HTTP/2 whose responses were asked for at several is in the finding of
/// each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Number of the finding, the same through a run.
    pub id: u64,
    /// What is wrong.
    pub verdict: Verdict,
    /// How sure.
    pub confidence: Confidence,
    /// The process that is accountable: the opener while it still holds the sockets, else the
    /// oldest holder.
    pub process: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// Target of its `/proc/PID/exe`.
    pub exe: Option<String>,
    /// Its command line, if the user asked for it.
    pub cmdline: Option<String>,
    /// Its real user id.
    pub uid: Option<u32>,
    /// Its container.
    pub container: Option<Container>,
    /// Its number in its own pid namespace, if that is another one.
    pub inner_pid: Option<u32>,
    /// Inode number of the sockets' network namespace.
    pub netns: u32,
    /// Who opened the connections.
    pub direction: Direction,
    /// The destination; `None` if there are several, and for inbound connections, which are grouped
    /// by local port.
    pub remote: Option<SocketAddr>,
    /// The port of the destination or destinations; `None` for inbound connections.
    pub remote_port: Option<u16>,
    /// How many destinations; 0 for inbound connections.
    pub remotes: usize,
    /// The port that was connected to; `None` for outbound connections.
    pub local_port: Option<u16>,
    /// How many connections. At a retraction: how many there were when the last one went.
    pub count: usize,
    /// The most connections that it has had.
    pub peak_count: usize,
    /// The surest that it has been.
    pub peak_confidence: Confidence,
    /// Age of the oldest one in milliseconds.
    pub oldest_age_ms: u64,
    /// The oldest one's age is only a lower bound.
    pub oldest_age_is_lower_bound: bool,
    /// Connections a minute by which the finding grows, in thousandths.
    pub growth_per_min_milli: Option<i64>,
    /// The growth was worked out from ages, not watched.
    pub growth_is_reconstructed: bool,
    /// How many responses were handed out on them and neither read to the end nor closed, as far as
    /// a ledger tells. On a connection of HTTP/2 there are several.
    pub responses: usize,
    /// Unread data of all connections together, in bytes.
    pub unread_bytes: u64,
    /// Bytes of those responses that the program has in its own memory (HTTP/2).
    pub held_bytes: u64,
    /// Who would notice.
    pub reader: Reader,
    /// `func file:line` of the application: where the responses were asked for, else where the
    /// connections were opened. `None` if it is not known, or not the same for all.
    pub call_site: Option<String>,
    /// `GET http://host/path`, where known.
    pub request: Option<String>,
    /// Why, one sentence each.
    pub evidence: Vec<String>,
    /// When it was taken back: every socket was closed or used again.
    pub retracted_at: Option<Timestamp>,
    /// How long it has stood, or had, in milliseconds.
    pub stood_ms: u64,
    /// The connections, the oldest first; of a retracted finding, none.
    pub connections: Vec<Connection>,
}

/// One connection as of the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Which socket.
    pub id: ConnectionId,
    /// Every descriptor that refers to it, the accountable one first.
    pub owners: Vec<Owner>,
    /// Inode number of its file.
    pub inode: u64,
    /// Inode number of its network namespace.
    pub netns: u32,
    /// Who opened it.
    pub direction: Direction,
    /// Its state.
    pub state: TcpState,
    /// Local end.
    pub local: SocketAddr,
    /// Remote end.
    pub remote: SocketAddr,
    /// Time since it was opened, in milliseconds.
    pub age_ms: u64,
    /// The age is only a lower bound: it was open when the tool first looked.
    pub age_is_lower_bound: bool,
    /// Time since data was last sent or received, in milliseconds.
    pub idle_ms: u64,
    /// When the peer closed it, if it has.
    pub peer_closed: Option<Interval>,
    /// When it died although its descriptor is open, if it has.
    pub died: Option<Interval>,
    /// Data received and not read, in bytes.
    pub unread_bytes: u64,
    /// Data written and not acknowledged, in bytes.
    pub unsent_bytes: u64,
    /// Data received, in bytes.
    pub rx_bytes: u64,
    /// Data sent, in bytes; retransmissions are not counted.
    pub tx_bytes: u64,
    /// Who would notice.
    pub reader: Reader,
    /// How many responses on it were neither read to the end nor closed, as far as a ledger tells.
    pub responses: usize,
    /// Bytes of those that the program has in its own memory (HTTP/2).
    pub held_bytes: u64,
    /// `func file:line` of the application that asked for the response, else that opened it, where
    /// known.
    pub call_site: Option<String>,
    /// `GET http://host/path` whose response was never read or closed, where known.
    pub request: Option<String>,
    /// How the tool came to know it.
    pub origin: Origin,
}

/// How the tool came to know a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// It was open when the tool first looked.
    Seeded,
    /// The tool saw it open.
    Traced,
}

impl Origin {
    /// The word of the JSON and CSV schemas.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seeded => "seeded",
            Self::Traced => "traced",
        }
    }
}

/// The headline of one process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSummary {
    /// Which process.
    pub key: ProcessKey,
    /// Its name.
    pub comm: Comm,
    /// Descriptors that refer to TCP sockets, listeners included.
    pub tcp_fds: u64,
    /// Open descriptors of every kind, as the limit counts them; `None` if they could not be read.
    pub open_fds: Option<u64>,
    /// Soft limit of open files.
    pub fd_limit: Option<u64>,
    /// TCP descriptors a minute, in thousandths: watched for at least a minute, or the growth of
    /// the process's findings together.
    pub growth_per_min_milli: Option<i64>,
    /// The growth was worked out from the ages of the connections in findings, not watched.
    pub growth_is_reconstructed: bool,
    /// Seconds until the limit is hit if it grows on and nothing else does; at the most, if only
    /// TCP could be counted.
    pub seconds_to_fd_limit: Option<u64>,
    /// What its goroutines do, if it is a Go process and they could be looked at.
    pub goroutines: Option<Goroutines>,
}

impl ProcessSummary {
    /// Descriptors that count towards the limit, as far as they are known.
    pub fn used_fds(&self) -> u64 {
        // The two were counted at different moments.
        self.open_fds.unwrap_or(0).max(self.tcp_fds)
    }
}

/// What the run could and could not see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Nothing that matters is missing: no loss that a later snapshot has not healed, no process
    /// that could not be read, no limit hit.
    pub complete: bool,
    /// Running totals of what was lost.
    pub loss: Loss,
    /// Connections that did not fit into the table at the latest snapshot.
    pub table_full: u64,
    /// Responses on the latest pages of the ledgers for which there was no room.
    pub responses_full: u64,
    /// Suspected processes that could not be read, and those whose descriptors could not.
    pub processes_unreadable: u64,
    /// Descriptors of sockets that look like TCP and are not judged, by kind, at the latest
    /// snapshot.
    pub not_judged: BTreeMap<String, u64>,
    /// TCP sockets in scope at the latest snapshot.
    pub sockets: u64,
    /// Snapshots taken.
    pub snapshots: u64,
    /// One entry per hook: how it is attached.
    pub probes: Vec<String>,
    /// What else the reader should know.
    pub notes: Vec<String>,
}

/// Something that happened to one connection's finding: a line of the CSV export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: ChangeKind,
    /// The connection as last seen.
    pub connection: Connection,
    /// The verdict that was given, changed or taken back.
    pub flag: Flag,
}

/// What happened to one connection's finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It got a verdict, or another one than before.
    Flagged,
    /// It was used again: the verdict is taken back.
    Retracted,
    /// It was closed: the verdict is taken back.
    Closed,
}

impl ChangeKind {
    /// The word of the CSV schema.
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
    /// How sure.
    pub confidence: Confidence,
    /// Since when this verdict or an earlier one has stood without a break.
    pub since: Timestamp,
}
