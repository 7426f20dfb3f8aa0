//! What the stacks of all goroutines say, read without stopping them.

use std::collections::{BTreeMap, HashSet};

use tracer_core::{Goroutines, Limit};

use super::{
    all_goroutines,
    goroutine::{Goroutine, Stack},
    layout::Layout,
    poll::{PollDescriptor, Waiting},
    program::{Functions, Parts},
    read_loop::{self, ReadLoop, Role},
    stacks::{Batches, STACKS_MAX, stacks},
    target::Target,
};
use crate::process::pages::Pages;

/// Most goroutines that are looked at.
const GOROUTINES_MAX: u64 = 250_000;
/// More bytes than a `pollDesc` of any version has.
const POLL_DESCRIPTOR: u64 = 256;

/// What the stacks of all goroutines say.
#[derive(Default)]
pub(super) struct GoroutineScan {
    pub(super) read_loops: Vec<ReadLoop>,
    /// The goroutines of connections, by address and number: their stacks have responses that
    /// nobody else has.
    pub(super) of_connections: HashSet<(u64, u64)>,
    /// A goroutine that is about to run refers to this descriptor's books.
    pub(super) waking: Vec<usize>,
    counted: Goroutines,
    /// All goroutines were counted.
    is_counted: bool,
    /// Why not everything was scanned.
    pub(super) limits: Vec<Limit>,
}

/// Reads the stack of every goroutine.
pub(super) fn scan(
    target: Target<'_>,
    parts: &mut Parts,
    layout: &Layout,
    polls: &[Option<PollDescriptor>],
) -> GoroutineScan {
    let mut scan = GoroutineScan::default();
    let Some((goroutines, length)) = goroutines(target, parts.all_goroutines, layout) else {
        scan.limits.push(Limit::GoroutineListMoved);
        scan.waking = (0..polls.len()).collect();
        return scan;
    };
    if length > GOROUTINES_MAX {
        scan.limit(Limit::GoroutinesTruncated { scanned: GOROUTINES_MAX, total: length });
    }
    let mut pages = Pages::new(target.memory);
    let total = total(target.bias, &goroutines, parts.functions, &mut pages);
    scan.counted.total = total.unwrap_or(0);
    scan.is_counted = total.is_some() && goroutines.len() as u64 == length;
    let ready: BTreeMap<u64, usize> = (0..)
        .zip(polls)
        .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
        .filter(|(poll, _)| poll.waiting == Waiting::Ready)
        .map(|(poll, index)| (poll.address, index))
        .collect();

    let mut batches = Batches::of(&goroutines);
    for batch in batches.by_ref() {
        let (stacks, are_whole) = stacks(target.memory, batch, layout);
        scan.is_counted &= are_whole;
        for stack in stacks {
            scan.add(target.bias, &stack, parts.functions, &mut pages, &ready);
        }
    }
    if batches.are_cut() {
        scan.limit(Limit::StacksTruncated { scanned_bytes: STACKS_MAX as u64 });
    }
    scan
}

/// All goroutines, as far as they are looked at, and how many there are.
pub(super) fn goroutines(
    target: Target<'_>,
    list: u64,
    layout: &Layout,
) -> Option<(Vec<Goroutine>, u64)> {
    let list = list.wrapping_add(target.bias);
    let (start, length) = all_goroutines::list(target.memory, target.mappings, list)?;
    let count = length.min(GOROUTINES_MAX);
    let all = Goroutine::read_list(target.memory, layout, start, count);
    Some((all.into_iter().flatten().collect(), length))
}

/// How many there are by Go's own count, which leaves out the runtime's; `None` if of one it
/// cannot be told.
fn total(
    bias: u64,
    goroutines: &[Goroutine],
    functions: &mut Functions,
    pages: &mut Pages,
) -> Option<u64> {
    let alive = goroutines.iter().filter(|goroutine| goroutine.is_alive());
    let mut is_system = |start: u64| functions.is_system(pages, bias, start);
    alive.map(|goroutine| is_system(goroutine.function).map(|it| u64::from(!it))).sum()
}

impl GoroutineScan {
    /// Adds what a stack says.
    fn add(
        &mut self,
        bias: u64,
        stack: &Stack,
        functions: &mut Functions,
        pages: &mut Pages,
        ready: &BTreeMap<u64, usize>,
    ) {
        let goroutine = &stack.goroutine;
        if !goroutine.is_waiting() && !ready.is_empty() {
            let words = stack.words(stack.start, goroutine.stack.high);
            // Addresses of its parts count too.
            self.waking.extend(words.filter_map(|word| {
                let (address, index) = ready.range(..=word).next_back()?;
                (word - address < POLL_DESCRIPTOR).then_some(index)
            }));
        }
        let key = (goroutine.address, goroutine.id);
        match read_loop::role(stack, functions, pages, bias) {
            Role::ReadLoop(read_loop) => {
                self.counted.read_loops += 1;
                self.of_connections.insert(key);
                if goroutine.is_waiting() {
                    self.read_loops.push(read_loop);
                }
            }
            Role::BusyReadLoop => {
                self.counted.read_loops += 1;
                self.of_connections.insert(key);
            }
            Role::WriteLoop => {
                self.counted.write_loops += 1;
                self.of_connections.insert(key);
            }
            Role::Other => {}
        }
    }

    /// How many there are of what, if nothing was left out.
    pub(super) fn goroutines(&self) -> Option<Goroutines> {
        self.is_counted.then_some(self.counted)
    }

    /// Not everything was scanned.
    fn limit(&mut self, limit: Limit) {
        self.is_counted = false;
        self.limits.push(limit);
    }
}
