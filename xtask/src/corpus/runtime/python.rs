//! Python, in a virtual environment.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{BuildEnv, Missing, Tools};
use crate::{command, python};

/// The interpreter, with the packages of `python/requirements.txt`.
///
/// # Errors
/// None; the signature is the same as for the other runtimes.
#[expect(clippy::unnecessary_wraps, reason = "the other runtimes build programs, which may fail")]
pub(super) fn prepare(build_env: &mut BuildEnv) -> Result<Result<Tools, Missing>> {
    Ok(interpreter(build_env))
}

fn interpreter(build_env: &mut BuildEnv) -> Result<Tools, Missing> {
    let environment = environment(build_env)?;
    let requirements = build_env.corpus.join("python/requirements.txt");
    // The list of packages that were installed last; if it has not changed, nothing is installed.
    let installed = environment.join("requirements.txt");
    if let Ok(wanted) = fs::read(&requirements)
        && !fs::read(&installed).is_ok_and(|present| present == wanted)
    {
        install(&environment, &[OsStr::new("--requirement"), requirements.as_os_str()])?;
        fs::write(&installed, wanted)
            .map_err(|error| format!("cannot write requirements.txt: {error}"))?;
    }
    Ok(Tools::with([("python", environment.join("bin/python"))]))
}

/// The virtual environment, created if it is missing.
pub(super) fn environment(build_env: &mut BuildEnv) -> Result<PathBuf, Missing> {
    let environment = build_env.built.join("python");
    if environment.join("bin/pip").is_file() {
        return Ok(environment);
    }
    let python = match python::debian_interpreter() {
        Some(python) => python,
        None => build_env.packages.path_of("python3", "python3")?,
    };
    let has_pip = command::succeeds(Command::new(&python).args(["-c", "import ensurepip"]));
    if !has_pip {
        build_env.packages.install("ensurepip", "python3-venv")?;
    }
    python::make_environment(&python, &environment)
        .map_err(|error| format!("no virtual environment: {error:#}"))?;
    Ok(environment)
}

/// Installs packages of the Python index into the environment.
pub(super) fn install(environment: &Path, arguments: &[&OsStr]) -> Result<(), Missing> {
    python::install(environment, arguments)
        .map_err(|_| "pip could not install its packages".to_owned())
}
