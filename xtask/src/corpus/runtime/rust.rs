//! Rust: the programs of the corpus, which are no member of our workspace.

use std::process::Command;

use anyhow::Result;

use super::{Lack, Tools, Workshop};
use crate::{command, workspace};

/// The programs.
///
/// # Errors
/// If they do not build; what they need is fetched first, and that may fail.
pub(super) fn prepare(shop: &mut Workshop) -> Result<Result<Tools, Lack>> {
    let manifest = shop.corpus.join("rust/Cargo.toml");
    let cargo = |subcommand: &str| {
        let mut command = Command::new(workspace::cargo());
        command.arg(subcommand).arg("--manifest-path").arg(&manifest);
        command
    };
    if command::announce(&mut cargo("fetch")).is_err() {
        return Ok(Err("cargo could not fetch what it needs".to_owned()));
    }
    let target = shop.built.join("rust");
    command::succeed(cargo("build").arg("--offline").arg("--target-dir").arg(&target))?;
    Ok(Ok(Tools::words([("bin", target.join("debug"))])))
}
