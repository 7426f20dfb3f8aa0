//! The process under inspection.

use std::fs::File;

use crate::process::{maps::Mappings, memory::Memory, pagemap::PageMap};

/// Access to the memory of the process under inspection.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    /// Its process id.
    pub(super) pid: u32,
    pub(super) memory: &'a dyn Memory,
    pub(super) mappings: &'a Mappings,
    /// Which pages are in memory; `None` if that is not known.
    pub(super) page_map: Option<&'a PageMap>,
    /// The file of the program.
    pub(super) file: &'a File,
    /// The load address minus the address in the file.
    pub(super) bias: u64,
}
