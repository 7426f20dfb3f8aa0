//! `tracer diff`: compares two reports: new, fixed, grown and shrunk leaks.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::replay;
use crate::{
    cli::Diff,
    compare::{Change, Difference, Note, Side},
    output::{
        exit_code, json, options::DocumentFormat, quantity::plain, standard_output::StandardOutput,
        table, words,
    },
    program,
    recording::{Ending, Recording},
};

/// Compares two recordings or reports and returns the exit code.
///
/// # Errors
/// One of them cannot be read or is neither of these, or the output cannot be written.
pub(crate) fn run(arguments: &Diff, output: &StandardOutput) -> Result<u8> {
    let before = read(&arguments.before)?;
    let after = read(&arguments.after)?;
    if after.is_older_than(&before) {
        bail!(
            "{} ({}) is older than {} ({}); give the older file first",
            after.file,
            after.at,
            before.file,
            before.at
        );
    }
    let difference = Difference::between(before, after, arguments.fail_on());
    output.print(|style| match arguments.output {
        DocumentFormat::Table => Ok(table::difference(&difference, style)),
        DocumentFormat::Json => Ok(json::difference(&difference)?),
    })?;
    let has_new = difference.changes.iter().any(|row| row.change == Change::New);
    let is_known = difference.after.coverage.complete && difference.is_comparable();
    Ok(match (has_new, is_known) {
        (true, _) => exit_code::LEAKS,
        (false, true) => exit_code::CLEAN,
        (false, false) => exit_code::INCOMPLETE,
    })
}

/// Reads a recording, which is analyzed with its own thresholds, or JSON documents, of which the
/// last one is used.
///
/// # Errors
/// The file cannot be read, or is neither of these.
fn read(path: &Path) -> Result<Side> {
    let shown = path.display();
    let is_recording = Recording::is_one(path);
    let side = if is_recording.with_context(|| format!("cannot read {shown}"))? {
        judged(path)
    } else {
        let text = fs::read(path).with_context(|| format!("cannot read {shown}"))?;
        Side::parse(&String::from_utf8_lossy(&text))
    };
    let mut side = side.with_context(|| {
        let tracer = program::name();
        format!("{shown} is neither a recording nor JSON from {tracer} audit -o json")
    })?;
    if let Some(schema) = side.other_schema() {
        bail!(
            "{shown} has JSON schema {schema}, which this version of tracer does not read; create it \
             again with this version"
        );
    }
    side.file = shown.to_string();
    Ok(side)
}

/// The last report of a recording.
fn judged(path: &Path) -> Result<Side> {
    let recording = Recording::open(path)?;
    let head = recording.head().clone();
    let judged = replay::rerun(recording, head.options, None, |_, _| {})?;
    match judged.ending {
        Ending::Whole | Ending::Truncated => {}
        Ending::Unknown(at) if !head.is_of_this_version() => bail!(
            "{} has an unknown entry at byte {at}; compare it with tracer {}, which recorded it",
            path.display(),
            head.version
        ),
        Ending::Damaged(at) | Ending::Unknown(at) => {
            bail!(
                "{} is damaged from byte {at} onwards; compare JSON files instead",
                path.display()
            )
        }
    }
    let context = replay::context(&head);
    let coverage = &judged.report.coverage;
    let gaps = coverage.gaps();
    let notes = coverage
        .notes
        .iter()
        .chain(&gaps)
        .map(|note| Note { code: note.code().to_owned(), text: plain(&words::note(note)) });
    Ok(Side::of(&judged.report, &context.host, context.clock, notes.collect()))
}
