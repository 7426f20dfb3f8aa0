//! What a run could not see, in JSON: notes, limits, reasons and probes.

use serde::Serialize;
use tracer_core::{
    AccessError, AttachError, AttachFailure, AttachState, CallSiteReason, FallbackReason, Limit,
    Note, Probe,
};

use super::coded::{Coded, Field};
use crate::output::{quantity::plain, words};

/// One remark on what a run could see.
pub(super) fn note(fact: &Note) -> Coded {
    let coded = Coded::new(fact.code(), &words::note(fact));
    match fact {
        Note::ProcessesNotIdentified { count, per_snapshot_max }
        | Note::ReadersNotInspected { count, per_snapshot_max }
        | Note::StacksNotResolved { count, per_snapshot_max } => {
            coded.integer("count", *count).integer("per_snapshot_max", *per_snapshot_max)
        }
        Note::ReadersOutOfTime { count }
        | Note::ResponsesStale { count }
        | Note::StacksLost { count }
        | Note::RetractedNotListed { count }
        | Note::SocketsUndecodable { count }
        | Note::FdsUnreadable { count }
        | Note::SocketsNotInspected { count }
        | Note::SnapshotsFailed { count }
        | Note::ProcessesStopped { count }
        | Note::ConnectionsNotKept { count }
        | Note::ResponsesNotKept { count } => coded.integer("count", *count),
        Note::ReaderLimit { processes, limit: it }
        | Note::ResponseLimit { processes, limit: it } => {
            coded.integer("processes", *processes).with("limit", Field::Object(limit(it)))
        }
        Note::CallSiteLimit { stacks, reason } => {
            coded.integer("stacks", *stacks).with("reason", Field::Object(call_site_reason(reason)))
        }
        Note::WithoutKernelPrograms { reason } => {
            coded.with("reason", Field::Object(fallback_reason(reason)))
        }
        Note::FactsLost { ages, openers, call_sites } => coded
            .integer("ages", *ages)
            .integer("openers", *openers)
            .integer("call_sites", *call_sites),
        Note::NoAnswer { question, reason, count } => coded
            .text("question", question.code())
            .text("reason", reason.code())
            .integer("count", *count),
        Note::FollowedProcessesFull { processes_max } => {
            coded.integer("processes_max", *processes_max)
        }
        Note::DescendantsNotObserved { process, comm, descendants } => coded
            .integer("pid", process.pid)
            .text("comm", &comm.0)
            .integer("descendants", *descendants),
        Note::NotConnected { process, comm, fds, other_processes, other_fds } => coded
            .integer("pid", process.pid)
            .text("comm", &comm.0)
            .integer("fds", *fds)
            .integer("other_processes", *other_processes)
            .integer("other_fds", *other_fds),
        Note::OtherThresholds { unanswered } => coded.integer("unanswered", *unanswered),
        Note::RecordingDamaged { offset_bytes } => coded.integer("offset_bytes", *offset_bytes),
        Note::RecordingSegmentsDeleted { segments } => coded.integer("segments", *segments),
        Note::RecordingStopped { detail } | Note::CsvStopped { detail } => {
            coded.text("detail", detail)
        }
        Note::InsidePidNamespace
        | Note::OutsideNotVisible
        | Note::WithoutEvents
        | Note::DeathTimesByWatching
        | Note::RunTooShortForResponses
        | Note::SingleSnapshot
        | Note::TargetProcessesEnded
        | Note::RecordingTruncated
        | Note::NoSnapshot
        | Note::Recorded { .. } => coded,
    }
}

/// Why an inspection of a process found less than it could have.
pub(super) fn limit(fact: &Limit) -> Coded {
    let coded = Coded::new(fact.code(), &words::limit(fact));
    match fact {
        Limit::FdsUnreadable { error }
        | Limit::ThreadsUnreadable { error }
        | Limit::MemoryUnreadable { error } => access_error(coded, error),
        Limit::EpollsTruncated { fds_max, registrations_max } => {
            coded.integer("fds_max", *fds_max).integer("registrations_max", *registrations_max)
        }
        Limit::ThreadsTruncated { threads_max } => coded.integer("threads_max", *threads_max),
        Limit::GoTooOld { minor, oldest_minor } => {
            coded.integer("minor", *minor).integer("oldest_minor", *oldest_minor)
        }
        Limit::GoTooNew { minor, newest_minor } => {
            coded.integer("minor", *minor).integer("newest_minor", *newest_minor)
        }
        Limit::GoroutinesTruncated { scanned, total } => {
            coded.integer("scanned", *scanned).integer("total", *total)
        }
        Limit::StacksTruncated { scanned_bytes } => coded.integer("scanned_bytes", *scanned_bytes),
        Limit::InspectionTooLarge { bytes_max } => coded.integer("bytes_max", *bytes_max),
        Limit::InspectionTooLong { steps_max } => coded.integer("steps_max", *steps_max),
        Limit::FileNotLocal { filesystem } => coded.text("filesystem", filesystem),
        Limit::GoFunctionMissing { function } => coded.text("function", function),
        Limit::UprobesRefused { detail } => coded.text("detail", detail),
        Limit::ResponsesTruncated { resolved, total } => {
            coded.integer("resolved", *resolved).integer("total", *total)
        }
        Limit::ConnectionsNotFound { missing, total } => {
            coded.integer("missing", *missing).integer("total", *total)
        }
        Limit::PolledFdsTruncated
        | Limit::ThirtyTwoBitProgram
        | Limit::NotGo
        | Limit::GoOtherArchitecture
        | Limit::GoroutinesNotOnArchitecture
        | Limit::NothingVerified
        | Limit::GoFunctionTableMissing
        | Limit::GoroutineListMissing
        | Limit::GoroutineListMoved
        | Limit::ReferencesIncomplete
        | Limit::ProcessEnded
        | Limit::Recorded { .. } => coded,
    }
}

