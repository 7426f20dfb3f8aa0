//! Why the line of code is unknown, in words.

use tracer_core::{CallSiteReason, CountOf, Finding, Origin, Verdict};

use super::{connections as some_of, limit::limit};
use crate::output::quantity::bytes;

/// Why no line is named for a finding, as a phrase. `None` if a line is named, or if the call sites
/// are known but differ: the evidence lists them.
pub(crate) fn call_site_unknown(finding: &Finding) -> Option<String> {
    let reason = finding.call_site_reason.as_ref()?;
    let text = call_site_reason(reason);
    let connections = &finding.connections;
    let seeded = connections.iter().filter(|it| it.origin == Origin::Seeded).count();
    // The reason is that of most connections. Requests are not opened with their connection.
    let is_mixed = seeded > 0 && seeded < connections.len();
    let is_mixed = is_mixed && finding.verdict != Verdict::BodyNotClosed;
    let were = if seeded == 1 { "was" } else { "were" };
    let early = some_of(CountOf { count: seeded, total: connections.len() });
    Some(match reason {
        CallSiteReason::SeveralCallSites => return None,
        _ if !is_mixed => text,
        CallSiteReason::OpenedBeforeTracing => format!("{early} {were} {text}"),
        _ => format!("{early} {were} opened before tracing began; for the others, {text}"),
    })
}

/// The reason, as a phrase.
pub(crate) fn call_site_reason(reason: &CallSiteReason) -> String {
    match reason {
        CallSiteReason::OpenedBeforeTracing => {
            "opened before tracing began, so no stack was recorded; a run with --pid that lasts \
             longer than --idle can name the lines of connections leaked during it"
                .to_owned()
        }
        CallSiteReason::StackNotRecorded => {
            "no stack was recorded; only runs with --pid or --go record the stacks of new \
             connections"
                .to_owned()
        }
        CallSiteReason::NotResolved => "the stack has not been resolved yet".to_owned(),
        CallSiteReason::StackNotKept => {
            "the kernel's stack map no longer holds the stack".to_owned()
        }
        CallSiteReason::StackEmpty => "the recorded stack has no frames".to_owned(),
        CallSiteReason::StackTooDeep { frames_max } => format!(
            "the stack is deeper than the {frames_max} frames that are recorded, and none of them \
             is the application's"
        ),
        CallSiteReason::FramePointersMissing { module, explanation } => explained(
            match module {
                Some(module) => format!(
                    "the stack cannot be unwound past {module}, which was built without frame \
                     pointers"
                ),
                None => "the stack cannot be unwound past JIT-compiled code without frame pointers"
                    .to_owned(),
            },
            explanation.as_deref(),
        ),
        CallSiteReason::SymbolsMissing { module: Some(module) } => {
            format!("{module} has no symbols; install its debug file in /usr/lib/debug/.build-id")
        }
        CallSiteReason::SymbolsMissing { module: None } => {
            "JIT-compiled code has no symbols; have the runtime write /tmp/perf-PID.map".to_owned()
        }
        CallSiteReason::HiddenByRuntime { explanation } => explanation.clone(),
        CallSiteReason::HiddenFrame => {
            "the caller of the innermost known function cannot be determined".to_owned()
        }
        CallSiteReason::NoApplicationFrame => {
            "no frame of the stack belongs to the application".to_owned()
        }
        CallSiteReason::PerfMapUntrusted => "/tmp/perf-PID.map belongs neither to root nor to the \
             user of the process, so it is not trusted"
            .to_owned(),
        CallSiteReason::PerfMapTooLarge { bytes_max } => {
            format!("/tmp/perf-PID.map is larger than {}", bytes(*bytes_max))
        }
        CallSiteReason::PerfMapUnreadable { detail } => {
            format!("/tmp/perf-PID.map cannot be read ({detail})")
        }
        CallSiteReason::GoLinesInconsistent => {
            "Go's line table does not match the code in memory".to_owned()
        }
        CallSiteReason::SeveralCallSites => {
            "the connections come from several call sites".to_owned()
        }
        CallSiteReason::Recorded { text } => text.clone(),
        CallSiteReason::Process(reason) => limit(reason),
    }
}

fn explained(sentence: String, explanation: Option<&str>) -> String {
    match explanation {
        Some(explanation) => format!("{sentence}; {explanation}"),
        None => sentence,
    }
}
