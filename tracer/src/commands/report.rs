//! `tracer report`: the incident document of a recording.

use std::path::Path;

use anyhow::Result;
use tracer_core::{Change, Detector, Options};

use super::replay::{self, Rejudged};
use crate::{
    cli::Incident as Arguments,
    files::replace::replace,
    output::{
        exit_code,
        history::History,
        html,
        incident::{Incident, Provenance},
        standard_output, table,
    },
    recording::Recording,
};

/// Where `-` leads.
const STANDARD_OUTPUT: &str = "-";

/// Judges a recording again, writes the document or its summary, and gives the exit code.
///
/// # Errors
/// The recording cannot be read, does not hold the moment that was asked for, or is damaged: then
/// the document of what is whole of it was written. The output cannot be written.
pub(crate) fn run(arguments: &Arguments) -> Result<u8> {
    let again = &arguments.again;
    let recording = Recording::open(&again.file)?;
    let head = recording.head().clone();
    // The development is that of all connections.
    let options = Options { all: true, ..again.options(head.options) };
    let reports = again.at.map(|at| replay::find(&again.file, at)).transpose()?;
    let mut history = History::default();
    let Rejudged { report, ending, .. } =
        replay::rerun(recording, options, reports, |detector: &Detector, _: &[Change]| {
            history.look(|| detector.report());
        })?;
    history.end(&report);

    let context = replay::context(&head);
    let provenance = Provenance {
        file: again.file.display().to_string(),
        recorded_with: head.arguments.clone(),
        recorder: head.version.clone(),
        arguments: again.arguments(),
        options,
    };
    let incident = Incident { report: &report, history: &history, context: &context, provenance };
    write(arguments.html.as_deref(), &incident)?;
    replay::complain_of(ending, &again.file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, again.fail_on().unwrap_or(head.fail_on)))
}

fn write(html: Option<&Path>, incident: &Incident<'_>) -> Result<()> {
    match html {
        Some(path) if path.as_os_str() == STANDARD_OUTPUT => {
            return standard_output::print(|_| Ok(html::page(incident)));
        }
        Some(path) => replace(path, html::page(incident).as_bytes())?,
        None => {}
    }
    standard_output::print(|style| Ok(table::summary(incident, style)))
}
