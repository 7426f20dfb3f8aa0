//! The queries of `docs/csv.md`, run by DuckDB on the example beside it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tally::Tally;
use crate::{command, python, step, workspace};

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
    let python = python::of_debian().unwrap_or_else(|| "python3".into());
    python::make_environment(&python, environment).context("no virtual environment of Python")?;
    python::install(environment, &[DUCKDB.as_ref()]).context("DuckDB cannot be had")
}

/// What the script's last line says, after all that it found wrong.
fn counted(output: &str) -> Result<Tally> {
    println!("{output}");
    output.lines().find_map(Tally::parse).context("the script did not say how it went")
}
