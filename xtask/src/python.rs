//! Virtual environments of Python, for programs and packages of its index.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command;

/// Debian's interpreter, if it is there, whatever the caller's search path prefers: it is the one
/// that results were written down with.
pub(crate) fn of_debian() -> Option<PathBuf> {
    Some(PathBuf::from("/usr/bin/python3")).filter(|python| python.is_file())
}

/// Makes a virtual environment with this interpreter.
///
/// # Errors
/// If it has no `venv`.
pub(crate) fn make_environment(python: &Path, environment: &Path) -> Result<()> {
    let mut make = Command::new(python);
    command::announce(make.args(["-m", "venv"]).arg(environment))
}

/// Installs packages of the Python index into the environment.
///
/// # Errors
/// If they cannot be had.
pub(crate) fn install(environment: &Path, arguments: &[&OsStr]) -> Result<()> {
    let mut install = Command::new(environment.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]).args(arguments);
    command::announce(&mut install)
}
