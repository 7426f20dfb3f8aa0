//! User stacks that the kernel side keeps.

use aya::{
    Pod,
    maps::{HashMap, MapData, StackTraceMap},
};
use tracer_common::StackTop;
use tracer_core::StackId;

use super::kernel::Kernel;

/// A user stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UserStack {
    /// Where the program was when it entered the kernel, or ran into a hook; then the return
    /// addresses that frame pointers lead to, the innermost first.
    pub(crate) addresses: Vec<u64>,
    /// What was on top of it, if it was a system call.
    pub(crate) top: Option<StackTop>,
}

#[derive(Clone, Copy)]
#[repr(transparent)]
struct Top(StackTop);

// SAFETY: integers without padding.
unsafe impl Pod for Top {}

impl Kernel {
    /// The stack with a number; `None` if there is none.
    pub(crate) fn stack(&self, stack: StackId) -> Option<UserStack> {
        let map: StackTraceMap<&MapData> = self.map("STACKS").ok()?.try_into().ok()?;
        let place = stack.0 & ((1 << StackTop::PLACE_BITS) - 1);
        let trace = map.get(&place, 0).ok()?;
        let addresses = trace.frames().iter().map(|frame| frame.ip).collect();
        let tops: HashMap<&MapData, u32, Top> = self.map("STACK_TOPS").ok()?.try_into().ok()?;
        let top = tops.get(&stack.0, 0).ok().map(|top| top.0);
        Some(UserStack { addresses, top })
    }
}
