//! A report as JSON. The field names and their order are a contract with users; the core's own
//! types are free to change.

mod coded;
mod coverage;
mod document;
mod evidence;
mod finding_event;
mod scope;

use serde::Serialize;
use tracer_core::Report;

use super::{Context, escape, finding_events::FindingEvent};
use crate::compare::Difference;
use document::Document;
use finding_event::FindingEventObject;

/// The maximum number of connections listed with a finding; the rest are counted in
/// `connections_omitted`.
pub(crate) const CONNECTIONS_MAX: usize = 1_000;

/// The report as one indented document.
///
/// # Errors
/// Errors of `serde_json`; there is no report that it cannot write.
pub fn document(report: &Report, context: &Context) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&Document::new(report, context)).map(finish)
}

/// The report as a document on one line, for a stream of them.
///
/// # Errors
/// As for [`document()`].
pub(crate) fn line(report: &Report, context: &Context) -> serde_json::Result<String> {
    serde_json::to_string(&Document::new(report, context)).map(finish)
}

/// A change of a finding at a report, as a line. `sequence` is the number of the line.
///
/// # Errors
/// As for [`document()`].
pub(crate) fn finding_event(
    event: &FindingEvent,
    sequence: u64,
    report: &Report,
    context: &Context,
) -> serde_json::Result<String> {
    let object = FindingEventObject::new(event, sequence, report, context);
    serde_json::to_string(&object).map(finish)
}

/// The differences between two reports, as one indented document.
///
/// # Errors
/// As for [`document()`].
pub(crate) fn difference(difference: &Difference) -> serde_json::Result<String> {
    pretty(difference)
}

/// Anything else, as one indented document.
///
/// # Errors
/// As for [`document()`].
pub(crate) fn pretty(value: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(value).map(finish)
}

fn finish(serialized: String) -> String {
    let mut text = escape::json(serialized);
    text.push('\n');
    text
}

#[cfg(test)]
pub(crate) mod tests;
