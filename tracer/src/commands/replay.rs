//! `tracer replay`: analyzes a recording again.

mod report_time;
mod rerun;

use anyhow::{Result, bail};
use tracer_core::Report;

pub(crate) use self::report_time::reports_until;
pub use self::rerun::{Rejudged, rerun};
use crate::{
    cli::{Rejudge, Replay},
    output::{
        Context,
        destination::Destination,
        exit_code,
        logging::start_logging,
        standard_output::{Shown, StandardOutput},
    },
    recording::{Ending, Head, Recording},
};

/// Shows the last report of a recorded run, or that of a given time, and returns the exit code.
///
/// # Errors
/// The recording cannot be read, does not cover the given time, or is damaged (then everything before
/// the damage is shown first); or the output cannot be written.
pub(crate) fn run(replay: &Replay, output_to: StandardOutput) -> Result<u8> {
    let mut output = replay.output_options();
    start_logging(output.verbose);
    let Rejudge { file, at, .. } = &replay.rejudge;
    let recording = Recording::open(file)?;
    let head = recording.head().clone();
    log::debug!("recorded with: tracer {}", head.arguments.join(" "));
    let options = replay.rejudge.options(head.options);
    output.least = replay.least(head.fail_on, options);
    let reports = at.map(|at| reports_until(file, at)).transpose()?;
    let context = context_of("replay", &replay.rejudge, &head);
    let mut destination = Destination::open(output, context, output_to)?;
    let mut followed = Ok(Shown::Yes);
    let rejudged = rerun(recording, options, reports, |detector, changes| {
        let follows = destination.follows_replay() && matches!(followed, Ok(Shown::Yes));
        if !follows && changes.is_empty() {
            return;
        }
        let report = detector.report();
        destination.keep(&report, changes);
        if follows {
            followed = destination.follow(&report);
        }
    })?;
    followed?;
    let Rejudged { report, changes, ending } = rejudged;
    destination.keep(&report, &changes);
    destination.finish(&report)?;
    check_ending(ending, &file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, replay.rejudge.fail_on().unwrap_or(head.fail_on)))
}

/// The context of a recording, for outputs: its host and the command that recorded it.
pub fn context(head: &Head) -> Context {
    Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: head.host.clone(),
        kernel: head.kernel.clone(),
        boot_id: None,
        arguments: head.arguments.clone(),
        recorded_with: None,
        clock: head.clock,
    }
}

/// The context of a command that analyzes a recording again.
pub(crate) fn context_of(command: &str, rejudge: &Rejudge, head: &Head) -> Context {
    let arguments = [vec![command.to_owned()], rejudge.arguments()].concat();
    Context { arguments, recorded_with: Some(head.arguments.clone()), ..context(head) }
}

/// Checks that a recording was read to its end. Everything before the end has been shown.
///
/// # Errors
/// The recording is damaged, or contains an entry that this version of the program does not know.
pub(crate) fn check_ending(
    ending: Ending,
    shown: &str,
    head: &Head,
    report: &Report,
) -> Result<()> {
    let until = head.clock.rfc3339(report.at);
    match ending {
        Ending::Whole | Ending::Truncated => Ok(()),
        Ending::Unknown(at) if !head.is_of_this_version() => bail!(
            "{shown} has an unknown entry at byte {at}: nothing after {until} is shown; replay it \
             with tracer {}, which recorded it",
            head.version
        ),
        Ending::Damaged(at) | Ending::Unknown(at) => {
            bail!("{shown} is damaged from byte {at} onwards: everything after {until} is lost")
        }
    }
}
