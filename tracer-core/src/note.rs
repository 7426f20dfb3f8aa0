//! What a reader of a report should know about what the run could and could not see, as data.

use alloc::string::String;

use crate::{CallSiteReason, Comm, FallbackReason, Limit, NoAnswer, ProcessKey, QuestionKind};

/// One remark on what a run could see. It never produces or removes a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant documents its fields")]
pub enum Note {
    /// `count` suspected processes have not been identified yet, so their connections are not
    /// judged: at most `per_snapshot_max` are identified after each snapshot.
    ProcessesNotIdentified { count: u64, per_snapshot_max: usize },
    /// `count` processes have not been inspected for readers yet: at most `per_snapshot_max` are
    /// inspected after each snapshot.
    ReadersNotInspected { count: u64, per_snapshot_max: usize },
    /// After the latest snapshot there was no time to inspect `count` processes for readers.
    ReadersOutOfTime { count: u64 },
    /// The open responses of `count` processes could not be read recently, so nothing is
    /// concluded from them.
    ResponsesStale { count: u64 },
    /// `count` stacks have not been resolved to call sites yet: at most `per_snapshot_max` are
    /// resolved after each snapshot.
    StacksNotResolved { count: u64, per_snapshot_max: usize },
    /// The stacks of `count` connections or requests were not kept, because the kernel's map of
    /// stacks was full or they could not be read, so their call sites are unknown.
    StacksLost { count: u64 },
    /// `count` retracted findings are no longer listed.
    RetractedNotListed { count: u64 },
    /// `count` sockets changed while they were being read and were left out of the latest snapshot.
    SocketsUndecodable { count: u64 },
    /// The file descriptors of `count` processes could not be read, so their connections are not
    /// judged: this requires root, or CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
    FdsUnreadable { count: u64 },
    /// `count` TCP sockets could not be inspected: they are dead, or their processes are hidden.
    SocketsNotInspected { count: u64 },
    /// The readers of `processes` processes are not fully known because of `limit`.
    ReaderLimit { processes: usize, limit: Limit },
    /// The open responses of `processes` processes are not fully known because of `limit`.
    ResponseLimit { processes: usize, limit: Limit },
    /// The call sites of `stacks` stacks are unknown.
    CallSiteLimit { stacks: usize, reason: CallSiteReason },

    /// `tracer` runs inside a pid namespace: processes outside are not seen.
    InsidePidNamespace,
    /// Snapshots come from sock_diag(7) and `/proc`, without BPF programs.
    WithoutKernelPrograms { reason: FallbackReason },
    /// Without events, ages are lower bounds, connections that open and close between two
    /// snapshots are not seen, and neither openers, call sites nor responses are known.
    WithoutEvents,
    /// Without BPF programs, the time of death is known only for connections that died during
    /// the run: reporting a ghost as more than possible requires a run longer than `--idle`.
    DeathTimesByWatching,
    /// HTTP responses of Go programs are not tracked: the run ends before one could have been open
    /// for `--idle`.
    RunTooShortForResponses,
    /// One snapshot was taken: whether anything changes was not watched.
    SingleSnapshot,
    /// The target processes have exited.
    TargetProcessesEnded,
    /// The process was named with `--pid` and has had no TCP sockets so far, and `descendants`
    /// descendants of it are not in scope.
    DescendantsNotObserved { process: ProcessKey, comm: Comm, descendants: usize },
    /// HTTP responses are tracked in `processes_max` processes, and in no others.
    FollowedProcessesFull { processes_max: usize },

    /// The recording was judged with thresholds other than the recorded ones; `unanswered` of the
    /// questions that these lead to have no recorded answer.
    OtherThresholds { unanswered: usize },
    /// The recording is truncated: its end is missing.
    RecordingTruncated,
    /// The recording is damaged from this offset onwards.
    RecordingDamaged { offset_bytes: u64 },
    /// The `segments` oldest segments of the recording were deleted to keep it below `--max-size`.
    RecordingSegmentsDeleted { segments: u64 },
    /// The recording could not be continued; `detail` is the error.
    RecordingStopped { detail: String },
    /// The CSV file could not be continued; `detail` is the error.
    CsvStopped { detail: String },

