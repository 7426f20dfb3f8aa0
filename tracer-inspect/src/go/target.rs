//! The Go process that is inspected.

use crate::process::{maps::Mappings, memory::Memory};

/// A process that is inspected.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) mappings: &'a Mappings,
    /// How far the program is from where its file says.
    pub(super) bias: u64,
}
