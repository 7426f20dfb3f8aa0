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
            "Find out whether it is a leak: something healthy can look the same. The evidence of \
             finding {} says what is known.",
            leak.id
        ));
    }
    let if_so = if is_doubtful { "If it is one: " } else { "" };
    steps.push(format!("{if_so}{}", mend(leak)));
    let limit = incident.process_of(leak).and_then(|summary| incident.limit_is_hit_at(summary));
    let limit = limit.map(|at| format!(" If it goes on as it did, it has none left at {at}."));
    steps.push(format!(
        "Until that is deployed: a restart of {} gives its descriptors back.{}",
        process(leak),
        limit.unwrap_or_default()
    ));
    let compare = incident.provenance.comparison();
    steps.push(format!("Then record again, and see that it is gone: {compare}"));
    steps
}

fn mend(leak: &Finding) -> String {
    let remedy = words::remedy(leak.verdict);
    match &leak.call_site {
        Some(site) if leak.verdict == Verdict::BodyNotClosed => {
            format!("Mend {}: {}", escape::visible(site), lower_case(remedy))
        }
        // Where it was opened is not where it ought to be closed, but leads there.
        Some(site) => format!("{remedy} The connections come from {}.", escape::visible(site)),
        None => format!(
            "{remedy} Where in the code is not known: tracer --pid {} names the line for \
             connections that it sees being made.",
            leak.process.pid
        ),
    }
}

fn lower_case(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
    })
}

fn without_leak(incident: &Incident<'_>) -> Vec<String> {
    let mut steps = Vec::new();
    if let Some(at) = incident.taken_back().find_map(|gone| gone.retracted_at) {
        // The last report before it was taken back is the one that had it; moments are compared in
        // whole milliseconds.
        let moment = incident.context.clock.rfc3339(at.before_ms(1));
        steps.push(format!("Make this document as of when it stood: --at {moment}"));
    }
    let idle = quantity::duration_ms(incident.provenance.options.idle_ms);
    steps.push(format!(
        "If connections are still suspected: only what was silent for {idle} counts; a lower \
         --idle may show more, and so may a longer recording."
    ));
    if !incident.report.coverage.complete {
        steps.push("See below what could not be seen, and record again without that.".to_owned());
    }
    steps
}
