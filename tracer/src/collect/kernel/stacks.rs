//! User stacks that the kernel side keeps.

use aya::{
    Pod,
    maps::{HashMap, MapData, StackTraceMap},
};
use tracer_common::StackTop;
use tracer_core::StackId;
use tracer_inspect::process::user_stack::UserStack;

use super::load::Kernel;

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
