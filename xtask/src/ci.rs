//! `cargo xtask ci`: everything that continuous integration runs.

use anyhow::Result;

use crate::tally::Tally;
use crate::{lint, test};

/// Lints, then tests.
///
/// # Errors
/// If the workspace's build directory cannot be told.
pub(crate) fn run(arguments: &test::Arguments) -> Result<Tally> {
    let mut tally = lint::run()?;
    tally += test::run(arguments)?;
    Ok(tally)
}
