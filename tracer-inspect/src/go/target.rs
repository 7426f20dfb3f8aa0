//! The process under inspection.

use crate::process::{maps::Mappings, memory::Memory};

/// Access to the memory of the process under inspection.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) mappings: &'a Mappings,
    /// The load address minus the address in the file.
    pub(super) bias: u64,
}
