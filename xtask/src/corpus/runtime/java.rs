//! Java, with the classes of the corpus compiled.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Lack, Tools, Workshop};
use crate::command;

/// The package that brings both programs.
const PACKAGE: &str = "default-jdk-headless";

/// The virtual machine, and the classes.
///
/// # Errors
/// If they do not compile.
pub(super) fn prepare(shop: &mut Workshop) -> Result<Result<Tools, Lack>> {
    let found = shop.packages.path_of("javac", PACKAGE);
    let found = found.and_then(|javac| Ok((javac, shop.packages.path_of("java", PACKAGE)?)));
    let (javac, java) = match found {
        Ok(programs) => programs,
        Err(lack) => return Ok(Err(lack)),
    };
    let sources = shop.corpus.join("java");
    let listing =
        fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let files = listing.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "java"));
    let classes = shop.built.join("bin/java");
    command::succeed(Command::new(javac).arg("-d").arg(&classes).args(files))?;
    Ok(Ok(Tools::words([("java", java), ("bin", classes)])))
}
