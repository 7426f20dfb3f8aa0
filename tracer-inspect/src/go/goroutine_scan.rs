//! Scans the stacks of all goroutines, without stopping them, for the loops of HTTP client
//! connections.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tracer_core::{Goroutines, Limit};

use super::{
    all_goroutines,
    functions::Functions,
    goroutine::Goroutine,
    layout::Layout,
    poll::{PollDescriptor, Waiting},
    program::ScanInputs,
    read_loop::{self, ReadLoop, Role},
    stack::Stack,
    stacks::{Batches, STACKS_MAX, stacks},
    target::Target,
};
use crate::{budget::Reservation, process::pages::Pages};

/// Maximum number of goroutines scanned.
const GOROUTINES_MAX: u64 = 250_000;
/// Upper bound of the size of `runtime.pollDesc` in any version, in bytes.
const POLL_DESCRIPTOR: u64 = 256;

/// The result of the scan.
#[derive(Default)]
pub(super) struct GoroutineScan {
    pub(super) read_loops: Vec<ReadLoop>,
    /// The `readLoop` and `writeLoop` goroutines, by address and goroutine id. References from their
    /// stacks do not count as use of a response.
    pub(super) of_connections: HashSet<(u64, u64)>,
    /// Indexes of connections to whose `pollDesc` a goroutine that is not parked refers: it may be
    /// about to read.
    pub(super) waking: BTreeSet<usize>,
    counted: Goroutines,
    /// Whether all goroutines were counted.
    is_counted: bool,
    /// Why the scan is incomplete; empty if it is complete.
    pub(super) limits: Vec<Limit>,
}

/// Reads the stack of every goroutine.
pub(super) fn scan(
    target: Target<'_>,
    inputs: &mut ScanInputs,
    layout: &Layout,
    polls: &[Option<PollDescriptor>],
) -> GoroutineScan {
    let mut scan = GoroutineScan::default();
    let Some(listed) = goroutines(target, inputs.all_goroutines, layout) else {
        let limit = target.memory.budget().limit();
        scan.limits.push(limit.unwrap_or(Limit::GoroutineListMoved));
        scan.waking = (0..polls.len()).collect();
        return scan;
    };
    let Listed { goroutines, length, .. } = &listed;
    let length = *length;
    if length > GOROUTINES_MAX {
        scan.limit(Limit::GoroutinesTruncated { scanned: GOROUTINES_MAX, total: length });
    }
    let mut pages = Pages::new(target.memory);
    let total = total(target.bias, goroutines, inputs.functions, &mut pages);
    scan.counted.total = total.unwrap_or(0);
    scan.is_counted = total.is_some() && goroutines.len() as u64 == length;
    let ready: BTreeMap<u64, usize> = (0..)
        .zip(polls)
        .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
        .filter(|(poll, _)| poll.waiting == Waiting::Ready)
        .map(|(poll, index)| (poll.address, index))
        .collect();

    let mut batches = Batches::of(goroutines);
    for batch in batches.by_ref() {
        let (stacks, are_whole) = stacks(target.memory, batch, layout);
        scan.is_counted &= are_whole;
        for stack in stacks {
            let added = scan.add(target.bias, &stack, inputs.functions, &mut pages, &ready);
            if added.is_none() {
                scan.is_counted = false;
                return scan;
            }
        }
    }
    if batches.is_truncated() {
        scan.limit(Limit::StacksTruncated { scanned_bytes: STACKS_MAX as u64 });
    }
    scan
}

/// The goroutines in `runtime.allgs`.
pub(super) struct Listed<'a> {
    /// The goroutines that could be read, up to the limit.
    pub(super) goroutines: Vec<Goroutine>,
    /// The length of the list.
    pub(super) length: u64,
    _reservation: Reservation<'a>,
}

/// Reads the goroutines in `runtime.allgs`; `None` if that is not a list, or the budget is exceeded.
pub(super) fn goroutines<'a>(target: Target<'a>, list: u64, layout: &Layout) -> Option<Listed<'a>> {
    let list = list.wrapping_add(target.bias);
    let (start, length) = all_goroutines::list(target.memory, target.mappings, list)?;
    let count = length.min(GOROUTINES_MAX);
    let bytes = size_of::<Option<Goroutine>>().checked_mul(usize::try_from(count).ok()?)?;
    let reservation = target.memory.budget().reserve(bytes)?;
    let all = Goroutine::read_list(target.memory, layout, start, count);
    let goroutines = all.into_iter().flatten().collect();
    Some(Listed { goroutines, length, _reservation: reservation })
}

/// Number of goroutines as `runtime.NumGoroutine` counts them, without system goroutines; `None` if
/// it is unknown whether one of them is a system goroutine.
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
    /// Adds the stack of one goroutine; `None` if the budget is exceeded.
    fn add(
        &mut self,
        bias: u64,
        stack: &Stack,
        functions: &mut Functions,
        pages: &mut Pages,
        ready: &BTreeMap<u64, usize>,
    ) -> Option<()> {
        let budget = pages.budget();
        let goroutine = &stack.goroutine;
        if !goroutine.is_waiting() && !ready.is_empty() {
            budget.step(4 * u64::try_from(stack.bytes.len() / 8).ok()?)?;
            let words = stack.words(stack.start, goroutine.stack.high);
            // Pointers into a `pollDesc` also count.
            self.waking.extend(words.filter_map(|word| {
                let (address, index) = ready.range(..=word).next_back()?;
                (word - address < POLL_DESCRIPTOR).then_some(index)
            }));
        }
        let key = (goroutine.address, goroutine.id);
        let role = read_loop::role(stack, functions, pages, bias);
        match &role {
            Role::ReadLoop(read_loop) => budget.spend_bytes(read_loop.size())?,
            Role::BusyReadLoop | Role::WriteLoop => budget.spend_bytes(2 * size_of_val(&key))?,
            Role::Other => {}
        }
        match role {
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
        budget.step(1)
    }

    /// The counts, if the scan was complete.
    pub(super) fn goroutines(&self) -> Option<Goroutines> {
        self.is_counted.then_some(self.counted)
    }

    /// Records why the scan is incomplete.
    fn limit(&mut self, limit: Limit) {
        self.is_counted = false;
        self.limits.push(limit);
    }
}
