//! The linker for kernel programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, workspace};

/// The version that goes with LLVM 22; later ones want a later LLVM.
pub(crate) const VERSION: &str = "0.10.3";
/// What the linker says when asked for its version.
pub(crate) const NAME_AND_VERSION: &str = "bpf-linker 0.10.3";

/// Where the right linker is: on the search path or where cargo installs programs, which the search
/// path need not contain.
///
/// # Errors
/// What is there instead.
pub(crate) fn find() -> Result<PathBuf> {
    let installed = workspace::cargo_home().join("bin/bpf-linker");
    let linker = command::find("bpf-linker")
        .or_else(|| installed.is_file().then_some(installed))
        .with_context(|| format!("{NAME_AND_VERSION} is not installed"))?;
    let found = command::output(Command::new(&linker).arg("--version"))?;
    if found != NAME_AND_VERSION {
        bail!("{} is {found}, not {VERSION}", linker.display());
    }
    Ok(linker)
}
