//! Memory for assembling a stack record, which does not fit on the stack of a BPF program.

use tracer_common::StackRecord;

/// A slot for assembling a stack record: the value of the map `SCRATCH`.
#[repr(C)]
pub(crate) struct Scratch {
    /// The number of programs that are using it or trying to.
    pub(crate) users: u64,
    pub(crate) record: StackRecord,
}
