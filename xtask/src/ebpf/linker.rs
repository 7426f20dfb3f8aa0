//! The linker for kernel programs.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// The version that goes with LLVM 22; later ones want a later LLVM.
pub(crate) const VERSION: &str = "0.10.3";
/// What the linker says when asked for its version.
pub(crate) const NAME_AND_VERSION: &str = "bpf-linker 0.10.3";

/// Whether the right linker is installed.
///
/// # Errors
/// What is there instead.
pub(crate) fn check() -> Result<()> {
    let found = command::output(Command::new("bpf-linker").arg("--version"))
        .context("bpf-linker is not installed")?;
    if found != NAME_AND_VERSION {
        bail!("{found} is installed, not {VERSION}");
    }
    Ok(())
}
