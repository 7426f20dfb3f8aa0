//! Paths: the workspace, its build directory, cargo.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The directory of the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    // The value at compile time is wrong if the checkout was moved with its build directory.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().map_or_else(|| xtask.clone(), Path::to_path_buf)
}

/// The directory into which cargo builds.
///
/// # Errors
/// If the path of this program is not known, or not in such a directory.
pub(crate) fn target() -> Result<PathBuf> {
    let program = xtask()?;
    let target = program.ancestors().nth(2);
    target.map(Path::to_path_buf).context("xtask is not inside a target directory")
}

/// The path of this program. Building the tests may have replaced the file since it was started; the
/// new one is of the same sources.
///
/// # Errors
/// If the path is not known.
pub(crate) fn xtask() -> Result<PathBuf> {
    let program = env::current_exe().context("the path of xtask is not known")?;
    let name = program.to_string_lossy();
    // The kernel marks the path of a file that was replaced.
    Ok(name.strip_suffix(" (deleted)").map_or_else(|| program.clone(), PathBuf::from))
}

/// The cargo that runs this program, so that every build uses the toolchain of the caller.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Cargo's directory for downloads and installed programs.
pub(crate) fn cargo_home() -> PathBuf {
    let default = || env::home_dir().unwrap_or_default().join(".cargo");
    env::var_os("CARGO_HOME").map_or_else(default, PathBuf::from)
}

/// The target triple of the host, as cargo names it.
///
/// # Errors
/// If cargo does not print it.
pub(crate) fn host() -> Result<String> {
    let version = command::output(Command::new(cargo()).arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`cargo -vV` does not name the host")
}

/// The committed BPF object.
pub(crate) fn object() -> PathBuf {
    root().join("tracer/bpf/tracer.bpf.o")
}
