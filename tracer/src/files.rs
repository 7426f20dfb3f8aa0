//! Files that are appended to and files that are replaced as a whole.

pub(crate) mod append;
pub(crate) mod replace;
