//! What to do about the worst finding of an incident report.

use tracer_core::{Confidence, Finding, Verdict};

use super::{Incident, process};
use crate::output::{escape, quantity, words};

/// What to do next, the most urgent first.
pub(crate) fn steps(incident: &Incident<'_>) -> Vec<String> {
    let Some(leak) = incident.leaks().next() else { return without_leak(incident) };
    let mut steps = Vec::new();
    let is_doubtful = leak.confidence <= Confidence::Possible;
    if is_doubtful {
        steps.push(format!(
            "Find out whether it is a leak: a healthy program can look the same. {}",
            words::next_step(leak, &incident.report.options)
        ));
    }
    let fix = fix(leak);
    steps.push(if is_doubtful { format!("If it is a leak: {}", lower_case(&fix)) } else { fix });
    let limit = incident.process_of(leak).and_then(|summary| incident.limit_reached_at(summary));
    let limit = limit.map(|at| format!(" At the present rate it reaches its fd limit at {at}."));
    steps.push(format!(
        "Until the fix is deployed, a restart of {} frees its fds.{}",
        process(leak),
        limit.unwrap_or_default()
    ));
    let compare = incident.provenance.comparison();
    steps.push(format!("Then record again and check that the leak is gone: {compare}"));
    steps
}

fn fix(leak: &Finding) -> String {
    let remedy = words::remedy(leak.verdict);
    match &leak.call_site {
        Some(site) if leak.verdict == Verdict::BodyNotClosed => {
            format!("Fix {}: {}", escape::visible(site), lower_case(remedy))
        }
        // The code that opened a connection is not always the code that should close it.
        Some(site) => format!("{remedy} The connections come from {}.", escape::visible(site)),
        None => format!("{remedy} The call site is unknown{}.", reason(leak)),
    }
}

/// Why the call site is unknown, after a colon.
fn reason(leak: &Finding) -> String {
    let reason = leak.call_site_reason.as_ref().map(words::call_site_reason);
    reason.map_or(String::new(), |reason| format!(": {}", escape::sentence(&reason)))
}

fn lower_case(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
    })
}

fn without_leak(incident: &Incident<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(at) = incident.retracted().find_map(|finding| finding.retracted_at) {
        // The last report before the retraction has the finding; times are compared in whole
        // milliseconds.
        let time = incident.context.clock.rfc3339(at.before_ms(1));
        steps.push(format!(
            "Create this report for the time when the finding was active: --at {time}"
        ));
    }
    let idle = quantity::duration_ms(incident.provenance.options.idle_ms);
    steps.push(format!(
        "If you still suspect a leak: only connections that were idle for {idle} are judged; use \
         a lower --idle or record for longer."
    ));
    if !incident.report.coverage.complete {
        steps.push("Fix what made coverage incomplete (see below), and record again.".to_owned());
    }
    steps
}
