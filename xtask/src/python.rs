//! Python interpreters and virtual environments.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command;

/// Debian's interpreter, if it is installed. It is preferred to the one on the search path because
/// the expected results come from it.
pub(crate) fn debian_interpreter() -> Option<PathBuf> {
    Some(PathBuf::from("/usr/bin/python3")).filter(|python| python.is_file())
}

/// Creates a virtual environment with this interpreter.
///
/// # Errors
/// If the interpreter has no module `venv`.
pub(crate) fn make_environment(python: &Path, environment: &Path) -> Result<()> {
    let mut make = Command::new(python);
    command::announce(make.args(["-m", "venv"]).arg(environment))
}

/// Installs packages of the Python index into the environment.
///
/// # Errors
/// If they cannot be downloaded.
pub(crate) fn install(environment: &Path, arguments: &[&OsStr]) -> Result<()> {
    let mut install = Command::new(environment.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check"]).args(arguments);
    command::announce(&mut install)
}
