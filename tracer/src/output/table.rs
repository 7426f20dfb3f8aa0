//! A report as text for people: a table of the findings, below it why, and what could not be seen.
//!
//! Everything of ours is ASCII, so that a serial console shows it too.

mod connections;
mod detail;
mod difference;
mod findings;
mod footer;
mod grid;
mod style;
mod summary;
mod text;

use std::fmt;

use tracer_core::{Confidence, Finding, Report};

use super::{
    Context,
    quantity::{counted, plain},
};
pub(crate) use difference::difference;
pub(crate) use style::Style;
pub(crate) use summary::summary;
use text::Paint;
pub(crate) use text::wrap;

/// Findings explained below the table; the rest has only its row.
const DETAILS_MAX: usize = 50;
/// Processes whose headlines are part of the footer; more of them scroll with the body.
const FOOTER_PROCESSES_MAX: usize = 3;

/// A rendered report. Displayed, it is the body, an empty line, and the footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The findings and what belongs to them; lines without an end after the last one.
    pub(crate) body: String,
    /// What the run could see: what must stay in sight when the body does not fit.
    pub(crate) footer: String,
}

impl fmt::Display for Page {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n\n{}", self.body, self.footer)
    }
}

/// Renders a report.
pub(crate) fn page(report: &Report, context: &Context, style: Style) -> Page {
    let paint = Paint::new(style.color);
    let width = usize::from(style.width);
    let findings = standing(report);

    let mut sections = Vec::new();
    if !findings.iter().any(|finding| finding.confidence > Confidence::Info) {
        sections.push(vec![nothing_found(report, !findings.is_empty()).to_owned()]);
    }
    if !findings.is_empty() {
        sections.push(findings::lines(&findings, style, paint));
        for finding in findings.iter().take(DETAILS_MAX) {
            sections.push(detail::lines(finding, &report.options, style, paint));
        }
        if let Some(omitted @ 1..) = findings.len().checked_sub(DETAILS_MAX) {
            let more = counted(omitted as u64, "finding", "findings");
            sections.push(vec![format!("{more} more in the table; -o json says why.")]);
        }
    }
    sections.push(detail::retracted_lines(report, width, paint));
    sections.push(connections::lines(&report.unflagged, width, paint));

    let processes = detail::process_lines(report, style);
    let mut footer = footer::lines(report, context, width, paint);
    if report.processes.len() <= FOOTER_PROCESSES_MAX {
        footer.splice(0..0, processes);
    } else {
        sections.push(processes);
    }
    sections.retain(|section| !section.is_empty());

    let body: Vec<String> = sections.iter().map(|lines| lines.join("\n")).collect();
    Page { body: plain(&body.join("\n\n")), footer: plain(&footer.join("\n")) }
}

/// Whether two reports have the same findings, however the ages in them have moved on: then a
/// reader who has seen the one need not see the other.
pub(crate) fn have_same_findings(one: &Report, other: &Report) -> bool {
    let facts = |it: &Finding| {
        let size = (it.count, it.responses);
        (it.id, it.verdict, it.confidence, size, it.retracted_at, it.call_site.clone())
    };
    one.findings.iter().map(facts).eq(other.findings.iter().map(facts))
}

/// The findings that stand, those for information last.
fn standing(report: &Report) -> Vec<&Finding> {
    let standing = report.findings.iter().filter(|finding| finding.retracted_at.is_none());
    let (leaks, information): (Vec<_>, Vec<_>) =
        standing.partition(|finding| finding.confidence > Confidence::Info);
    leaks.into_iter().chain(information).collect()
}

fn nothing_found(report: &Report, has_information: bool) -> &'static str {
    if report.coverage.complete && !has_information && !report.findings.is_empty() {
        return "No leaked connections any more: what was found was taken back.";
    }
    match (report.coverage.complete, has_information) {
        (true, false) => "No leaked connections found.",
        (true, true) => "No leaked connections found. Worth knowing:",
        (false, false) => "No leaked connections found, but not everything could be seen.",
        (false, true) => {
            "No leaked connections found, but not everything could be seen. Worth knowing:"
        }
    }
}

#[cfg(test)]
mod tests;
