//! Java, and the compiled classes of the corpus.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use super::{BuildEnv, Missing, Tools};
use crate::command;

/// Debian's package with both programs.
const PACKAGE: &str = "default-jdk-headless";

/// Finds or installs Java, and compiles the classes.
///
/// # Errors
/// If they do not compile.
pub(super) fn prepare(build_env: &mut BuildEnv) -> Result<Result<Tools, Missing>> {
    let found = build_env.packages.path_of("javac", PACKAGE);
    let found = found.and_then(|javac| Ok((javac, build_env.packages.path_of("java", PACKAGE)?)));
    let (javac, java) = match found {
        Ok(programs) => programs,
        Err(missing) => return Ok(Err(missing)),
    };
    let sources = build_env.corpus.join("java");
    let listing =
        fs::read_dir(&sources).with_context(|| format!("cannot read {}", sources.display()))?;
    let files = listing.flatten().map(|entry| entry.path());
    let files = files.filter(|path| path.extension().is_some_and(|extension| extension == "java"));
    let classes = build_env.built.join("bin/java");
    command::succeed(Command::new(javac).arg("-d").arg(&classes).args(files))?;
    Ok(Ok(Tools::with([("java", java), ("bin", classes)])))
}
