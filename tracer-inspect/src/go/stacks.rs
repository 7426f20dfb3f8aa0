//! Copies of the stacks of many goroutines, some at a time.

use super::{
    goroutine::{Goroutine, Stack},
    layout::Layout,
};
use crate::process::memory::Memory;

/// Most bytes of stacks that are read at one pass.
pub(super) const STACKS_MAX: usize = 512 << 20;
/// Most bytes of one stack.
const STACK_MAX: usize = 1 << 20;
/// Bytes of stacks that are held at a time.
const BATCH: usize = 8 << 20;
/// How often a stack is copied that does not stay where it is.
const COPIES_MAX: usize = 5;

/// Goroutines in parts whose stacks are held at a time.
pub(super) struct Batches<'a> {
    rest: &'a [Goroutine],
    bytes_left: usize,
}

impl<'a> Batches<'a> {
    pub(super) const fn of(goroutines: &'a [Goroutine]) -> Self {
        Self { rest: goroutines, bytes_left: STACKS_MAX }
    }

    /// Some have not been read.
    pub(super) const fn are_cut(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// Ends with the goroutines, or when the stacks are more than are read.
impl<'a> Iterator for Batches<'a> {
    type Item = &'a [Goroutine];

    fn next(&mut self) -> Option<&'a [Goroutine]> {
        let mut bytes = 0;
        let fits = |goroutine: &&Goroutine| {
            bytes += goroutine.used_stack(STACK_MAX).map_or(0, |(_, length)| length);
            bytes <= BATCH
        };
        let count = self.rest.iter().take_while(fits).count().max(1);
        let (batch, rest) = self.rest.split_at_checked(count)?;
        self.bytes_left = self.bytes_left.checked_sub(bytes.min(BATCH))?;
        self.rest = rest;
        Some(batch)
    }
}

/// Copies of the stacks in use, and whether all of them are whole. A goroutine that did
/// something meanwhile is copied again, with all of its stack, until that stays where it is.
pub(super) fn stacks(
    memory: &dyn Memory,
    goroutines: &[Goroutine],
    layout: &Layout,
) -> (Vec<Stack>, bool) {
    let mut stacks = Vec::new();
    let mut missing = goroutines.to_vec();
    for _ in 0..COPIES_MAX {
        let copies = copy(memory, &missing);
        let addresses: Vec<_> = copies.iter().map(|it| it.goroutine.address).collect();
        let now = Goroutine::read_all(memory, layout, &addresses);
        missing.clear();
        for (copy, now) in copies.into_iter().zip(now) {
            match now {
                Some(now) if copy.goroutine.still_is(&now) => stacks.push(copy),
                Some(now) => missing.push(now.as_running()),
                // Goroutines are never freed, so this is the end of the process.
                None => {}
            }
        }
        if missing.is_empty() {
            return (stacks, true);
        }
    }
    (stacks, false)
}

/// Copies of these stacks, whatever the goroutines do meanwhile.
pub(super) fn copy(memory: &dyn Memory, goroutines: &[Goroutine]) -> Vec<Stack> {
    let used: Vec<_> = goroutines
        .iter()
        .filter_map(|goroutine| Some((goroutine, goroutine.used_stack(STACK_MAX)?)))
        .collect();
    let ranges: Vec<_> = used.iter().map(|(_, range)| *range).collect();
    let read = memory.read(&ranges).into_iter().zip(used);
    // What cannot be read has been given back: its bounds are not what they were.
    read.map(|(bytes, (goroutine, (start, _)))| Stack {
        goroutine: *goroutine,
        start,
        bytes: bytes.unwrap_or_default(),
    })
    .collect()
}
