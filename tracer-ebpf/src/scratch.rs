//! Memory to assemble a stack in, which does not fit on the stack of a program.

use tracer_common::StackRecord;

/// A place to assemble a stack in: the value of the map `SCRATCH`.
#[repr(C)]
pub(crate) struct Scratch {
    /// How many programs are trying to use it, or do.
    pub(crate) users: u64,
    pub(crate) record: StackRecord,
}
