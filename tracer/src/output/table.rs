//! A report as text: a table of the findings, below it their evidence, and what could not be seen.
//!
//! Only text from the host has characters beyond ASCII, so a serial console shows everything else.

mod connections;
mod detail;
mod difference;
mod findings;
mod folded;
mod footer;
mod grid;
mod processes;
mod retracted;
mod style;
mod summary;
mod text;
mod unknown_leaks;

use std::fmt;

use tracer_core::{Confidence, Finding, ProcessSummary, Report};

use super::{
    Context,
    listing::{self, Row},
    quantity::{counted, plain},
    words,
};
pub(crate) use difference::difference;
pub(crate) use footer::time;
pub(crate) use style::Style;
pub(crate) use summary::summary;
use text::Paint;
pub(crate) use text::wrap;

/// The maximum number of findings with evidence below the table; further ones have only a row.
const DETAILS_MAX: usize = 50;
/// The maximum number of processes listed in the footer; if there are more, they are listed in the
/// body.
const FOOTER_PROCESSES_MAX: usize = 3;

/// A rendered report. Displayed, it is the body, an empty line, and the footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The findings and their details, without a line end after the last line.
    pub(crate) body: String,
    /// What the run could see. It stays on the screen if the body does not fit.
    pub(crate) footer: String,
}

impl fmt::Display for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n\n{}", self.body, self.footer)
    }
}

/// Renders a report. Findings with at least the confidence `least` are listed, the others are
/// counted.
pub(crate) fn page(report: &Report, context: &Context, style: Style, least: Confidence) -> Page {
    let paint = Paint::new(style.color);
    let width = usize::from(style.width);
    let rows = listing::rows(listing::listed(report, least));

    let mut sections = Vec::new();
    if !rows.iter().any(|row| row.finding.confidence > Confidence::Info) {
        sections.push(vec![nothing_found(report, least, !rows.is_empty())]);
    }
    if !rows.is_empty() {
        sections.push(findings::lines(&rows, style, paint));
    }
    sections.push(folded::lines(report, least, width, paint));
    for row in rows.iter().take(DETAILS_MAX) {
        sections.push(detail::lines(row, &report.options, style, paint));
    }
    if let Some(omitted @ 1..) = rows.len().checked_sub(DETAILS_MAX) {
        let more = counted(omitted as u64, "finding", "findings");
        sections.push(vec![format!("{more} more in the table; -o json has the evidence of all.")]);
    }
    sections.push(retracted::lines(report, least, width, paint));
    sections.push(connections::lines(&report.unflagged, width, paint));

    let shown_processes = listing::processes(report, &rows);
    let processes = processes::lines(report, &shown_processes, style);
    let mut footer = footer::lines(report, context, width, paint);
    if shown_processes.len() <= FOOTER_PROCESSES_MAX {
        footer.splice(0..0, processes);
    } else {
        sections.push(processes);
    }
    let legend = legend(&rows, &shown_processes).map(|legend| wrap("", &legend, width));
    footer.splice(0..0, legend.into_iter().flatten().map(|line| paint.dim(&line)));
    sections.retain(|section| !section.is_empty());

    let body: Vec<String> = sections.iter().map(|lines| lines.join("\n")).collect();
    Page { body: plain(&body.join("\n\n")), footer: plain(&footer.join("\n")) }
}

/// Whether two reports list the same findings apart from their ages, so that only one of them needs
/// to be printed.
pub(crate) fn list_same_findings(one: &Report, other: &Report, least: Confidence) -> bool {
    let is_listed = |it: &&Finding| listing::is_listed(it, least);
    let [one, other] = [one, other].map(|it| it.findings.iter().filter(is_listed).map(facts));
    one.eq(other)
}

/// The shown parts of a finding that do not change with time alone.
fn facts(finding: &Finding) -> impl PartialEq {
    let size = (finding.count, finding.responses);
    let Finding { id, verdict, confidence, retracted_at, call_site, .. } = finding;
    (*id, *verdict, *confidence, size, *retracted_at, call_site.clone())
}

/// What the signs in front of numbers mean, if there are any.
fn legend(rows: &[Row<'_>], processes: &[&ProcessSummary]) -> Option<String> {
    let findings = || rows.iter().map(|row| &row.finding);
    let is_estimated = findings()
        .any(|it| it.growth_is_reconstructed && it.growth_per_min_milli.is_some())
        || processes
            .iter()
            .any(|it| it.growth_is_reconstructed && it.growth_per_min_milli.is_some());
    let is_at_least = findings().any(|it| it.oldest_age_is_lower_bound);
    let signs = [
        is_estimated.then_some("~ = estimated from the times at which connections went idle"),
        is_at_least.then_some("> = at least, opened before tracing began"),
    ];
    let signs: Vec<&str> = signs.into_iter().flatten().collect();
    (!signs.is_empty()).then(|| signs.join("; "))
}

/// The first line if no leak is listed.
fn nothing_found(report: &Report, least: Confidence, has_information: bool) -> String {
    let is_retracted = |it: &Finding| it.retracted_at.is_some() && listing::is_listed(it, least);
    let has_active = report.findings.iter().any(|it| it.retracted_at.is_none());
    if report.coverage.complete && !has_active && report.findings.iter().any(is_retracted) {
        return "No leaked connections remain: all findings were retracted.".to_owned();
    }
    let has_possible =
        listing::folded(report, least).iter().any(|it| it.confidence > Confidence::Info);
    let first = words::nothing_listed(has_possible, report.coverage.complete);
    if has_information { format!("{first} For information:") } else { first.to_owned() }
}

#[cfg(test)]
mod tests;
