//! Output of the steps of a run: headings, results and the summary.

use std::process::ExitCode;

use anyhow::Result;

use crate::tally::Tally;

/// Shows where the output of a step begins.
pub(crate) fn heading(name: &str) {
    println!("\n== {name}");
}

/// Counts a result as one check, and shows why it failed.
pub(crate) fn checked(result: Result<()>) -> Tally {
    match result {
        Ok(()) => {
            println!("ok");
            Tally::PASSED
        }
        Err(error) => {
            println!("FAILED: {error:#}");
            Tally::FAILED
        }
    }
}

/// Counts one check as skipped, and shows why.
pub(crate) fn skipped(reason: &str) -> Tally {
    println!("skipped: {reason}");
    Tally::SKIPPED
}

/// Prints the summary as the last line.
pub(crate) fn conclude(tally: Tally) -> ExitCode {
    println!("\n{tally}");
    exit_code(tally)
}

/// Prints the summary of the lints in a form that cannot be mistaken for that of the tests.
pub(crate) fn conclude_lints(tally: Tally) -> ExitCode {
    println!("\nlints: {tally}");
    exit_code(tally)
}

fn exit_code(tally: Tally) -> ExitCode {
    if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
