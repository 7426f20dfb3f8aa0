//! User stacks that the kernel side keeps.

use aya::maps::{MapData, StackTraceMap};
use tracer_core::StackId;

use super::kernel::Kernel;

impl Kernel {
    /// The return addresses of a stack, from the innermost out. The first is not one: it is where
    /// the program was when it entered the kernel, or ran into a hook. `None` if there is no such
    /// stack.
    pub(crate) fn stack(&self, stack: StackId) -> Option<Vec<u64>> {
        let map: StackTraceMap<&MapData> = self.map("STACKS").ok()?.try_into().ok()?;
        let trace = map.get(&stack.0, 0).ok()?;
        Some(trace.frames().iter().map(|frame| frame.ip).collect())
    }
}