fn access_error(coded: Coded, error: &AccessError) -> Coded {
    let detail = match error {
        AccessError::PermissionDenied { detail } => detail.as_deref(),
        AccessError::Failed { detail } => Some(&**detail),
        AccessError::YamaPtraceScope | AccessError::NotInKernel => None,
    };
    coded.text("error", error.code()).nullable("detail", detail)
}

/// Why a line of code is unknown.
pub(super) fn call_site_reason(fact: &CallSiteReason) -> Coded {
    let coded = Coded::new(fact.code(), &words::call_site_reason(fact));
    match fact {
        CallSiteReason::StackTooDeep { frames_max } => coded.integer("frames_max", *frames_max),
        CallSiteReason::FramePointersMissing { module, explanation } => coded
            .nullable("module", module.as_deref())
            .nullable("explanation", explanation.as_deref()),
        CallSiteReason::SymbolsMissing { module } => coded.nullable("module", module.as_deref()),
        CallSiteReason::HiddenByRuntime { explanation } => coded.text("explanation", explanation),
        CallSiteReason::PerfMapTooLarge { bytes_max } => coded.integer("bytes_max", *bytes_max),
        CallSiteReason::PerfMapUnreadable { detail } => coded.text("detail", detail),
        CallSiteReason::OpenedBeforeTracing
        | CallSiteReason::StackNotRecorded
        | CallSiteReason::NotResolved
        | CallSiteReason::StackNotKept
        | CallSiteReason::StackEmpty
        | CallSiteReason::HiddenFrame
        | CallSiteReason::NoApplicationFrame
        | CallSiteReason::PerfMapUntrusted
        | CallSiteReason::GoLinesInconsistent
        | CallSiteReason::SeveralCallSites
        | CallSiteReason::Recorded { .. } => coded,
        CallSiteReason::Process(it) => limit(it),
    }
}

/// Why snapshots are taken without BPF programs.
pub(super) fn fallback_reason(reason: &FallbackReason) -> Coded {
    let coded = Coded::new(reason.code(), &words::fallback_reason(reason));
    match reason {
        FallbackReason::Requested => coded,
        FallbackReason::ProgramsNotLoaded { detail } => coded.text("detail", detail),
    }
}

/// One hook of a run.
#[derive(Serialize)]
pub(super) struct ProbeObject {
    hook: &'static str,
    is_attached: bool,
    /// `None` if it is not attached, and in recordings of format 3.
    method: Option<&'static str>,
    text: String,
    /// The methods that did not work.
    failures: Vec<Coded>,
    /// Why snapshots are taken without BPF programs, if they are.
    reason: Option<Coded>,
}

impl ProbeObject {
    pub(super) fn new(probe: &Probe) -> Self {
        let (method, failures, reason): (_, &[AttachFailure], _) = match &probe.state {
            AttachState::Attached { method, failures } => (Some(method.name()), failures, None),
            AttachState::NotAttached { failures } => (None, failures, None),
            AttachState::SockDiag { reason } => {
                (Some("sock_diag"), &[], Some(fallback_reason(reason)))
            }
            AttachState::Recorded { .. } => (None, &[], None),
        };
        Self {
            hook: probe.hook.name(),
            is_attached: probe.is_attached(),
            method,
            text: plain(&words::probe(probe)),
            failures: failures.iter().map(attach_failure).collect(),
            reason,
        }
    }
}

pub(super) fn attach_failure(failure: &AttachFailure) -> Coded {
    let AttachFailure { method, error } = failure;
    let coded = Coded::new(error.code(), &words::attach_error(error)).text("method", method.name());
    match error {
        AttachError::FexitUnsafe => coded,
        AttachError::ProgramInvalid { program } => coded.text("program", program),
        AttachError::TracefsUnreadable { detail }
        | AttachError::TracefsUnavailable { detail }
        | AttachError::Refused { detail } => coded.text("detail", detail),
    }
}
