//! `cargo xtask ci`: the lints and the tests, with one summary.

use anyhow::Result;

use crate::tally::Tally;
use crate::{lint, test};

/// Lints, then tests.
///
/// # Errors
/// If the workspace's build directory cannot be found.
pub(crate) fn run(arguments: &test::Arguments) -> Result<Tally> {
    let mut tally = lint::run()?;
    tally += test::run(arguments)?;
    Ok(tally)
}
