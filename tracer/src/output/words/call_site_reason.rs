//! Why the line of code is unknown, in words.

use tracer_core::{CallSiteReason, Counted, Finding, FindingFamily};

use super::limit::limit;
use crate::output::quantity::{bytes, counted, grouped};

/// The maximum number of reasons listed for one finding.
const REASONS_MAX: usize = 3;

/// Why the call site of a finding is unknown, as a phrase: the reason, or with several reasons, for
/// how many connections each of them holds. `None` if a call site is known, also if there are
/// several: the evidence lists them.
pub(crate) fn call_site_unknown(finding: &Finding) -> Option<String> {
    if finding.call_site.is_some() || has_several_call_sites(finding) {
        return None;
    }
    let reasons = &finding.call_site_reasons;
    if reasons.len() < 2 {
        return finding.call_site_reason.as_ref().map(call_site_reason);
    }
    let family = finding.key.family;
    let listed = reasons.iter().take(REASONS_MAX).enumerate();
    let listed = listed.map(|(index, it)| counted_reason(it, index == 0, family));
    let mut phrases: Vec<String> = listed.collect();
    let others: usize = reasons.iter().skip(REASONS_MAX).map(|it| it.count).sum();
    if others > 0 {
        phrases.push(format!("{} for other reasons", grouped(others as u64)));
    }
    Some(phrases.join("; "))
}

/// Whether the connections of a finding come from several known call sites.
pub(crate) const fn has_several_call_sites(finding: &Finding) -> bool {
    matches!(finding.call_site_reason, Some(CallSiteReason::SeveralCallSites))
}

/// `48 connections were opened before tracing began`; without the noun if it is not the first one.
fn counted_reason(
    reason: &Counted<CallSiteReason>,
    is_first: bool,
    family: FindingFamily,
) -> String {
    let count = reason.count as u64;
    let subject =
        if is_first { counted(count, "connection", "connections") } else { grouped(count) };
    let verb = |one: &'static str, many: &'static str| if count == 1 { one } else { many };
    match &reason.value {
        CallSiteReason::OpenedBeforeTracing => {
            format!("{subject} {} opened before tracing began", verb("was", "were"))
        }
        CallSiteReason::StackNotRecorded if family == FindingFamily::Response => {
            format!("{subject} {} no recorded stack", verb("has", "have"))
        }
        CallSiteReason::StackNotRecorded => {
            let were = verb("was", "were");
            format!(
                "{subject} {were} opened while tracing, but only runs with --pid or --go record \
                 stacks"
            )
        }
        CallSiteReason::NotResolved => {
            let stacks = verb("has a stack that has", "have stacks that have");
            format!("{subject} {stacks} not been resolved yet")
        }
        CallSiteReason::NoApplicationFrame => {
            let on_stack = verb("its stack", "their stacks");
            format!("{subject} {} no application frame on {on_stack}", verb("has", "have"))
        }
        other => format!("for {subject}, {}", call_site_reason(other)),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{fixture, quantity::plain};

    fn unknown(reasons: &[(CallSiteReason, usize)]) -> Option<String> {
        let reasons = reasons.iter().cloned();
        let reasons = reasons.map(|(value, count)| Counted { value, count }).collect();
        let finding = Finding { call_site_reasons: reasons, ..fixture::inbound(1) };
        call_site_unknown(&finding).map(|text| plain(&text))
    }

    #[test]
    fn several_reasons_are_counted() {
        use CallSiteReason::{
            HiddenFrame, NoApplicationFrame, NotResolved, OpenedBeforeTracing, StackNotRecorded,
        };
        assert_eq!(
            unknown(&[(OpenedBeforeTracing, 48), (NoApplicationFrame, 1)]).unwrap(),
            "48 connections were opened before tracing began; 1 has no application frame on its stack"
        );
        assert_eq!(
            unknown(&[(StackNotRecorded, 31), (OpenedBeforeTracing, 1)]).unwrap(),
            "31 connections were opened while tracing, but only runs with --pid or --go record stacks; 1 was \
             opened before tracing began"
        );
        assert_eq!(
            unknown(&[
                (HiddenFrame, 5),
                (NotResolved, 4),
                (OpenedBeforeTracing, 3),
                (NoApplicationFrame, 2)
            ])
            .unwrap(),
            "for 5 connections, the caller of the innermost known function cannot be determined; 4 have stacks \
             that have not been resolved yet; 3 were opened before tracing began; 2 for other \
             reasons"
        );
    }

    #[test]
    fn one_reason_is_not_counted_and_several_call_sites_are_no_reason() {
        let reasons = [(CallSiteReason::OpenedBeforeTracing, 48)];
        assert_eq!(unknown(&reasons).unwrap(), call_site_reason(&reasons[0].0));
        let reason = Some(CallSiteReason::SeveralCallSites);
        let finding = Finding { call_site_reason: reason, ..fixture::inbound(1) };
        assert!(has_several_call_sites(&finding));
        assert_eq!(call_site_unknown(&finding), None);
        assert_eq!(call_site_unknown(&fixture::with_call_site(1)), None);
    }
}
