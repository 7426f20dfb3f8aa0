//! Python: a virtual environment of the corpus.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Lack, Tools, Workshop};
use crate::{command, python};

/// The interpreter, with the packages of `python/requirements.txt`.
///
/// # Errors
/// None; the signature is that of the others.
#[expect(clippy::unnecessary_wraps, reason = "the other runtimes build programs, which may fail")]
pub(super) fn prepare(shop: &mut Workshop) -> Result<Result<Tools, Lack>> {
    Ok(interpreter(shop))
}

fn interpreter(shop: &mut Workshop) -> Result<Tools, Lack> {
    let environment = environment(shop)?;
    let requirements = shop.corpus.join("python/requirements.txt");
    // What was installed last; the packages are left alone while the list is the same.
    let installed = environment.join("requirements.txt");
    if let Ok(wanted) = fs::read(&requirements)
        && !fs::read(&installed).is_ok_and(|present| present == wanted)
    {
        install(&environment, &[OsStr::new("--requirement"), requirements.as_os_str()])?;
        fs::write(&installed, wanted).map_err(|error| format!("no requirements: {error}"))?;
    }
    Ok(Tools::words([("python", environment.join("bin/python"))]))
}

/// The virtual environment, made if it is not there.
pub(super) fn environment(shop: &mut Workshop) -> Result<PathBuf, Lack> {
    let environment = shop.built.join("python");
    if environment.join("bin/pip").is_file() {
        return Ok(environment);
    }
    let python = match python::of_debian() {
        Some(python) => python,
        None => shop.packages.path_of("python3", "python3")?,
    };
    let has_pip = command::succeeds(Command::new(&python).args(["-c", "import ensurepip"]));
    if !has_pip {
        shop.packages.install("ensurepip", "python3-venv")?;
    }
    python::make_environment(&python, &environment)
        .map_err(|error| format!("no virtual environment: {error:#}"))?;
    Ok(environment)
}

/// Installs packages of the Python index into the environment.
pub(super) fn install(environment: &Path, arguments: &[&OsStr]) -> Result<(), Lack> {
    python::install(environment, arguments)
        .map_err(|_| "pip could not install what it needs".to_owned())
}
