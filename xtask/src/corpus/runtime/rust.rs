//! Rust: the programs of the corpus, which have a workspace of their own.

use std::process::Command;

use anyhow::Result;

use super::{BuildEnv, Missing, Tools};
use crate::{command, workspace};

/// Downloads the dependencies and builds the programs.
///
/// # Errors
/// If they do not build.
pub(super) fn prepare(build_env: &mut BuildEnv) -> Result<Result<Tools, Missing>> {
    let manifest = build_env.corpus.join("rust/Cargo.toml");
    let cargo = |subcommand: &str| {
        let mut command = Command::new(workspace::cargo());
        command.arg(subcommand).arg("--manifest-path").arg(&manifest);
        command
    };
    if command::announce(&mut cargo("fetch")).is_err() {
        return Ok(Err("cargo could not download the dependencies".to_owned()));
    }
    let target = build_env.built.join("rust");
    command::succeed(cargo("build").arg("--offline").arg("--target-dir").arg(&target))?;
    Ok(Ok(Tools::with([("bin", target.join("debug"))])))
}
