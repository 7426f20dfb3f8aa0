//! Finds goroutines whose stacks refer to a response.
//!
//! A goroutine may reference a response and be busy with other work for a long time, for example in
//! a proxy that writes to a slow client. In that case no goroutine is parked in a read, and
//! `readLoop` is waiting for the body as in a leak, although the body will be read later. Therefore
//! the stacks of all other goroutines are searched for the address of the response, of its body, or
//! of an object that has one of these among its first words.
//!
//! For a goroutine that is parked or in a system call, only the words that Go's garbage collector
//! would scan count; the other words of its stack are stale. For any other goroutine all words
//! count, so a stale word may make a response count as referenced; that is the safe error. If a
//! limit is reached, a response without a known reference may still be referenced.

use std::collections::HashSet;

use tracer_core::Reachability;

use super::{
    goroutine::Goroutine,
    goroutine_scan::{GoroutineScan, Listed, goroutines},
    http_connection::Connection,
    layout::{self, Layout},
    program::ScanInputs,
    responses::{BelongsTo, READ_TOGETHER, ResponseIndex, WORDS},
    stack::Stack,
    stacks::{Batches, stacks},
    target::Target,
};
use crate::process::{maps::Mappings, pages::Pages};

/// Maximum number of heap pages read per search: 4 GiB.
const PAGES_MAX: usize = 1 << 20;
/// Maximum number of deferred calls followed per goroutine.
const DEFERRED_MAX: usize = 64;
/// Maximum number of addresses in the set of those already searched.
const REMEMBERED_MAX: usize = 1 << 19;

/// The responses that are referenced.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// The numbers of the connections whose responses a goroutine references.
    pub(super) connections: HashSet<usize>,
    /// Whether the search was complete, so that no goroutine references the other responses.
    pub(super) is_complete: bool,
}

impl References {
    /// Whether a goroutine references the response of a connection.
    pub(super) fn reachability(&self, number: usize, connection: &Connection) -> Reachability {
        if self.connections.contains(&number) {
            Reachability::Held(None)
        } else if self.is_complete && connection.request.is_some() {
            Reachability::NotOnStack
        } else {
            // Without a request, a response may be referenced in ways that were not searched for.
            Reachability::Unknown
        }
    }
}

/// Searches the stacks of all goroutines except those of HTTP client connections.
pub(super) fn find(
    target: Target<'_>,
    responses: &ResponseIndex,
    inputs: &mut ScanInputs,
    layout: &Layout,
    scan: &GoroutineScan,
) -> References {
    let Some(mut listed) = goroutines(target, inputs.all_goroutines, layout) else {
        return References::default();
    };
    let Listed { goroutines: all, length, .. } = &mut listed;
    let mut is_complete = all.len() as u64 == *length;
    let budget = target.memory.budget();
    // The sorted ranges, and the sets of addresses.
    let size = all.len().saturating_mul(64).saturating_add(40 * REMEMBERED_MAX);
    let Some(_reservation) = budget.reserve(size) else {
        return References::default();
    };
    let (heap, mut code) = (Pages::new(target.memory), Pages::new(target.memory));
    let mut search = Search::new(responses, target.mappings, heap, all);
    all.retain(|it| !scan.of_connections.contains(&(it.address, it.id)));
    let mut batches = Batches::of(all);
    for batch in batches.by_ref() {
        let (copies, are_consistent) = stacks(target.memory, batch, layout);
        is_complete &= are_consistent;
        let functions = &mut *inputs.functions;
        let words = |stack: &Stack| functions.words_in_use(&mut code, target.bias, stack, &[]);
        if search.search_stacks(&copies, words).is_none() {
            is_complete = false;
            break;
        }
    }
    is_complete &= !batches.is_truncated() && !search.is_truncated && !budget.is_exceeded();
    References { connections: search.held, is_complete }
}

/// A search of stacks, of the objects that they refer to, and of the objects that those refer to.
struct Search<'a, 'memory> {
    responses: &'a ResponseIndex<'a>,
    mappings: &'a Mappings,
    pages: Pages<'memory>,
    /// Address ranges of stacks and of `runtime.g` structures, sorted. They are not objects to
    /// search: the stacks are searched anyway.
    skipped: Vec<(u64, u64)>,
    /// Objects to which a stack refers.
    searched: AddressSet,
    /// Objects to which those refer.
    checked: AddressSet,
    held: HashSet<usize>,
    /// Whether a stack was not copied completely.
    is_truncated: bool,
}

impl<'a, 'memory> Search<'a, 'memory> {
    fn new(
        responses: &'a ResponseIndex<'a>,
        mappings: &'a Mappings,
        pages: Pages<'memory>,
        goroutines: &[Goroutine],
    ) -> Self {
        let own = |it: &Goroutine| {
            [(it.stack.low, it.stack.high), (it.address, it.address.saturating_add(8))]
        };
        let mut skipped: Vec<_> = goroutines.iter().flat_map(own).collect();
        skipped.sort_unstable();
        let (searched, checked, held) = Default::default();
        let is_truncated = false;
        Self { responses, mappings, pages, skipped, searched, checked, held, is_truncated }
    }

