//! The queries of `docs/csv.md`, run by DuckDB on the example next to it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::tally::Tally;
use crate::{command, python, step, workspace};

/// Reads the page and runs the queries. It is a script because it uses DuckDB's Python package.
const SCRIPT: &str = include_str!("cookbook.py");
/// The version with which the results in the page were made.
const DUCKDB: &str = "duckdb==2.0.1";

/// Runs every query, or skips them and shows why.
///
/// # Errors
/// If the workspace's build directory cannot be found.
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

/// Creates a virtual environment with DuckDB, if it is missing.
fn prepare(environment: &Path) -> Result<()> {
    let has_duckdb = || {
        let mut python = Command::new(environment.join("bin/python"));
        command::succeeds(python.args(["-c", "import duckdb"]))
    };
    if has_duckdb() {
        return Ok(());
    }
    let python = python::debian_interpreter().unwrap_or_else(|| "python3".into());
    python::make_environment(&python, environment)
        .context("cannot create a virtual environment of Python")?;
    python::install(environment, &[DUCKDB.as_ref()]).context("cannot install DuckDB")
}

/// Shows the script's output, and reads the counts in its last line.
fn counted(output: &str) -> Result<Tally> {
    println!("{output}");
    output.lines().find_map(Tally::parse).context("the script printed no result")
}
