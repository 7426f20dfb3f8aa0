//! A user stack, as the kernel programs keep it.

use tracer_common::StackTop;

/// A user stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserStack {
    /// Where the program was when it entered the kernel, or ran into a hook; then the return
    /// addresses that frame pointers lead to, the innermost first.
    pub addresses: Vec<u64>,
    /// What was on top of it, if it was a system call.
    pub top: Option<StackTop>,
}
