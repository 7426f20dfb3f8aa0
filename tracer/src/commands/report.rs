//! `tracer report`: writes an incident report from a recording.

use std::path::Path;

use anyhow::Result;
use tracer_core::{Change, Detector, Options};

use super::replay::{self, Rejudged};
use crate::{
    cli::IncidentReport,
    files::replace::replace,
    output::{
        exit_code,
        history::History,
        html,
        incident::{Incident, Provenance},
        standard_output::StandardOutput,
        table,
    },
    recording::Recording,
};

/// The path that means standard output.
const STANDARD_OUTPUT: &str = "-";

/// Analyzes a recording again, writes the report or its summary, and returns the exit code.
///
/// # Errors
/// The recording cannot be read, does not cover the given time, or is damaged (then a report of
/// everything before the damage is written first); or the output cannot be written.
pub(crate) fn run(arguments: &IncidentReport, output: &StandardOutput) -> Result<u8> {
    let rejudge = &arguments.rejudge;
    let recording = Recording::open(&rejudge.file)?;
    let head = recording.head().clone();
    // The charts show all connections, not only those with a finding.
    let chosen = rejudge.options(head.options);
    let options = Options { all: true, ..chosen };
    let reports = rejudge.at.map(|at| replay::reports_until(&rejudge.file, at)).transpose()?;
    let mut history = History::default();
    let Rejudged { report, ending, .. } =
        replay::rerun(recording, options, reports, |detector: &Detector, _: &[Change]| {
            history.snapshot(|| detector.report());
        })?;
    history.end(&report);

    let context = replay::context_of("report", rejudge, &head);
    let provenance = Provenance {
        file: rejudge.file.display().to_string(),
        recorded_with: head.arguments.clone(),
        recorder: head.version.clone(),
        arguments: arguments.arguments(),
        options,
    };
    let incident = Incident {
        report: &report,
        history: &history,
        context: &context,
        provenance,
        least: arguments.least(head.fail_on, chosen),
    };
    write(arguments.html.as_deref(), &incident, output)?;
    replay::check_ending(ending, &rejudge.file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, rejudge.fail_on().unwrap_or(head.fail_on)))
}

fn write(html: Option<&Path>, incident: &Incident<'_>, output: &StandardOutput) -> Result<()> {
    match html {
        Some(path) if path.as_os_str() == STANDARD_OUTPUT => {
            return output.print(|_| Ok(html::page(incident)));
        }
        Some(path) => replace(path, html::page(incident).as_bytes())?,
        None => {}
    }
    output.print(|style| Ok(table::summary(incident, style)))
}
