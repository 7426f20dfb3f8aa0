//! User stacks that the BPF programs record.

use anyhow::{Context as _, bail};
use aya::maps::Map;
use tracer_common::{StackKey, StackRecord};

use super::{load::Kernel, map_batch};

impl Kernel {
    /// Removes all stacks from the kernel's map, and calls `each` with every one. The map is empty
    /// afterwards.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn take_stacks(
        &self,
        each: &mut dyn FnMut(StackKey, &StackRecord),
    ) -> anyhow::Result<()> {
        let Map::HashMap(map) = self.map("STACKS")? else { bail!("STACKS is not a hash map") };
        map_batch::take(map, each).context("cannot read the map STACKS")
    }
}
