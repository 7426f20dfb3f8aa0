//! The queries of `docs/csv.md`, run by DuckDB on the example beside it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tally::Tally;
use crate::{command, step, workspace};

/// What reads the page: a script, as it needs DuckDB's package for Python.
const SCRIPT: &str = include_str!("cookbook.py");
/// The version whose results are in the page.
const DUCKDB: &str = "duckdb==2.0.1";

/// Runs every query, or says why it cannot.
///
/// # Errors
/// If the workspace's build directory cannot be told.
pub(super) fn run() -> Result<Tally> {
    let environment = workspace::target()?.join("cookbook");
    if let Err(error) = prepare(&environment) {
        return Ok(step::skipped(&format!("{error:#}")));
    }
    let mut script = Command::new(environment.join("bin/python"));
    script.args(["-c", SCRIPT]).current_dir(workspace::root().join("docs"));
    Ok(match command::output(&mut script).and_then(|output| counted(&output)) {
        Ok(tally) => tally,
        Err(error) => step::checked(Err(error)),
    })
}

/// A virtual environment with DuckDB, made if it is not there.
fn prepare(environment: &Path) -> Result<()> {
    let has_duckdb = || {
        let mut python = Command::new(environment.join("bin/python"));
        command::succeeds(python.args(["-c", "import duckdb"]))
    };
    if has_duckdb() {
        return Ok(());
    }
    let python = Path::new("/usr/bin/python3");
    let python = if python.is_file() { python } else { Path::new("python3") };
    let mut make = Command::new(python);
    command::announce(make.args(["-m", "venv"]).arg(environment))
        .context("no virtual environment of Python")?;
    let mut install = Command::new(environment.join("bin/pip"));
    install.args(["install", "--quiet", "--disable-pip-version-check", DUCKDB]);
    command::announce(&mut install).context("DuckDB cannot be had")
}

/// What the script's last line says, after all that it found wrong.
fn counted(output: &str) -> Result<Tally> {
    println!("{output}");
    let line = output.lines().last().unwrap_or_default();
    let count = |word: &str| -> Option<u64> {
        line.split(", ").find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    let counts = count("passed").zip(count("failed"));
    let (passed, failed) = counts.context("the script did not say how it went")?;
    Ok(Tally { passed, failed, skipped: 0 })
}
