//! Copies the stacks of many goroutines, in batches of limited size.

use super::{goroutine::Goroutine, layout::Layout, stack::Stack};
use crate::process::memory::Memory;

/// Maximum number of bytes of stacks read per scan.
pub(super) const STACKS_MAX: usize = 512 << 20;
/// Maximum number of bytes read of one stack.
const STACK_MAX: usize = 1 << 20;
/// Number of bytes of stacks held in memory at a time.
const BATCH: usize = 8 << 20;
/// Maximum number of goroutines whose stacks are held in memory at a time.
const BATCH_GOROUTINES: usize = 16_384;
/// Maximum number of copies of a stack that keeps changing.
const COPIES_MAX: usize = 5;

/// Splits goroutines into batches by the size of their stacks.
pub(super) struct Batches<'a> {
    rest: &'a [Goroutine],
    bytes_left: usize,
}

impl<'a> Batches<'a> {
    pub(super) const fn of(goroutines: &'a [Goroutine]) -> Self {
        Self { rest: goroutines, bytes_left: STACKS_MAX }
    }

    /// Whether some goroutines are in none of the batches.
    pub(super) const fn is_truncated(&self) -> bool {
        !self.rest.is_empty()
    }
}

/// Ends after the last goroutine, or when the total size reaches the limit.
impl<'a> Iterator for Batches<'a> {
    type Item = &'a [Goroutine];

    fn next(&mut self) -> Option<&'a [Goroutine]> {
        let mut bytes = 0;
        let fits = |goroutine: &&Goroutine| {
            bytes += goroutine.used_stack(STACK_MAX).map_or(0, |(_, length)| length);
            bytes <= BATCH
        };
        let first = self.rest.iter().take(BATCH_GOROUTINES);
        let count = first.take_while(fits).count().max(1);
        let (batch, rest) = self.rest.split_at_checked(count)?;
        self.bytes_left = self.bytes_left.checked_sub(bytes.min(BATCH))?;
        self.rest = rest;
        Some(batch)
    }
}

/// Copies the used part of each stack, and returns whether all copies are consistent. If a
/// goroutine ran in the meantime, its whole stack is copied again, until it has not moved.
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
                Some(now) if copy.goroutine.is_unchanged(&now) => stacks.push(copy),
                Some(now) => missing.push(now.as_running()),
                // `runtime.g` is never freed, so the process has exited.
                None => {}
            }
        }
        if missing.is_empty() {
            return (stacks, true);
        }
    }
    (stacks, false)
}

/// Copies these stacks once, without a check that they are consistent.
pub(super) fn copy(memory: &dyn Memory, goroutines: &[Goroutine]) -> Vec<Stack> {
    let used: Vec<_> = goroutines
        .iter()
        .filter_map(|goroutine| Some((goroutine, goroutine.used_stack(STACK_MAX)?)))
        .collect();
    let ranges: Vec<_> = used.iter().map(|(_, range)| *range).collect();
    let read = memory.read(&ranges).into_iter().zip(used);
    // A stack that cannot be read has been freed, so the bounds of the goroutine have changed.
    read.map(|(bytes, (goroutine, (start, _)))| Stack {
        goroutine: *goroutine,
        start,
        bytes: bytes.unwrap_or_default(),
    })
    .collect()
}
