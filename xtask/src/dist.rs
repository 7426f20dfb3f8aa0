//! `cargo xtask dist`: an archive of the program and its documents.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{command, workspace};

/// Documents in the archive.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", "docs/csv.md"];

/// Builds the release and copies it, with manual pages, shell completions and documents, into
/// `target/dist/tracer-VERSION-HOST`, and makes a `.tar.gz` of that.
///
/// # Errors
/// If the program does not build, or a file cannot be written.
pub(crate) fn run() -> Result<()> {
    let mut build = Command::new(workspace::cargo());
    build.args(["build", "--release", "--locked", "--package", "tracer"]);
    // Symbols are kept for backtraces. Line tables would take 40 MB.
    build.env("CARGO_PROFILE_RELEASE_STRIP", "debuginfo").current_dir(workspace::root());
    command::succeed(&mut build)?;
    let target = workspace::target()?;
    let program = target.join("release/tracer");
    let version = command::output(Command::new(&program).arg("--version"))?;
    let name = format!("{}-{}", version.replace(' ', "-"), workspace::host()?);
    let dist = target.join("dist");
    let directory = dist.join(&name);
    // The archive must not contain files of an earlier version.
    if directory.exists() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot empty {}", directory.display()))?;
    }
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    copy(&program, &directory)?;
    for document in DOCUMENTS {
        copy(&workspace::root().join(document), &directory)?;
    }
    command::succeed(Command::new(&program).arg("packaging").arg(&directory))?;
    let archive = dist.join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-czf"]).arg(&archive).arg("-C").arg(&dist).arg(&name);
    command::succeed(&mut tar)?;
    println!("{}\n{}", directory.display(), archive.display());
    Ok(())
}

fn copy(file: &Path, directory: &Path) -> Result<()> {
    let name = file.file_name().context("no file name")?;
    fs::copy(file, directory.join(name))
        .with_context(|| format!("cannot copy {}", file.display()))?;
    Ok(())
}
