//! The hidden commands for the launcher and the worker of inspections. Their socket is standard
//! input.

use anyhow::Result;

use crate::{
    collect::inspection,
    output::{exit_code, logging::start_logging},
};

/// Runs the process that starts workers.
///
/// # Errors
/// The worker's socket failed.
pub(crate) fn launch(verbose: bool) -> Result<u8> {
    start_logging(verbose);
    inspection::run_launcher(verbose)?;
    Ok(exit_code::CLEAN)
}

/// Runs a worker.
///
/// # Errors
/// The kernel refused a limit, or its socket failed.
pub(crate) fn work(verbose: bool) -> Result<u8> {
    start_logging(verbose);
    inspection::run_worker()?;
    Ok(exit_code::CLEAN)
}
