//! References that are not in the heap: the variables of packages, and the stacks.

use tracer_core::{HolderKind, ResponseHolder};

use super::{
    holder::Names,
    pass::Ended,
    search::{Objects, Search},
    targets::Targets,
};
use crate::{
    frames::rules::Rules,
    go::{
        goroutine::Goroutine,
        goroutine_scan::{Listed, goroutines},
        layout::{
            DEFERRED_FUNCTION,
            heap::{MODULE_DATA, MODULE_DATA_END, MODULE_ZEROED, MODULE_ZEROED_END},
        },
        program::ScanInputs,
        stacks::{Batches, stacks},
        target::Target,
    },
    process::{memory::u64_at, pages::Pages},
};

/// Maximum number of deferred calls of a goroutine that are followed, twice.
const DEFERRED_MAX: usize = 1 << 16;

impl Search<'_> {
    /// Searches the variables of packages.
    ///
    /// # Errors
    /// They could not be searched completely, or each response is held.
    pub(super) fn search_globals(
        &mut self,
        targets: &Targets,
        objects: &Objects,
    ) -> Result<(), Ended> {
        let ranges = self.globals().ok_or(Ended::Incomplete)?;
        self.count(&ranges)?;
        let resident = self.resident;
        resident.search(ranges.into_iter(), targets, |matches| {
            for it in matches {
                let name = self.global_name(it.place);
                let holder = ResponseHolder { kind: HolderKind::Global, name };
                let owners = targets.owners(it.word).into_iter().flatten().copied();
                self.add_held(owners, &holder);
            }
            self.is_open(objects)
        })
    }

    /// The addresses and lengths of the variables with pointers. `None` if the program has several
    /// modules (plugins, shared libraries), whose variables are not known.
    pub(super) fn globals(&self) -> Option<Vec<(u64, u64)>> {
        let module = self.roots.module.wrapping_add(self.target.bias);
        let next = module.checked_add(self.layout.heap.module_next)?;
        if u64_at(&self.target.memory.read_one(next, 8)?, 0)? != 0 {
            return None;
        }
        let bytes = self.target.memory.read_one(module, MODULE_ZEROED_END + 8)?;
        let range = |start: usize, end: usize| {
            let (start, end) = (u64_at(&bytes, start)?, u64_at(&bytes, end)?);
            let start = start.checked_next_multiple_of(8)?;
            Some((start, end.checked_sub(start)?))
        };
        Some(vec![range(MODULE_DATA, MODULE_DATA_END)?, range(MODULE_ZEROED, MODULE_ZEROED_END)?])
    }

    /// Searches the stacks of all goroutines except those of connections that wait.
    ///
    /// # Errors
    /// They could not be searched completely, or each response is held.
    pub(super) fn search_stacks(
        &mut self,
        targets: &Targets,
        objects: &Objects,
        inputs: &mut ScanInputs,
    ) -> Result<(), Ended> {
        let Target { memory, bias, .. } = self.target;
        let mut listed =
            goroutines(self.target, inputs.all_goroutines, self.layout).ok_or(Ended::Incomplete)?;
        let Listed { goroutines: all, length, .. } = &mut listed;
        if all.len() as u64 != *length {
            return Err(Ended::Incomplete);
        }
        all.retain(|it| !self.machinery.contains(&(it.address, it.id)));
        let mut code = Pages::new(memory);
        let mut rules = None;
        let mut batches = Batches::of(all);
        for batch in batches.by_ref() {
            let (copies, are_consistent) = stacks(memory, batch, self.layout);
            if !are_consistent {
                return Err(Ended::Incomplete);
            }
            for stack in copies {
                if stack.goroutine.stack.high - stack.start > stack.bytes.len() as u64 {
                    return Err(Ended::Incomplete);
                }
                self.count(&[(0, stack.bytes.len() as u64)])?;
                let deferred = self.deferred(&stack.goroutine)?;
                let words = inputs.functions.words_in_use(&mut code, bias, &stack, &deferred);
                memory.budget().step(words.len() as u64).ok_or(Ended::Incomplete)?;
                let words =
                    words.into_iter().chain(deferred).filter(|word| targets.may_contain(*word));
                let owners = words.filter_map(|word| targets.owners(word)).flatten().copied();
                let owners: Vec<usize> = owners.filter(|it| self.is_wanted(*it)).collect();
                if owners.is_empty() {
                    continue;
                }
                let rules =
                    rules.get_or_insert_with(|| Rules::with_user_rules("").unwrap_or_default());
                let mut names = Names { functions: inputs.functions, pages: &mut code, bias };
                let holder = names.goroutine(&stack, rules);
                self.add_held(owners.into_iter(), &holder);
            }
            self.is_open(objects)?;
        }
        if batches.is_truncated() { Err(Ended::Incomplete) } else { Ok(()) }
    }

    /// The deferred calls of a goroutine (`runtime._defer`) and their functions. The records are
    /// partly on the stack and partly in the heap.
    ///
    /// # Errors
    /// They cannot be read, or there are too many.
    fn deferred(&self, goroutine: &Goroutine) -> Result<Vec<u64>, Ended> {
        let (mut next, mut all) = (goroutine.deferred, Vec::new());
        let mut pages = Pages::new(self.target.memory);
        // A goroutine that is running changes the list; all words of its stack count.
        while next != 0 && goroutine.is_blocked() {
            if all.len() >= DEFERRED_MAX {
                return Err(Ended::Incomplete);
            }
            let word = |pages: &mut Pages, offset| pages.word(next.checked_add(offset)?);
            let function = word(&mut pages, DEFERRED_FUNCTION);
            let following = word(&mut pages, self.layout.deferred_next);
            let (function, following) = function.zip(following).ok_or(Ended::Incomplete)?;
            all.extend([next, function]);
            next = following;
        }
        Ok(all)
    }
}