    /// No snapshot was taken.
    NoSnapshot,
    /// `count` snapshots failed.
    SnapshotsFailed { count: u64 },
    /// `count` processes with suspicious connections are stopped.
    ProcessesStopped { count: u64 },
    /// The connection table had no room for `count` connections.
    ConnectionsNotKept { count: u64 },
    /// There was no room for `count` open responses.
    ResponsesNotKept { count: u64 },

    /// The text of a recording of format 3, which did not keep notes as data.
    Recorded { text: String },

    /// Events or stacks were lost. Of the open connections, the age of `ages` is a lower bound, the
    /// opener of `openers` is unknown, and the call site of `call_sites` is unknown.
    FactsLost { ages: u64, openers: u64, call_sites: u64 },

    /// `tracer` runs inside a pid namespace, and processes outside, which are not seen, are in scope
    /// too.
    OutsideNotVisible,
    /// Questions about `count` processes were not answered; questions about call sites are counted
    /// by stack.
    NoAnswer { question: QuestionKind, reason: NoAnswer, count: u64 },

    /// The process has `fds` file descriptors of TCP sockets that are not connected, more than
    /// `--pool-size`, and no process has more. `other_processes` also have more than `--pool-size`,
    /// together `other_fds`. They are not judged.
    NotConnected { process: ProcessKey, comm: Comm, fds: u64, other_processes: u64, other_fds: u64 },
}

impl Note {
    /// The code in JSON. Codes are never renamed or reused.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::ProcessesNotIdentified { .. } => "processes-not-identified",
            Self::ReadersNotInspected { .. } => "readers-not-inspected",
            Self::ReadersOutOfTime { .. } => "readers-out-of-time",
            Self::ResponsesStale { .. } => "responses-stale",
            Self::StacksNotResolved { .. } => "stacks-not-resolved",
            Self::StacksLost { .. } => "stacks-lost",
            Self::RetractedNotListed { .. } => "retracted-not-listed",
            Self::SocketsUndecodable { .. } => "sockets-undecodable",
            Self::FdsUnreadable { .. } => "fds-unreadable",
            Self::SocketsNotInspected { .. } => "sockets-not-inspected",
            Self::ReaderLimit { .. } => "reader-limit",
            Self::ResponseLimit { .. } => "response-limit",
            Self::CallSiteLimit { .. } => "call-site-limit",
            Self::InsidePidNamespace => "inside-pid-namespace",
            Self::WithoutKernelPrograms { .. } => "without-kernel-programs",
            Self::WithoutEvents => "without-events",
            Self::DeathTimesByWatching => "death-times-by-watching",
            Self::RunTooShortForResponses => "run-too-short-for-responses",
            Self::SingleSnapshot => "single-snapshot",
            Self::TargetProcessesEnded => "target-processes-ended",
            Self::DescendantsNotObserved { .. } => "descendants-not-observed",
            Self::FollowedProcessesFull { .. } => "followed-processes-full",
            Self::OtherThresholds { .. } => "other-thresholds",
            Self::RecordingTruncated => "recording-truncated",
            Self::RecordingDamaged { .. } => "recording-damaged",
            Self::RecordingSegmentsDeleted { .. } => "recording-segments-deleted",
            Self::RecordingStopped { .. } => "recording-stopped",
            Self::CsvStopped { .. } => "csv-stopped",
            Self::NoSnapshot => "no-snapshot",
            Self::SnapshotsFailed { .. } => "snapshots-failed",
            Self::ProcessesStopped { .. } => "processes-stopped",
            Self::ConnectionsNotKept { .. } => "connections-not-kept",
            Self::ResponsesNotKept { .. } => "responses-not-kept",
            Self::Recorded { .. } => "recorded",
            Self::FactsLost { .. } => "facts-lost",
            Self::OutsideNotVisible => "outside-not-visible",
            Self::NoAnswer { .. } => "no-answer",
            Self::NotConnected { .. } => "not-connected",
        }
    }
}
