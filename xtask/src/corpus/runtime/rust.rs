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
    if let Err(error) = command::announce(&mut cargo("fetch")) {
        return Ok(Err(format!("no Rust packages: {error:#}")));
    }
    let target = shop.built.join("rust");
    command::succeed(cargo("build").arg("--offline").arg("--target-dir").arg(&target))?;
    Ok(Ok(Tools::words([("bin", target.join("debug"))])))
}
