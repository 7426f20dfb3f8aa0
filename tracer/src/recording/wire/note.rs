//! What a reader of a report should know about what the run could see.

use super::{Count, call_site_reason::CallSiteReason, limit::Limit, probe::FallbackReason};

wire_enum! {
    Note mirrors tracer_core::Note {
        ProcessesNotIdentified { count: u64, per_snapshot_max: Count },
        ReadersNotInspected { count: u64, per_snapshot_max: Count },
        ReadersOutOfTime { count: u64 },
        ResponsesStale { count: u64 },
        StacksNotResolved { count: u64, per_snapshot_max: Count },
        StacksLost { count: u64 },
        RetractedNotListed { count: u64 },
        SocketsUndecodable { count: u64 },
        FdsUnreadable { count: u64 },
        SocketsNotInspected { count: u64 },
        ReaderLimit { processes: Count, limit: Limit },
        ResponseLimit { processes: Count, limit: Limit },
        CallSiteLimit { stacks: Count, reason: CallSiteReason },
        InsidePidNamespace,
        WithoutKernelPrograms { reason: FallbackReason },
        WithoutEvents,
        DeathTimesByWatching,
        RunTooShortForResponses,
        SingleSnapshot,
        TargetProcessesEnded,
        FollowedProcessesFull { processes_max: Count },
        OtherThresholds { unanswered: Count },
        RecordingTruncated,
        RecordingDamaged { offset_bytes: u64 },
        RecordingSegmentsDeleted { segments: u64 },
        RecordingStopped { detail: String },
        CsvStopped { detail: String },
        NoSnapshot,
        SnapshotsFailed { count: u64 },
        ConnectionsNotKept { count: u64 },
        ResponsesNotKept { count: u64 },
        Recorded { text: String },
        ProcessesStopped { count: u64 },
        FactsLost { ages: u64, openers: u64, call_sites: u64 },
        OutsideNotVisible,
    }
}
