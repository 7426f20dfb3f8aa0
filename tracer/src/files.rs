//! Writing files: appending complete pieces, and replacing a file atomically.

pub(crate) mod append;
pub(crate) mod replace;
