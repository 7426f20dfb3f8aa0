//! A user stack, as the kernel programs keep it.

use tracer_common::StackTop;

/// A user stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserStack {
    /// The instruction at which the thread entered the kernel or hit the uprobe, then the return
    /// addresses that follow from frame pointers, innermost first.
    pub addresses: Vec<u64>,
    /// Registers and innermost words, if the thread was in a system call.
    pub top: Option<StackTop>,
}
