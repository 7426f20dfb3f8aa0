//! `tracer diff`: which leaks are new, gone, grown or shrunk from one report to another.

mod compare;
mod side;

use anyhow::Result;

pub(crate) use compare::{Change, Difference, Row, Tally};
pub(crate) use side::Side;

use crate::{
    cli::{Diff, DiffOutput},
    exit_code, outlet,
    sink::{json, table},
};

/// Compares the two and gives the exit code.
///
/// # Errors
/// One of them cannot be read or is something else, or the output cannot be written.
pub(crate) fn run(arguments: &Diff) -> Result<u8> {
    let before = Side::read(&arguments.before)?;
    let after = Side::read(&arguments.after)?;
    let difference = Difference::between(before, after, arguments.fail_on());
    outlet::print(|style| match arguments.output {
        DiffOutput::Table => Ok(table::difference(&difference, style)),
        DiffOutput::Json => Ok(json::difference(&difference)?),
    })?;
    let has_new = difference.changes.iter().any(|row| row.change == Change::New);
    Ok(match (has_new, difference.after.coverage.complete) {
        (true, _) => exit_code::LEAKS,
        (false, true) => exit_code::CLEAN,
        (false, false) => exit_code::INCOMPLETE,
    })
}
