//! A user stack, as the BPF programs record it.

use tracer_common::StackTop;

/// A user stack at the time of a system call or a uprobe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserStack {
    /// The instruction pointer, followed by the return addresses found through frame pointers
    /// (`bpf_get_stackid`), innermost first.
    pub addresses: Vec<u64>,
    /// Registers and the innermost words of the stack, if the thread was in a system call.
    pub top: Option<StackTop>,
}
