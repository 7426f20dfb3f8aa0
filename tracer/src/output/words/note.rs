//! What a reader should know about what a run could and could not see, in words.

use tracer_core::{FallbackReason, Note};

use super::{call_site_reason, limit::limit};
use crate::output::quantity::{counted, grouped};

/// One note, as a sentence without its full stop.
#[expect(clippy::too_many_lines, reason = "one arm for each variant")]
pub(crate) fn note(note: &Note) -> String {
    let processes = |count: u64| counted(count, "process", "processes");
    match note {
        Note::ProcessesNotIdentified { count, per_snapshot_max } => format!(
            "{} with suspicious connections {} not been identified yet (at most {} per \
             snapshot), so those connections are not judged",
            processes(*count),
            have(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::ReadersNotInspected { count, per_snapshot_max } => format!(
            "{} {} not been inspected for readers yet (at most {} per snapshot)",
            processes(*count),
            have(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::ReadersOutOfTime { count } => format!(
            "there was no time to inspect {} for readers after the latest snapshot",
            processes(*count)
        ),
        Note::ResponsesStale { count } => format!(
            "the responses in flight of {} could not be read recently, so nothing is concluded \
             from them",
            processes(*count)
        ),
        Note::StacksNotResolved { count, per_snapshot_max } => format!(
            "{} {} not been resolved to call sites yet (at most {} per snapshot)",
            counted(*count, "stack", "stacks"),
            have(*count),
            grouped(*per_snapshot_max as u64)
        ),
        Note::StacksLost { count } => format!(
            "{} of connections or requests {} not recorded, for lack of room or because of a read \
             error: their call sites are unknown",
            counted(*count, "stack", "stacks"),
            if *count == 1 { "was" } else { "were" }
        ),
        Note::FactsLost { ages, openers, call_sites } => facts_lost(*ages, *openers, *call_sites),
        Note::RetractedNotListed { count } => {
            format!(
                "{} no longer listed",
                counted(*count, "retracted finding is", "retracted findings are")
            )
        }
        Note::SocketsUndecodable { count } => format!(
            "{} changed while being read and were left out of the latest snapshot",
            counted(*count, "socket", "sockets")
        ),
        Note::FdsUnreadable { count } => format!(
            "no permission to read the file descriptors of {}, whose connections are not judged: \
             run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH",
            processes(*count)
        ),
        Note::SocketsNotInspected { count } => format!(
            "{} could not be inspected: they are dead, or their processes are hidden",
            counted(*count, "TCP socket", "TCP sockets")
        ),
        Note::ReaderLimit { processes: count, limit: reason } => {
            format!(
                "readers of {} are not fully known: {}",
                processes(*count as u64),
                limit(reason)
            )
        }
        Note::ResponseLimit { processes: count, limit: reason } => format!(
            "responses in flight of {} are not fully known: {}",
            processes(*count as u64),
            limit(reason)
        ),
        Note::CallSiteLimit { stacks, reason } => format!(
            "the call sites of {} are unknown: {}",
            counted(*stacks as u64, "stack", "stacks"),
            call_site_reason(reason)
        ),
        Note::InsidePidNamespace => {
            "tracer runs inside a pid namespace: processes outside of it are not seen".to_owned()
        }
        Note::WithoutKernelPrograms { reason } => format!(
            "snapshots come from sock_diag and /proc, without BPF programs: {}",
            fallback_reason(reason)
        ),
        Note::WithoutEvents => "without BPF events, ages are lower bounds, connections that open \
             and close between two snapshots are not seen, and openers, call sites and \
             body-not-closed are not available"
            .to_owned(),
        Note::DeathTimesByWatching => "without BPF programs, when a connection died is known only \
             if it died while watched: a ghost above possible takes a run longer than --idle"
            .to_owned(),
        Note::RunTooShortForResponses => "HTTP responses of Go programs are not followed: the run \
             ends before one could be in flight for --idle; use a longer --for"
            .to_owned(),
        Note::SingleSnapshot => {
            "one snapshot was taken, so whether data still moves is unknown; use a longer --for"
                .to_owned()
        }
        Note::TargetProcessesEnded => "the processes named with --pid have ended".to_owned(),
        Note::FollowedProcessesFull { processes_max } => format!(
            "HTTP responses are followed in at most {}; name others with --pid",
            processes(*processes_max as u64)
        ),
        Note::OtherThresholds { unanswered: 0 } => {
            "judged with thresholds that differ from those of the recording".to_owned()
        }
        Note::OtherThresholds { unanswered } => format!(
            "judged with thresholds that differ from those of the recording; it has no answers to {} \
             about processes",
            counted(*unanswered as u64, "question", "questions")
        ),
        Note::RecordingTruncated => {
            "the recording ends in the middle: what happened last is missing".to_owned()
        }
        Note::RecordingDamaged { offset_bytes } => format!(
            "the recording is damaged from byte {} on; everything before it was used",
            grouped(*offset_bytes)
        ),
        Note::RecordingSegmentsDeleted { segments } => format!(
            "the recording lacks its oldest {}, deleted to stay below --max-size",
            counted(*segments, "segment", "segments")
        ),
        Note::RecordingStopped { detail } => format!("recording stopped: {detail}"),
        Note::CsvStopped { detail } => format!("CSV export stopped: {detail}"),
        Note::NoSnapshot => "no snapshot was taken".to_owned(),
        Note::SnapshotsFailed { count } => {
            format!("{} failed", counted(*count, "snapshot", "snapshots"))
        }
        Note::ConnectionsNotKept { count } => format!(
            "{} did not fit into the connection table",
            counted(*count, "connection", "connections")
        ),
        Note::ResponsesNotKept { count } => format!(
            "{} in flight did not fit into the list",
            counted(*count, "response", "responses")
        ),
        Note::Recorded { text } => text.clone(),
    }
}

/// What the loss of events and stacks means for the open connections.
fn facts_lost(ages: u64, openers: u64, call_sites: u64) -> String {
    let connections = |count: u64| counted(count, "connection", "connections");
    let parts = [
        (ages, format!("the age of {} is a lower bound", connections(ages))),
        (openers, format!("who opened {} is unknown", connections(openers))),
        (call_sites, format!("the call site of {} is unknown", connections(call_sites))),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(count, text)| (count > 0).then_some(text)).collect();
    format!("events or stacks of open connections were lost: {}", parts.join(", "))
}

const fn have(count: u64) -> &'static str {
    if count == 1 { "has" } else { "have" }
}

/// Why there are no kernel programs, as a phrase.
pub(crate) fn fallback_reason(reason: &FallbackReason) -> String {
    match reason {
        FallbackReason::Requested => "requested with --source".to_owned(),
        FallbackReason::ProgramsNotLoaded { detail } => detail.clone(),
    }
}
