//! `tracer replay`: what was recorded, judged again.

mod moment;
mod rerun;

use anyhow::{Result, bail};
use tracer_core::Report;

pub(crate) use self::moment::find;
pub use self::rerun::{Rejudged, rerun};
use crate::{
    cli::Replay,
    output::{Context, destination::Destination, exit_code, logging::start_logging},
    recording::{Ending, Head, Recording},
};

/// Shows how a recorded run ended, or stood at some time, and gives the exit code.
///
/// # Errors
/// The recording cannot be read, does not hold the moment that was asked for, or is damaged: then
/// what is whole of it was shown. The output cannot be written.
pub(crate) fn run(replay: &Replay) -> Result<u8> {
    let output = replay.output();
    start_logging(output.verbose);
    let again = &replay.again;
    let recording = Recording::open(&again.file)?;
    let head = recording.head().clone();
    log::debug!("recorded with: tracer {}", head.arguments.join(" "));
    let (options, fail_on) = (again.options(head.options), again.fail_on());
    let reports = again.at.map(|at| find(&again.file, at)).transpose()?;
    let mut destination = Destination::open(output, context(&head))?;
    let rejudged = rerun(recording, options, reports, |detector, changes| {
        if !changes.is_empty() {
            destination.keep(&detector.report(), changes);
        }
    })?;
    let Rejudged { report, changes, ending } = rejudged;
    destination.keep(&report, &changes);
    destination.finish(&report)?;
    complain_of(ending, &again.file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, fail_on.unwrap_or(head.fail_on)))
}

/// What the sinks have to know of the host that was recorded.
pub fn context(head: &Head) -> Context {
    Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: head.host.clone(),
        kernel: head.kernel.clone(),
        clock: head.clock,
    }
}

/// What follows damage is lost: an error, after everything before it was shown.
///
/// # Errors
/// The recording is damaged, or holds an entry that this version of the program does not know.
pub(crate) fn complain_of(ending: Ending, shown: &str, head: &Head, report: &Report) -> Result<()> {
    let until = head.clock.rfc3339(report.at);
    match ending {
        Ending::Whole | Ending::Truncated => Ok(()),
        Ending::Damaged(at) => {
            bail!("{shown} is damaged from byte {at} on: what happened after {until} is lost")
        }
        Ending::Unknown(at) => bail!(
            "{shown} has an entry at byte {at} that this version of tracer does not know: what \
             happened after {until} is not shown; replay it with tracer {}, which recorded it",
            head.version
        ),
    }
}