    /// Searches stacks; `words` returns the words of each that count. `None` if the limit of pages
    /// was reached.
    fn search_stacks(
        &mut self,
        stacks: &[Stack],
        mut words: impl FnMut(&Stack) -> Vec<u64>,
    ) -> Option<()> {
        let mut addresses = Vec::new();
        for stack in stacks {
            let high = stack.goroutine.stack.high;
            self.is_truncated |= high - stack.start > stack.bytes.len() as u64;
            let own = stack.goroutine.stack.low..high;
            let is_wanted = |it: &u64| !own.contains(it) && self.mappings.is_heap(*it);
            addresses.extend(words(stack).into_iter().filter(is_wanted));
            addresses.extend(self.deferred(&stack.goroutine));
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses.retain(|it| self.is_wanted(*it) && self.searched.insert(*it));
        // The addresses are sorted, so adjacent objects are read together.
        for some in addresses.chunks(READ_TOGETHER) {
            if self.pages.read > PAGES_MAX || self.pages.budget().is_exceeded() {
                return None;
            }
            self.search_objects(some);
        }
        Some(())
    }

    /// The closures that a goroutine has deferred (`runtime._defer`).
    fn deferred(&mut self, goroutine: &Goroutine) -> Vec<u64> {
        let (mut next, mut functions) = (goroutine.deferred, Vec::new());
        for _ in 0..DEFERRED_MAX {
            let word = |pages: &mut Pages, offset| pages.word(next.checked_add(offset)?);
            if !self.mappings.is_heap(next) {
                break;
            }
            functions.extend(word(&mut self.pages, layout::DEFERRED_FUNCTION));
            let Some(link) = word(&mut self.pages, self.responses.layout.deferred_next) else {
                break;
            };
            next = link;
        }
        // `fn` is nil if it has been called, and may point into the program if it is not a closure.
        functions.retain(|it| self.mappings.is_heap(*it));
        functions
    }

    fn is_wanted(&self, address: u64) -> bool {
        let after = self.skipped.partition_point(|(low, _)| *low <= address);
        let before = after.checked_sub(1).and_then(|index| self.skipped.get(index));
        address.is_multiple_of(8) && before.is_none_or(|(_, high)| address >= *high)
    }

    /// Checks these objects and the objects that they refer to.
    fn search_objects(&mut self, addresses: &[u64]) {
        self.prefetch(addresses);
        let mut next = Vec::new();
        for &address in addresses {
            // An object of another response does not refer to the ones searched for.
            if self.check(address) {
                let words = (0..WORDS)
                    .map_while(|number| self.pages.word(address.checked_add(8 * number)?));
                next.extend(words.filter(|it| self.mappings.is_heap(*it)));
            }
        }
        next.sort_unstable();
        next.dedup();
        next.retain(|it| self.is_wanted(*it) && self.checked.insert(*it));
        self.prefetch(&next);
        for address in next {
            self.check(address);
        }
    }

    /// Reads these objects, and those that the interfaces of a response body would hold.
    fn prefetch(&mut self, addresses: &[u64]) {
        let mut layer = addresses.to_vec();
        for _ in 0..3 {
            self.pages.prefetch(layer.iter().copied());
            let inner = |address: u64| self.responses.interface(address, &mut self.pages);
            layer = layer.into_iter().filter_map(inner).collect();
        }
    }

    /// Records the response that an address leads to. Returns whether the object may also refer to
    /// a response in another way.
    fn check(&mut self, address: u64) -> bool {
        match self.responses.owner(address, &mut self.pages) {
            Some(BelongsTo::Connections(connections)) => {
                // Several objects can lead to the same list, so each copy of it is charged. If the
                // budget is exceeded, nothing is concluded from the scan.
                let steps = 4 * u64::try_from(connections.len()).unwrap_or(u64::MAX);
                if self.pages.budget().step(steps).is_some() {
                    self.held.extend(connections);
                }
            }
            Some(BelongsTo::Other) => return false,
            None => {}
        }
        true
    }
}

/// Addresses already searched. When the limit is reached, the set is cleared, which only costs
/// time.
#[derive(Debug, Default)]
struct AddressSet(HashSet<u64>);

impl AddressSet {
    /// Adds an address; `false` if it is in the set already.
    fn insert(&mut self, address: u64) -> bool {
        if self.0.len() >= REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.insert(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::{
        goroutine::StackBounds,
        responses::tests::{Example, GAP, HEAP, STACK, mappings},
    };

    /// A goroutine's stack with these words on it.
    fn stack(words: &[u64]) -> Stack {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let high = STACK + bytes.len() as u64;
        let goroutine = Goroutine {
            address: HEAP + 0x8,
            stack: StackBounds { low: STACK - 0x100, high },
            sp: STACK,
            pc: 1,
            bp: 0,
            status: layout::STATUS_WAITING,
            id: 1,
            function: 0,
            deferred: 0,
        };
        Stack { goroutine, start: STACK, bytes: bytes.into() }
    }

    fn all(stack: &Stack) -> Vec<u64> {
        stack.words(stack.start, stack.goroutine.stack.high).collect()
    }

    /// The responses referenced by stacks with these words.
    fn held(example: &Example, stacks: &[&[u64]]) -> Vec<usize> {
        let mappings = mappings();
        let responses = example.responses(&mappings);
        let stacks: Vec<Stack> = stacks.iter().map(|words| stack(words)).collect();
        let goroutines: Vec<_> = stacks.iter().map(|it| it.goroutine).collect();
        let pages = Pages::new(&example.memory);
        let mut search = Search::new(&responses, &mappings, pages, &goroutines);
        for stack in stacks {
            assert_eq!(search.search_stacks(&[stack], all), Some(()));
        }
        assert!(!search.is_truncated);
        let mut held: Vec<_> = search.held.into_iter().collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn references_from_stacks_and_from_objects_on_them_are_found() {
        let mut example = Example::new();
        let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
        let (boxed, far) = (HEAP + 0xe000, HEAP + 0xe800);
        example.memory.put(boxed, &[7, 8, 9, 10, 11, two.body]);
        example.memory.put(far, &[0, boxed]);
        assert_eq!(held(&example, &[&[1, one.request, HEAP + 0xf000, GAP, 3]]), [0; 0]);
        assert_eq!(held(&example, &[&[1, one.body]]), [0]);
        assert_eq!(held(&example, &[&[one.response], &[2, boxed]]), [0, 1]);
        assert_eq!(held(&example, &[&[far]]), [0; 0], "two objects away from the stack");
        // An object checked as the target of another is searched again when a stack refers to it.
        assert_eq!(held(&example, &[&[far], &[boxed]]), [1]);
    }

    #[test]
    fn goroutine_structures_and_stacks_are_not_searched_as_objects() {
        let mut example = Example::new();
        let one = example.exchange(0, 0);
        // In the `runtime.g` of the goroutine, and on its stack.
        example.memory.put(HEAP + 0x8, &[one.body]);
        example.memory.put(STACK, &[one.body]);
        assert_eq!(held(&example, &[&[HEAP + 0x8, STACK, STACK - 0x10]]), [0; 0]);
        example.memory.put(HEAP + 0x10, &[one.body]);
        assert_eq!(held(&example, &[&[HEAP + 0x10]]), [0]);
    }

    #[test]
    fn deferred_closures_are_searched() {
        for minor in [19, 23] {
            let mut example = Example::new();
            let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
            example.layout = Layout::of(minor);
            let (first, second, function) = (HEAP + 0xe000, HEAP + 0xe100, HEAP + 0xe200);
            example.memory.put(first + layout::DEFERRED_FUNCTION, &[HEAP + 0xe300]);
            example.memory.put(first + example.layout.deferred_next, &[second]);
            example.memory.put(second + layout::DEFERRED_FUNCTION, &[function]);
            // The list is a cycle.
            example.memory.put(second + example.layout.deferred_next, &[first]);
            example.memory.put(function, &[7, two.body]);
            let mappings = mappings();
            let responses = example.responses(&mappings);
            let mut search = Search::new(&responses, &mappings, Pages::new(&example.memory), &[]);
            let mut stack = stack(&[one.request]);
            stack.goroutine.deferred = first;
            search.search_stacks(&[stack], |_| Vec::new());
            assert_eq!(search.held, HashSet::from([1]), "1.{minor}");
        }
    }

    #[test]
    fn an_incomplete_search_is_reported() {
        let mut example = Example::new();
        let one = example.exchange(0, 0);
        let mappings = mappings();
        let responses = example.responses(&mappings);
        let new = || Search::new(&responses, &mappings, Pages::new(&example.memory), &[]);
        let mut complete = stack(&[1, one.body, 2]);
        let mut search = new();
        search.pages.read = PAGES_MAX + 1;
        assert_eq!(search.search_stacks(&[complete.clone()], all), None);

        complete.bytes = complete.bytes[..16].into();
        let mut search = new();
        assert_eq!(search.search_stacks(&[complete], all), Some(()));
        assert_eq!((search.is_truncated, search.held.len()), (true, 1), "what was copied counts");

        let mut search = new();
        assert_eq!(example.memory.1.step(u64::MAX), None);
        assert_eq!(search.search_stacks(&[stack(&[1, one.body, 2])], all), None);
        assert_eq!(search.held.len(), 0, "nothing is read once the budget is exceeded");
    }

    #[test]
    fn the_address_set_is_cleared_at_its_limit() {
        let mut set = AddressSet::default();
        assert!((0..REMEMBERED_MAX as u64).all(|address| set.insert(address)));
        assert!(set.insert(0));
        assert!(!set.insert(0));
        assert!(set.0.len() <= REMEMBERED_MAX);
    }
}
