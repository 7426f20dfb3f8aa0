//! `tracer replay`: judges a recording again.

mod report_time;
mod rerun;

use anyhow::{Result, bail};
use tracer_core::Report;

pub(crate) use self::report_time::reports_until;
pub use self::rerun::{Rejudged, rerun};
use crate::{
    cli::{Rejudge, Replay},
    output::{
        Context, destination::Destination, exit_code, logging::start_logging,
        standard_output::StandardOutput,
    },
    recording::{Ending, Head, Recording},
};

/// Shows the last report of a recorded run, or that of a given time, and returns the exit code.
///
/// # Errors
/// The recording cannot be read, does not cover the given time, or is damaged (then everything before
/// the damage is shown first); or the output cannot be written.
pub(crate) fn run(replay: &Replay, output_to: StandardOutput) -> Result<u8> {
    let output = replay.output_options();
    start_logging(output.verbose);
    let Rejudge { file, at, .. } = &replay.rejudge;
    let recording = Recording::open(file)?;
    let head = recording.head().clone();
    log::debug!("recorded with: tracer {}", head.arguments.join(" "));
    let options = replay.rejudge.options(head.options);
    let reports = at.map(|at| reports_until(file, at)).transpose()?;
    let mut destination = Destination::open(output, context(&head), output_to)?;
    let rejudged = rerun(recording, options, reports, |detector, changes| {
        if !changes.is_empty() {
            destination.keep(&detector.report(), changes);
        }
    })?;
    let Rejudged { report, changes, ending } = rejudged;
    destination.keep(&report, &changes);
    destination.finish(&report)?;
    check_ending(ending, &file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, replay.rejudge.fail_on().unwrap_or(head.fail_on)))
}

/// The host that was recorded, for the outputs.
pub fn context(head: &Head) -> Context {
    Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: head.host.clone(),
        kernel: head.kernel.clone(),
        clock: head.clock,
    }
}

/// Checks that a recording was read to its end. Everything before the end has been shown.
///
/// # Errors
/// The recording is damaged, or has an entry that this version of the program does not know.
pub(crate) fn check_ending(
    ending: Ending,
    shown: &str,
    head: &Head,
    report: &Report,
) -> Result<()> {
    let until = head.clock.rfc3339(report.at);
    match ending {
        Ending::Whole | Ending::Truncated => Ok(()),
        Ending::Damaged(at) => {
            bail!("{shown} is damaged from byte {at} on: everything after {until} is lost")
        }
        Ending::Unknown(at) => bail!(
            "{shown} has an unknown entry at byte {at}: nothing after {until} is shown; replay it \
             with tracer {}, which recorded it",
            head.version
        ),
    }
}
