//! The headline of an incident report, and how its worst finding grows, in words.

use tracer_core::{CallSiteReason, Confidence, Finding, ProcessSummary};

use super::subject::{amount, call_site, destination, process, processes};
use crate::{
    output::{
        listing::Row,
        quantity::{self, counted, grouped},
    },
    program,
};

/// `api[4711] leaks 1,204 connections to 10.0.3.7:443 (certain), the oldest opened ...; requested at
/// ....`, where `since` is when the oldest connection was opened.
pub(crate) fn leak_headline(leak: &Row<'_>, since: &str) -> String {
    let finding = &leak.finding;
    let verb = match finding.confidence {
        Confidence::Possible => "may leak",
        _ if leak.parts.len() > 1 => "leak",
        _ => "leaks",
    };
    format!(
        "{} {verb} {} {} ({}), the oldest opened {since}{}.",
        processes(leak),
        amount(finding, finding.count),
        destination(finding),
        finding.confidence,
        call_site(finding).map_or_else(|| no_call_site(finding).to_owned(), |it| format!("; {it}")),
    )
}

const fn no_call_site(finding: &Finding) -> &'static str {
    match finding.call_site_reason {
        Some(CallSiteReason::SeveralCallSites) => "; several call sites",
        _ => "; call site unknown",
    }
}

/// The headline of a report whose findings were all retracted: their number, and the worst one,
/// which was retracted at the time `until`.
pub(crate) fn retracted_headline(retracted: usize, worst: &Finding, until: &str) -> String {
    let findings = counted(retracted as u64, "finding was", "findings were");
    let site = call_site(worst).map(|site| format!(", {site}")).unwrap_or_default();
    format!(
        "No active leaks; {findings} retracted: {} had up to {} {}, {} ({}){site}; they were closed \
         or used again by {until}.",
        process(worst),
        amount(worst, worst.peak_count),
        destination(worst),
        worst.verdict,
        worst.peak_confidence,
    )
}

/// `2 other findings are below.`
pub(crate) fn others_below(others: usize) -> String {
    format!("{} below.", counted(others as u64, "other finding is", "other findings are"))
}

/// `2 other findings: tracer replay lists them.`
pub(crate) fn others_in_replay(others: usize) -> String {
    let them = if others == 1 { "it" } else { "them" };
    let findings = counted(others as u64, "other finding", "other findings");
    format!("{findings}: {} replay lists {them}.", program::name())
}

/// How fast a finding grows; `None` if it does not.
pub(crate) fn growth(finding: &Finding) -> Option<String> {
    finding.growth_per_min_milli.filter(|growth| *growth > 0)?;
    let rate = rate(finding.growth_per_min_milli, finding.growth_is_reconstructed);
    Some(format!("The number of connections grows by {rate}."))
}

/// A forecast that the process reaches its fd limit at the time `at`; `None` if it does not grow.
pub(crate) fn limit_forecast(summary: &ProcessSummary, at: &str) -> Option<String> {
    let rate = rate(summary.growth_per_min_milli, summary.growth_is_reconstructed);
    let limit = grouped(summary.fd_limit?);
    let left = quantity::prediction_s(summary.seconds_to_fd_limit?);
    Some(format!(
        "If the number of open fds of the process keeps growing by {rate}, its limit of {limit} is \
         reached in about {left}, at {at}."
    ))
}

/// `23/min`, `about 24/h`.
fn rate(per_min_milli: Option<i64>, is_reconstructed: bool) -> String {
    let growth = quantity::growth(per_min_milli, is_reconstructed);
    let about = if is_reconstructed { "about " } else { "" };
    format!("{about}{}", growth.trim_start_matches(['~', '+']))
}
