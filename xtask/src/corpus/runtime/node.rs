//! Node, and a copy of the corpus's programs next to their packages.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{BuildEnv, Missing, Tools};
use crate::command;

/// Finds or installs Node, and copies the programs next to their packages.
///
/// # Errors
/// If the programs cannot be copied.
pub(super) fn prepare(build_env: &mut BuildEnv) -> Result<Result<Tools, Missing>> {
    let node = match build_env.packages.path_of("node", "nodejs") {
        Ok(node) => node,
        Err(missing) => return Ok(Err(missing)),
    };
    let directory = build_env.built.join("node");
    let sources = build_env.corpus.join("node");
    let installed = fs::read(directory.join("package.json")).ok();
    copy(&sources, &directory)?;
    let wanted = fs::read(directory.join("package.json")).ok();
    let modules = directory.join("node_modules");
    let is_stale = wanted.is_some() && (installed != wanted || !modules.is_dir());
    if is_stale && let Err(missing) = install(build_env, &directory) {
        // The file is removed so that the next run tries again.
        fs::remove_file(directory.join("package.json")).context("cannot remove package.json")?;
        return Ok(Err(missing));
    }
    let mut tools = Tools::with([("node", node), ("bin", directory)]);
    tools.environment.insert("NODE_PATH", modules);
    Ok(Ok(tools))
}

fn install(build_env: &mut BuildEnv, directory: &Path) -> Result<(), Missing> {
    let npm = build_env.packages.path_of("npm", "npm")?;
    let mut install = Command::new(npm);
    install.args(["install", "--no-audit", "--no-fund", "--loglevel=error"]);
    command::announce(install.current_dir(directory))
        .map_err(|_| "npm could not install its packages".to_owned())
}

/// Copies the files of a directory, without its subdirectories.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
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
