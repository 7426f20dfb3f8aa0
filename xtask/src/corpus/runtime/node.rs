//! Node, with a copy of the corpus's programs beside their packages.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Lack, Tools, Workshop};
use crate::command;

/// The interpreter, and the programs with their packages.
///
/// # Errors
/// If the programs cannot be copied.
pub(super) fn prepare(shop: &mut Workshop) -> Result<Result<Tools, Lack>> {
    let node = match shop.packages.path_of("node", "nodejs") {
        Ok(node) => node,
        Err(lack) => return Ok(Err(lack)),
    };
    let directory = shop.built.join("node");
    let sources = shop.corpus.join("node");
    let installed = fs::read(directory.join("package.json")).ok();
    copy(&sources, &directory)?;
    let wanted = fs::read(directory.join("package.json")).ok();
    let modules = directory.join("node_modules");
    let is_stale = wanted.is_some() && (installed != wanted || !modules.is_dir());
    if is_stale && let Err(lack) = install(shop, &directory) {
        // The next run must not take it for installed.
        fs::remove_file(directory.join("package.json")).context("cannot undo")?;
        return Ok(Err(lack));
    }
    let mut tools = Tools::words([("node", node), ("bin", directory)]);
    tools.environment.insert("NODE_PATH", modules);
    Ok(Ok(tools))
}

fn install(shop: &mut Workshop, directory: &Path) -> Result<(), Lack> {
    let npm = shop.packages.path_of("npm", "npm")?;
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
    command::announce(install.current_dir(directory))
        .map_err(|_| "npm could not install what it needs".to_owned())
}

/// Copies the files of a directory, not what is below it.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    let listing = fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?;
    for entry in listing {
        let path = entry?.path();
        if let Some(name) = path.file_name()
            && path.is_file()
        {
            fs::copy(&path, to.join(name))
                .with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}
