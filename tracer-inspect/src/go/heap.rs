//! Who can still reach a response that `readLoop` waits for, by Go's heap.
//!
//! A response is dropped if nothing in the program but the machinery of its connection can reach it.
//! There are two ways to see it. Its body was collected: its memory is free, or was given to another
//! object. Or no live object, no global variable and no stack refers to the response, to its body or
//! to an object between them. Nothing else says so: if a part of the heap could not be read, the
//! layout is not known, or metadata were changing, the result is unknown.
//!
//! The program runs in the meantime. One that moves a response between a channel, a map and a stack
//! can move it from a part that has not been searched to one that has. So a response is dropped only
//! if several searches one after the other agree.

mod collected;
mod container;
mod family;
mod holder;
mod outside;
mod pass;
mod search;
mod specials;
mod targets;

use std::{collections::BTreeMap, thread, time::Duration};

use tracer_core::Reachability;

use super::{
    allocator::{metadata::Heap, roots::known},
    goroutine_scan::GoroutineScan,
    http_connection::Connection,
    layout::Layout,
    program::ScanInputs,
    read_loop::ReadLoop,
    target::Target,
};
use search::Search;

/// Number of searches that have to agree, if they are cheap and if they are not, and the number of
/// bytes searched by which they are cheap.
const SEARCHES_CHEAP: usize = 3;
const SEARCHES: usize = 2;
const CHEAP_BYTES: u64 = 256 << 20;
/// Time between two searches.
const PAUSE: Duration = Duration::from_millis(3);
/// The connections that wait for a response to be read, each with its number.
pub(super) type Waiting<'a> = [(usize, &'a Connection, &'a ReadLoop)];

/// Who can reach each response, by number. What is missing is unknown.
pub(super) fn find(
    target: Target<'_>,
    waiting: &Waiting,
    inputs: &mut ScanInputs,
    layout: &Layout,
    scan: &GoroutineScan,
) -> BTreeMap<usize, Reachability> {
    find_inner(target, waiting, inputs, layout, scan).unwrap_or_default()
}

fn find_inner(
    target: Target<'_>,
    waiting: &Waiting,
    inputs: &mut ScanInputs,
    layout: &Layout,
    scan: &GoroutineScan,
) -> Option<BTreeMap<usize, Reachability>> {
    let roots = inputs.heap?;
    let known = known(target, inputs.all_goroutines)?;
    let mut results: BTreeMap<usize, Reachability> = BTreeMap::new();
    let mut rest = waiting.to_vec();
    let (mut number, mut needed) = (0, SEARCHES_CHEAP);
    while number < needed && !rest.is_empty() {
        if number > 0 {
            thread::sleep(PAUSE);
        }
        let arenas = roots.arenas.wrapping_add(target.bias);
        let addresses = Heap::at(target.memory, &layout.heap, arenas, &known)?;
        let heap = Heap { memory: target.memory, layout: &layout.heap, addresses };
        let mut search = Search::new(target, heap, roots, layout, scan);
        let mut found = search.run(&rest, inputs);
        // What an earlier search said does not count if this one says nothing.
        results.extend(rest.iter().map(|it| (it.0, found.remove(&it.0).unwrap_or_default())));
        if search.bytes > CHEAP_BYTES {
            needed = SEARCHES;
        }
        let is_dropped = |number: &usize| results.get(number) == Some(&Reachability::Dropped);
        rest.retain(|(number, ..)| is_dropped(number));
        number += 1;
    }
    // Nothing is dropped by a search that was cut short.
    (!target.memory.budget().is_exceeded()).then_some(results)
}
