//! An error with a known fix, kept separate from its cause for outputs that show the two apart.

use std::{error::Error, fmt};

/// What failed and why, and what to do about it. As text, it is `cause; fix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorWithFix {
    /// What failed and why. It may contain error texts of the kernel.
    pub cause: String,
    /// What to do about it, as an instruction.
    pub fix: String,
}

impl ErrorWithFix {
    /// The error with this cause and this fix.
    pub fn new(cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { cause: cause.into(), fix: fix.into() }
    }
}

impl fmt::Display for ErrorWithFix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.cause, self.fix)
    }
}

impl Error for ErrorWithFix {}
