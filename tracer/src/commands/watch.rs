//! `tracer`, `tracer audit` and `tracer record`: watches this host and reports findings.

mod recorded_detector;
mod session;
mod signals;

use anyhow::{Context as _, Result, anyhow};
use tracer_inspect::process::visibility;

use crate::{
    collect::plan::Plan,
    environment::Environment,
    output::{
        Context, destination::Destination, exit_code, logging::start_logging,
        options::OutputOptions,
    },
    recording::Head,
};

/// Watches for the duration of the plan and returns the exit code.
///
/// # Errors
/// The event loop cannot be started, or the run failed.
pub(crate) fn run(plan: &Plan, output: OutputOptions, environment: Environment) -> Result<u8> {
    start_logging(plan.verbose);
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    #[cfg(test)]
    runtime.start_paused(environment.backend.is_scripted());
    let runtime = runtime.enable_all().build().context("cannot start the event loop")?;
    runtime.block_on(run_until_end(plan, output, environment))
}

async fn run_until_end(plan: &Plan, output: OutputOptions, environment: Environment) -> Result<u8> {
    let (host, kernel) = visibility::host().map_err(|error| {
        anyhow!("cannot read /proc: {error}; mount it with mount -t proc proc /proc")
    })?;
    let clock = environment.backend.wall_clock();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let arguments = environment.arguments;
    let recording = output.recording.clone().map(|recording| {
        let head = Head {
            segment: 0,
            version: version.clone(),
            host: host.clone(),
            kernel: kernel.clone(),
            clock,
            options: plan.options,
            fail_on: plan.fail_on,
            arguments: arguments.clone(),
        };
        (recording, head)
    });
    let boot_id = visibility::boot_id();
    let context = Context { version, host, kernel, boot_id, arguments, recorded_with: None, clock };
    let destination = Destination::open(output, context, environment.output)?;
    let report = session::run(plan, environment.backend, destination, recording).await?;
    Ok(exit_code::of(&report, plan.fail_on))
}
