//! What to do about the worst finding of an incident report, in words.

use tracer_core::{Finding, Options, Verdict};

use super::{
    call_site_unknown, has_several_call_sites, next_step, remedy,
    subject::{process, processes},
};
use crate::output::{escape, listing::Row, quantity};

/// How to find out whether a finding is a leak.
pub(crate) fn verification(leak: &Finding, options: &Options) -> String {
    format!(
        "Find out whether it is a leak: a healthy program can look the same. {}",
        next_step(leak, options)
    )
}

/// How to fix the program.
pub(crate) fn fix(leak: &Finding) -> String {
    let remedy = remedy(leak.verdict);
    match &leak.call_site {
        Some(site) if leak.verdict == Verdict::BodyNotClosed => {
            format!("Fix {}: {}", escape::visible(site), lower_case(remedy))
        }
        // The code that opened a connection is not always the code that should close it.
        Some(site) => format!("{remedy} The connections come from {}.", escape::visible(site)),
        None if has_several_call_sites(leak) => {
            format!("{remedy} The connections come from several call sites: see the evidence.")
        }
        None => format!("{remedy} The call site is unknown{}.", reason(leak)),
    }
}

/// How to fix the program, if the finding is a leak.
pub(crate) fn fix_if_leak(leak: &Finding) -> String {
    format!("If it is a leak: {}", lower_case(&fix(leak)))
}

/// What to do before the program is fixed. `limit_at` is when the process reaches its fd limit; of
/// several processes, when the one with the most leaks does.
pub(crate) fn restart(leak: &Row<'_>, limit_at: Option<&str>) -> String {
    let finding = leak.largest();
    let (who, whose) = match leak.parts.len() {
        0 | 1 => ("the process".to_owned(), "its"),
        _ => (process(finding), "their"),
    };
    let limit =
        limit_at.map(|at| format!(" At the current rate, {who} reaches its fd limit at {at}."));
    format!(
        "Until the fix is deployed, a restart of {} frees {whose} fds.{}",
        processes(leak),
        limit.unwrap_or_default()
    )
}

/// How to check the fix, with a command that compares two recordings.
pub(crate) fn check_of_fix(comparison: &str) -> String {
    format!("Then record again and check that the leak is gone: {comparison}")
}

/// How to see a finding that was retracted. `at` is a time before the retraction, in RFC 3339.
pub(crate) fn earlier_report(at: &str) -> String {
    format!("Create this report for the time when the finding was active: --at {at}")
}

/// What to do about a suspected leak that was not found.
pub(crate) fn if_not_found(options: &Options) -> String {
    let idle = quantity::duration_ms(options.idle_ms);
    format!(
        "If you still suspect a leak: only connections that have been idle for {idle} are \
         reported; use a lower --idle or record for longer."
    )
}

/// What to do about incomplete coverage.
pub(crate) const fn completion() -> &'static str {
    "Fix what made coverage incomplete (see below), and record again."
}

/// Why the call site is unknown, after a colon.
fn reason(leak: &Finding) -> String {
    call_site_unknown(leak)
        .map_or(String::new(), |reason| format!(": {}", escape::sentence(&reason)))
}

fn lower_case(sentence: &str) -> String {
    let mut characters = sentence.chars();
    characters.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), characters.as_str())
    })
}
