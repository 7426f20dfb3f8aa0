//! What a reader should know about what a run could and could not see, in words.

use tracer_core::{FallbackReason, Limit, NoAnswer, Note, QuestionKind};

use super::{call_site_reason, limit::limit, subject::named};
use crate::output::quantity::{counted, grouped};

/// One note, as a sentence without its full stop.
#[expect(clippy::too_many_lines, reason = "one arm for each variant")]
pub(crate) fn note(note: &Note) -> String {
    let processes = |count: u64| counted(count, "process", "processes");
    match note {
        Note::ProcessesNotIdentified { count, per_snapshot_max } => format!(
            "{} with suspicious connections {} not been identified yet (at most {} are \
             identified per snapshot), so those connections are not analyzed",
            processes(*count),
            have(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::ReadersNotInspected { count, per_snapshot_max } => format!(
            "{} {} not been checked for waiting readers yet (at most {} are checked per snapshot)",
            processes(*count),
            have(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::ReadersOutOfTime { count } => format!(
            "there was no time after the latest snapshot to check {} for waiting readers",
            processes(*count)
        ),
        Note::ResponsesStale { count } => format!(
            "the open responses of {} could not be read recently, so nothing is concluded \
             from them",
            processes(*count)
        ),
        Note::StacksNotResolved { count, per_snapshot_max } => format!(
            "{} {} not been resolved to {} yet (at most {} are resolved per snapshot)",
            counted(*count, "stack", "stacks"),
            have(*count),
            call_sites(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::StacksLost { count } => format!(
            "{} of connections or requests {} not recorded because there was no space or a read \
             failed: {} unknown",
            counted(*count, "stack", "stacks"),
            if *count == 1 { "was" } else { "were" },
            if *count == 1 { "its call site is" } else { "their call sites are" }
        ),
        Note::FactsLost { ages, openers, call_sites } => facts_lost(*ages, *openers, *call_sites),
        Note::NoAnswer { question, reason, count } => no_answer(*question, *reason, *count),
        Note::RetractedNotListed { count } => {
            format!(
                "{} no longer listed",
                counted(*count, "retracted finding is", "retracted findings are")
            )
        }
        Note::SocketsUndecodable { count } => format!(
            "{} left out of the latest snapshot because {} changed while being read",
            counted(*count, "socket was", "sockets were"),
            if *count == 1 { "it" } else { "they" }
        ),
        Note::FdsUnreadable { count } => format!(
            "no permission to read the file descriptors of {}, whose connections are not analyzed: \
             run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
            processes(*count)
        ),
        Note::SocketsNotInspected { count: 1 } => format!(
            "{} could not be inspected: it is dead, or the process that holds it is not \
             visible to tracer",
            counted(1, "TCP socket", "TCP sockets")
        ),
        Note::SocketsNotInspected { count } => format!(
            "{} could not be inspected: they are dead, or the processes that hold them are \
             not visible to tracer",
            counted(*count, "TCP socket", "TCP sockets")
        ),
        Note::ReaderLimit { processes: count, limit: reason } => format!(
            "the waiting readers of {} are only partly known: {}",
            processes(*count as u64),
            limit_of(*count, reason)
        ),
        Note::ResponseLimit { processes: count, limit: reason } => format!(
            "the list of open responses of {} is incomplete: {}",
            processes(*count as u64),
            limit_of(*count, reason)
        ),
        Note::CallSiteLimit { stacks, reason } => {
            format!("{}: {}", call_sites_unknown(*stacks as u64), call_site_reason(reason))
        }
        Note::InsidePidNamespace => {
            "tracer runs inside a pid namespace: processes outside it are not visible".to_owned()
        }
        Note::OutsideNotVisible => "tracer runs inside a pid namespace: processes outside it were \
             not checked; run tracer on the host, or name the processes with --pid"
            .to_owned(),
        Note::WithoutKernelPrograms { reason } => format!(
            "snapshots come from sock_diag and /proc, without BPF programs: {}",
            fallback_reason(reason)
        ),
        Note::WithoutEvents => "without BPF events, ages are lower bounds, connections that open \
             and close between two snapshots are not seen, and openers, call sites and \
             body-not-closed are not available"
            .to_owned(),
        Note::DeathTimesByWatching => "without BPF programs, the time of death is known only for \
             connections that died during the run: reporting a ghost as more than possible \
             requires a run longer than --idle"
            .to_owned(),
        Note::RunTooShortForResponses => "HTTP responses of Go programs are not tracked: the run \
             ends before one could have been open for --idle; use a longer --for"
            .to_owned(),
        Note::SingleSnapshot => {
            "only one snapshot was taken, so it is unknown whether data is still moving; use a \
             longer --for"
                .to_owned()
        }
        Note::TargetProcessesEnded => "the processes named with --pid have exited".to_owned(),
        Note::DescendantsNotObserved { process, comm, descendants } => format!(
            "{} has had no TCP sockets so far, and its {} not observed; add --children to include \
             descendants",
            named(*process, &comm.0),
            match descendants {
                1 => "descendant is".to_owned(),
                count => format!("{} descendants are", grouped(*count as u64)),
            },
        ),
        Note::NotConnected { process, comm, fds, other_processes, other_fds } => {
            let others = match other_processes {
                0 => String::new(),
                count => format!(
                    " ({} {} {} more)",
                    grouped(*count),
                    if *count == 1 { "other process has" } else { "other processes have" },
                    grouped(*other_fds),
                ),
            };
            format!(
                "{} has {} that are not connected{others}: connect failed or was not called; they are \
                 not analyzed, but if their number grows, the program probably does not close a \
                 socket after a failed connect",
                named(*process, &comm.0),
                counted(*fds, "TCP socket", "TCP sockets"),
            )
        }
        Note::FollowedProcessesFull { processes_max } => format!(
            "HTTP responses are tracked in at most {}; use --pid to choose which",
            processes(*processes_max as u64)
        ),
        Note::OtherThresholds { unanswered: 0 } => {
            "analyzed with thresholds other than the recorded ones".to_owned()
        }
        Note::OtherThresholds { unanswered } => format!(
            "analyzed with thresholds other than the recorded ones; {} that these would need {} \
             missing from the recording",
            counted(*unanswered as u64, "process inspection", "process inspections"),
            if *unanswered == 1 { "is" } else { "are" }
        ),
        Note::RecordingTruncated => "the recording is truncated: its end is missing".to_owned(),
        Note::RecordingDamaged { offset_bytes } => format!(
            "the recording is damaged from byte {} onwards; everything before that was used",
            grouped(*offset_bytes)
        ),
        Note::RecordingSegmentsDeleted { segments: 1 } => {
            "the recording's oldest segment was deleted to stay below --max-size".to_owned()
        }
        Note::RecordingSegmentsDeleted { segments } => format!(
            "the recording's {} oldest segments were deleted to stay below --max-size",
            grouped(*segments)
        ),
        Note::RecordingStopped { detail } => format!("recording stopped: {detail}"),
        Note::CsvStopped { detail } => format!("CSV export stopped: {detail}"),
        Note::NoSnapshot => "no snapshot was taken".to_owned(),
        Note::SnapshotsFailed { count } => {
            format!("{} failed", counted(*count, "snapshot", "snapshots"))
        }
        Note::ProcessesStopped { count: 1 } => {
            "1 process with suspicious connections is stopped".to_owned()
        }
        Note::ProcessesStopped { count } => {
            format!("{} processes with suspicious connections are stopped", grouped(*count))
        }
        Note::ConnectionsNotKept { count } => format!(
            "{} did not fit in the connection table",
            counted(*count, "connection", "connections")
        ),
        Note::ResponsesNotKept { count } => format!(
            "{} did not fit in the list of open responses, so {} not tracked",
            counted(*count, "open response", "open responses"),
            if *count == 1 { "it is" } else { "they are" }
        ),
        Note::Recorded { text } => text.clone(),
    }
}

/// A limit that several processes may share, as a clause.
fn limit_of(processes: usize, reason: &Limit) -> String {
    let is_one = processes == 1;
    match reason {
        Limit::ProcessEnded if is_one => "the process has exited".to_owned(),
        Limit::ProcessEnded => "the processes have exited".to_owned(),
        Limit::NotGo if is_one => "it is not a Go program".to_owned(),
        Limit::NotGo => "they are not Go programs".to_owned(),
        Limit::GoOtherArchitecture if is_one => {
            "it is a Go program for another CPU architecture".to_owned()
        }
        Limit::GoOtherArchitecture => {
            "they are Go programs for another CPU architecture".to_owned()
        }
        Limit::GoTooOld { .. } | Limit::GoTooNew { .. } => {
            format!("{} {}", if is_one { "it was" } else { "they were" }, limit(reason))
        }
        reason => limit(reason),
    }
}

/// `the call sites of 3 stacks are unknown`.
fn call_sites_unknown(stacks: u64) -> String {
    let (sites, are) = if stacks == 1 { ("call site", "is") } else { ("call sites", "are") };
    format!("the {sites} of {} {are} unknown", counted(stacks, "stack", "stacks"))
}

/// What the loss of events and stacks means for the open connections.
fn facts_lost(ages: u64, openers: u64, call_sites: u64) -> String {
    let connections = |count: u64| counted(count, "connection", "connections");
    let parts = [
        (ages, format!("the age of {} is a lower bound", connections(ages))),
        (openers, format!("the opener of {} is unknown", connections(openers))),
        (call_sites, format!("the call site of {} is unknown", connections(call_sites))),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(count, text)| (count > 0).then_some(text)).collect();
    let what = match parts.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{}, and {last}", others.join(", ")),
        _ => parts.concat(),
    };
    format!("events or stacks of open connections were lost: {what}")
}

const fn have(count: u64) -> &'static str {
    if count == 1 { "has" } else { "have" }
}

/// Why there are no BPF programs, as a phrase.
pub(crate) fn fallback_reason(reason: &FallbackReason) -> String {
    match reason {
        FallbackReason::Requested => "requested with --source".to_owned(),
        FallbackReason::ProgramsNotLoaded { detail } => detail.clone(),
    }
}

fn no_answer(question: QuestionKind, reason: NoAnswer, count: u64) -> String {
    let what = match question {
        QuestionKind::Process | QuestionKind::Readers | QuestionKind::Responses => {
            counted(count, "process", "processes")
        }
        QuestionKind::CallSite => counted(count, "stack", "stacks"),
    };
    match (question, reason) {
        (QuestionKind::Process, NoAnswer::OutOfTime) => {
            format!("there was no time to identify {what}")
        }
        (QuestionKind::Readers, NoAnswer::OutOfTime) => {
            format!("there was no time to check {what} for waiting readers")
        }
        (QuestionKind::CallSite, NoAnswer::OutOfTime) => {
            format!("there was no time to resolve {what} to {}", call_sites(count))
        }
        (QuestionKind::Responses, NoAnswer::OutOfTime) => {
            format!("there was no time to read the open responses of {what}")
        }
        (QuestionKind::Process, NoAnswer::Failed) => {
            format!("{what} could not be identified: {INSPECTION_FAILED}")
        }
        (QuestionKind::Readers, NoAnswer::Failed) => {
            format!("{what} could not be checked for waiting readers: {INSPECTION_FAILED}")
        }
        (QuestionKind::CallSite, NoAnswer::Failed) => {
            format!("{what} could not be resolved to {}: {INSPECTION_FAILED}", call_sites(count))
        }
        (QuestionKind::Responses, NoAnswer::Failed) => {
            format!("the open responses of {what} could not be read: {INSPECTION_FAILED}")
        }
        (
            QuestionKind::Process | QuestionKind::Readers | QuestionKind::Responses,
            NoAnswer::Ended,
        ) => {
            let they = if count == 1 { "it" } else { "they" };
            format!("{what} exited before {they} could be inspected")
        }
        (QuestionKind::CallSite, NoAnswer::Ended) => {
            let process = if count == 1 { "its process has" } else { "their processes have" };
            format!("{what} could not be resolved to {}: {process} exited", call_sites(count))
        }
    }
}

const INSPECTION_FAILED: &str = "two inspections crashed or exceeded their limit of time or memory";

const fn call_sites(count: u64) -> &'static str {
    if count == 1 { "a call site" } else { "call sites" }
}
