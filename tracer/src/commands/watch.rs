//! `tracer`, `tracer audit` and `tracer record`: watches this host and reports findings.

mod recorded_detector;
mod session;
mod signals;

use std::env;

use anyhow::{Context as _, Result, anyhow};
use tracer_inspect::process::visibility;

use crate::{
    collect::plan::Plan,
    output::{
        Context, destination::Destination, exit_code, logging::start_logging,
        options::OutputOptions,
    },
    recording::Head,
    wall_clock::WallClock,
};

/// Watches for the duration of the plan and returns the exit code.
pub(crate) fn run(plan: &Plan, output: OutputOptions) -> Result<u8> {
    start_logging(plan.verbose);
    let (host, kernel) = visibility::host().map_err(|error| {
        anyhow!("cannot read /proc: {error}; mount it with mount -t proc proc /proc")
    })?;
    let clock = WallClock::now();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let recording = output.recording.clone().map(|recording| {
        let head = Head {
            segment: 0,
            version: version.clone(),
            host: host.clone(),
            kernel: kernel.clone(),
            clock,
            options: plan.options,
            fail_on: plan.fail_on,
            arguments: env::args_os().skip(1).map(|it| it.to_string_lossy().into()).collect(),
        };
        (recording, head)
    });
    let destination = Destination::open(output, Context { version, host, kernel, clock })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let report = runtime.block_on(session::run(plan, destination, recording))?;
    Ok(exit_code::of(&report, plan.fail_on))
}
