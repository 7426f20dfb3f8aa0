//! User stacks that the kernel programs keep.

use aya::maps::{HashMap, MapData, StackTraceMap};
use tracer_common::StackTop;
use tracer_core::StackId;
use tracer_inspect::process::user_stack::UserStack;

use super::{load::Kernel, pod::AsPod};

impl Kernel {
    /// The stack with this id; `None` if the kernel programs did not keep it.
    pub(crate) fn stack(&self, stack: StackId) -> Option<UserStack> {
        let map: StackTraceMap<&MapData> = self.map("STACKS").ok()?.try_into().ok()?;
        let slot = stack.0 & ((1 << StackTop::PLACE_BITS) - 1);
        let trace = map.get(&slot, 0).ok()?;
        let addresses = trace.frames().iter().map(|frame| frame.ip).collect();
        let tops: HashMap<&MapData, u32, AsPod<StackTop>> =
            self.map("STACK_TOPS").ok()?.try_into().ok()?;
        let top = tops.get(&stack.0, 0).ok().map(|top| top.0);
        Some(UserStack { addresses, top })
    }
}
