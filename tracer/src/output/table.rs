//! A report as text: a table of the findings, below it their evidence, and what could not be seen.
//!
//! Only text from the host has characters beyond ASCII, so a serial console shows everything else.

mod at_limit;
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
mod update;

use std::fmt;

use tracer_core::{Confidence, Finding, ProcessSummary, Report};

use super::{
    Context, escape,
    listing::{self, Row},
    quantity::plain,
    words,
};
pub(crate) use difference::difference;
pub(crate) use style::Style;
pub(crate) use summary::summary;
use text::Paint;
pub(crate) use text::wrap;
pub(crate) use update::Printed;

/// The maximum number of findings with evidence below the table; further ones have only a row.
const DETAILS_MAX: usize = 50;
/// The same for findings that are at most *possible*: of many, few are leaks.
const POSSIBLE_DETAILS_MAX: usize = 10;
/// If there are more rows, the last line repeats their number: the first ones are off the screen.
const ROWS_ON_SCREEN_MAX: usize = 10;
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
    /// The lines about processes, if they are part of the footer.
    pub(crate) processes: String,
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

    let mut sections = vec![at_limit::lines(report, &rows, width, paint)];
    let has_leaks = rows.iter().any(|row| row.finding.confidence > Confidence::Info);
    if !has_leaks {
        let first = nothing_found(report, least, !rows.is_empty());
        sections.push(wrap("", &first, width));
    }
    if !rows.is_empty() {
        sections.push(findings::lines(&rows, style, paint));
    }
    sections.push(folded::lines(report, least, width, paint));
    let detailed = detailed(report, &rows);
    for row in &detailed {
        sections.push(detail::lines(row, &report.options, style, paint));
    }
    if let Some(omitted @ 1..) = rows.len().checked_sub(detailed.len()) {
        sections.push(vec![words::details_omitted(omitted)]);
    }
    sections.push(retracted::lines(report, least, width, paint));
    sections.push(connections::lines(&report.unflagged, width, paint));

    let shown_processes = listing::processes(report, &rows);
    let mut processes = processes::lines(report, &shown_processes, style);
    if shown_processes.len() > FOOTER_PROCESSES_MAX {
        sections.push(std::mem::take(&mut processes));
    }
    let legend = legend(&rows, &shown_processes).map(|legend| wrap("", &legend, width));
    let mut footer: Vec<String> =
        legend.into_iter().flatten().map(|line| paint.dim(&line)).collect();
    footer.extend(processes.iter().cloned());
    footer.extend(footer::lines(report, context, has_leaks, width, paint));
    if rows.len() > ROWS_ON_SCREEN_MAX {
        let totals = wrap("", &words::totals(&rows), width);
        footer.extend(totals.iter().map(|line| paint.bold(line)));
    }
    sections.retain(|section| !section.is_empty());

    let body: Vec<String> = sections.iter().map(|lines| lines.join("\n")).collect();
    Page {
        body: plain(&body.join("\n\n")),
        footer: plain(&footer.join("\n")),
        processes: plain(&processes.join("\n")),
    }
}

/// The rows whose evidence is shown: the first ones of each confidence, and every *possible* one
/// that fills its process.
fn detailed<'a, 'r>(report: &Report, rows: &'a [Row<'r>]) -> Vec<&'a Row<'r>> {
    let filling = listing::Filling::new(report);
    let mut possible = 0;
    let is_detailed = |row: &&Row<'_>| {
        if row.finding.confidence >= Confidence::Likely {
            return true;
        }
        possible += 1;
        possible <= POSSIBLE_DETAILS_MAX || row.parts.iter().any(|it| filling.fills(it))
    };
    rows.iter().filter(is_detailed).take(DETAILS_MAX).collect()
}

/// The first line of a report in a file that a live run appends to: `-- 2026-03-01 12:00:03 UTC`.
pub(crate) fn heading(report: &Report, context: &Context) -> String {
    format!("-- {}", footer::time(report, context))
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
    let is_retracted = |it: &Finding| it.retracted_at.is_some() && listing::was_listed(it, least);
    let has_active = report.findings.iter().any(|it| it.retracted_at.is_none());
    if report.coverage.complete && !has_active && report.findings.iter().any(is_retracted) {
        return "No leaked connections remain: all findings were retracted.".to_owned();
    }
    let has_possible =
        listing::folded(report, least).iter().any(|it| it.confidence > Confidence::Info);
    let first = words::nothing_listed(has_possible, report.coverage.complete);
    let young = report.coverage.recently_closed.as_ref();
    let young = young.map(|it| words::recently_closed(it, report.options.idle_ms));
    let omitted = report.coverage.notes.iter().filter(|note| footer::explains_nothing_found(note));
    let omitted = omitted.map(|note| format!("{}.", escape::sentence(&words::note(note))));
    let information = has_information.then(|| "For information:".to_owned());
    let sentences = [first.to_owned()].into_iter().chain(young).chain(omitted).chain(information);
    sentences.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
