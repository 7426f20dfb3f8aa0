//! Where things are: the workspace, its build products, the cargo that runs us.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The directory of the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    // The compile-time value is stale when a target directory moved with its checkout.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The directory that cargo builds into, wherever its settings put that.
///
/// # Errors
/// If this program's own path cannot be told, or it was not built by cargo.
pub(crate) fn target() -> Result<PathBuf> {
    let program = env::current_exe().context("cannot tell where xtask is")?;
    let target = program.ancestors().nth(2);
    target.map(Path::to_path_buf).context("xtask is not inside a target directory")
}

/// The cargo that runs us, so that every build uses the toolchain that the caller chose.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The target triple of the host, as cargo names it.
///
/// # Errors
/// If cargo does not say.
pub(crate) fn host() -> Result<String> {
    let version = command::output(Command::new(cargo()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`cargo -vV` does not name the host")
}

/// The committed kernel object.
pub(crate) fn object() -> PathBuf {
    root().join("tracer/bpf/tracer.bpf.o")
}
