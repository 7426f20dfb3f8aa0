//! A report as text: a table of the findings, below it their evidence, and what could not be seen.
//!
//! Only text that the host chose has characters beyond ASCII, so a serial console shows the rest.

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

/// Findings with their evidence below the table; further ones have only a row.
const DETAILS_MAX: usize = 50;
/// Processes that are listed in the footer; if there are more, they are listed in the body.
const FOOTER_PROCESSES_MAX: usize = 3;

/// A rendered report. Displayed, it is the body, an empty line, and the footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// The findings and their details, without a line end after the last line.
    pub(crate) body: String,
    /// What the run could see: stays on the screen when the body does not fit.
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
    let findings = active(report);

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
            sections
                .push(vec![format!("{more} more in the table; -o json has the evidence of all.")]);
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
    let legend = legend(report, &findings).map(|legend| wrap("", &legend, width));
    footer.splice(0..0, legend.into_iter().flatten().map(|line| paint.dim(&line)));
    sections.retain(|section| !section.is_empty());

    let body: Vec<String> = sections.iter().map(|lines| lines.join("\n")).collect();
    Page { body: plain(&body.join("\n\n")), footer: plain(&footer.join("\n")) }
}

/// Whether two reports have the same findings apart from their ages, so that only one of them needs
/// to be printed.
pub(crate) fn have_same_findings(one: &Report, other: &Report) -> bool {
    let facts = |it: &Finding| {
        let size = (it.count, it.responses);
        (it.id, it.verdict, it.confidence, size, it.retracted_at, it.call_site.clone())
    };
    one.findings.iter().map(facts).eq(other.findings.iter().map(facts))
}

/// The active findings, those with confidence *info* last.
fn active(report: &Report) -> Vec<&Finding> {
    let active = report.findings.iter().filter(|finding| finding.retracted_at.is_none());
    let (leaks, information): (Vec<_>, Vec<_>) =
        active.partition(|finding| finding.confidence > Confidence::Info);
    leaks.into_iter().chain(information).collect()
}

/// What the signs in front of numbers mean, if there are any.
fn legend(report: &Report, findings: &[&Finding]) -> Option<String> {
    let is_estimated =
        findings.iter().any(|it| it.growth_is_reconstructed && it.growth_per_min_milli.is_some())
            || report
                .processes
                .iter()
                .any(|it| it.growth_is_reconstructed && it.growth_per_min_milli.is_some());
    let is_at_least = findings.iter().any(|it| it.oldest_age_is_lower_bound);
    let signs = [
        is_estimated.then_some("~ = estimated from the times at which connections fell silent"),
        is_at_least.then_some("> = at least, opened before tracing began"),
    ];
    let signs: Vec<&str> = signs.into_iter().flatten().collect();
    (!signs.is_empty()).then(|| signs.join("; "))
}

fn nothing_found(report: &Report, has_information: bool) -> &'static str {
    if report.coverage.complete && !has_information && !report.findings.is_empty() {
        return "No leaked connections any more: all findings were retracted.";
    }
    match (report.coverage.complete, has_information) {
        (true, false) => "No leaked connections found.",
        (true, true) => "No leaked connections found. For information:",
        (false, false) => "No leaked connections found, but coverage is incomplete.",
        (false, true) => {
            "No leaked connections found, but coverage is incomplete. For information:"
        }
    }
}

#[cfg(test)]
mod tests;
