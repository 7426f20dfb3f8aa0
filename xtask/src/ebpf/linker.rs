//! The linker for BPF programs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, workspace};

/// The last version for LLVM 22.
pub(crate) const VERSION: &str = "0.10.3";
/// The linker's version output.
pub(crate) const NAME_AND_VERSION: &str = "bpf-linker 0.10.3";

/// The path of the linker: on the search path, or in cargo's directory for installed programs,
/// which need not be on the search path.
///
/// # Errors
/// The linker is missing or has another version.
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
