//! `tracer replay`: what was recorded, judged again.

mod moment;
mod rerun;

use anyhow::{Result, bail};
use tracer_core::Report;

pub(crate) use rerun::rerun;

use crate::{
    cli::Replay,
    exit_code,
    outlet::Outlet,
    recording::{Ending, Head, Recording},
    sink::Context,
};

/// Shows how a recorded run ended, or stood at some time, and gives the exit code.
///
/// # Errors
/// The recording cannot be read, does not hold the moment that was asked for, or is damaged: then
/// what is whole of it was shown. The output cannot be written.
pub(crate) fn run(replay: &Replay) -> Result<u8> {
    let recording = Recording::open(&replay.file)?;
    let head = recording.head().clone();
    log::debug!("recorded with: tracer {}", head.arguments.join(" "));
    let (options, fail_on) = (replay.options(head.options), replay.fail_on());
    let reports = replay.at.map(|at| moment::find(&replay.file, at)).transpose()?;
    let mut outlet = Outlet::open(replay.form(), context(&head))?;
    let (report, ending) =
        rerun(recording, options, reports, |report, changes| outlet.keep(report, changes))?;
    outlet.finish(&report)?;
    complain_of(ending, &replay.file.display().to_string(), &head, &report)?;
    Ok(exit_code::of(&report, fail_on.unwrap_or(head.fail_on)))
}

/// What the sinks have to know of the host that was recorded.
pub(crate) fn context(head: &Head) -> Context {
    Context {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        host: head.host.clone(),
        kernel: head.kernel.clone(),
        clock: head.anchor.into(),
    }
}

fn complain_of(ending: Ending, shown: &str, head: &Head, report: &Report) -> Result<()> {
    let Ending::Damaged(at) = ending else { return Ok(()) };
    let until = context(head).clock.rfc3339(report.at);
    bail!("{shown} is damaged from byte {at} on: what came after {until} is not known")
}
