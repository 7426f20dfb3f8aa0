//! Who may come back to a response: goroutines whose stack refers to it.
//!
//! A goroutine may have a response and be busy with something else for a long time, for example a
//! proxy that writes to a slow client. Then nobody is parked in a read and `readLoop` waits for
//! the body as in a leak, but it will be read one day. So every other goroutine's stack is searched
//! for addresses of the response, its body, or something that has one of these among its first
//! words.
//!
//! Of a goroutine that waits, be it in a system call, those words count that Go's garbage collector
//! would look at: what else is on a stack is left of calls that are over. Of any other goroutine all
//! do, which errs to the side of a response that is held and says less. Where a limit is hit, a
//! response of which nobody was found may still be held.

use std::collections::HashSet;

use tracer_core::Held;

use super::{
    goroutine::{Goroutine, Stack},
    goroutine_scan::{GoroutineScan, goroutines},
    http_connection::Connection,
    layout::{self, Layout},
    program::Parts,
    responses::{Lead, READ_TOGETHER, Responses, WORDS},
    stacks::{Batches, stacks},
    target::Target,
};
use crate::process::{maps::Mappings, pages::Pages};

/// Most pages that are read of what stacks refer to: 4 GiB.
const PAGES_MAX: usize = 1 << 20;
/// Most functions that a goroutine has deferred of which those are looked at.
const DEFERRED_MAX: usize = 64;
/// Most addresses that are remembered, so that they are not looked at again.
const REMEMBERED_MAX: usize = 1 << 20;

/// Which responses are held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    /// The numbers of the connections whose responses some goroutine refers to.
    pub(super) connections: HashSet<usize>,
    /// Everything was looked through, so nobody refers to the others.
    pub(super) is_whole: bool,
}

impl References {
    /// Whether somebody has the response of a connection.
    pub(super) fn held(&self, number: usize, connection: &Connection) -> Held {
        if self.connections.contains(&number) {
            Held::Somebody
        } else if self.is_whole && connection.request.is_some() {
            Held::Nobody
        } else {
            // One that is not known by its request could be held unseen.
            Held::Unknown
        }
    }
}

/// Looks through the stacks of all goroutines that are not those of a connection.
pub(super) fn find(
    target: Target<'_>,
    responses: &Responses,
    parts: &mut Parts,
    layout: &Layout,
    scan: &GoroutineScan,
) -> References {
    let Some((mut all, length)) = goroutines(target, parts.all_goroutines, layout) else {
        return References::default();
    };
    let mut is_whole = all.len() as u64 == length;
    let (heap, mut code) = (Pages::new(target.memory), Pages::new(target.memory));
    let mut search = Search::new(responses, target.mappings, heap, &all);
    all.retain(|it| !scan.of_connections.contains(&(it.address, it.id)));
    let mut batches = Batches::of(&all);
    for batch in batches.by_ref() {
        let (copies, are_whole) = stacks(target.memory, batch, layout);
        is_whole &= are_whole;
        let functions = &mut *parts.functions;
        let words = |stack: &Stack| functions.words_in_use(&mut code, target.bias, stack);
        if search.look_through(&copies, words).is_none() {
            is_whole = false;
            break;
        }
    }
    is_whole &= !batches.are_cut() && !search.is_cut;
    References { connections: search.held, is_whole }
}

/// A search through stacks and what they refer to, some at a time.
struct Search<'a, 'memory> {
    responses: &'a Responses<'a>,
    mappings: &'a Mappings,
    pages: Pages<'memory>,
    /// Stacks and goroutines, as ranges in their order: what is on those is looked at anyway.
    skipped: Vec<(u64, u64)>,
    looked_behind: Remembered,
    looked_at: Remembered,
    held: HashSet<usize>,
    /// Not all of some stack was there.
    is_cut: bool,
}

impl<'a, 'memory> Search<'a, 'memory> {
    fn new(
        responses: &'a Responses<'a>,
        mappings: &'a Mappings,
        pages: Pages<'memory>,
        goroutines: &[Goroutine],
    ) -> Self {
        let own = |it: &Goroutine| {
            [(it.stack.low, it.stack.high), (it.address, it.address.saturating_add(8))]
        };
        let mut skipped: Vec<_> = goroutines.iter().flat_map(own).collect();
        skipped.sort_unstable();
        let (looked_behind, looked_at, held) = Default::default();
        let is_cut = false;
        Self { responses, mappings, pages, skipped, looked_behind, looked_at, held, is_cut }
    }

    /// Looks through these, of each of which some words count; `None` if there has been too much
    /// to look at.
    fn look_through(
        &mut self,
        stacks: &[Stack],
        mut words: impl FnMut(&Stack) -> Vec<u64>,
    ) -> Option<()> {
        let mut addresses = Vec::new();
        for stack in stacks {
            let high = stack.goroutine.stack.high;
            self.is_cut |= high - stack.start > stack.bytes.len() as u64;
            let own = stack.goroutine.stack.low..high;
            let is_wanted = |it: &u64| !own.contains(it) && self.mappings.is_heap(*it);
            addresses.extend(words(stack).into_iter().filter(is_wanted));
            addresses.extend(self.deferred(&stack.goroutine));
        }
        addresses.sort_unstable();
        addresses.dedup();
        addresses.retain(|it| self.is_wanted(*it) && self.looked_behind.is_new(*it));
        // They are in order, so what lies together is read together.
        for some in addresses.chunks(READ_TOGETHER) {
            if self.pages.read > PAGES_MAX {
                return None;
            }
            self.look_behind(some);
        }
        Some(())
    }

    /// What a goroutine will call when functions end.
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
        // One that has been called, or is a method of the frame itself, is none.
        functions.retain(|it| self.mappings.is_heap(*it));
        functions
    }

    fn is_wanted(&self, address: u64) -> bool {
        let after = self.skipped.partition_point(|(low, _)| *low <= address);
        let before = after.checked_sub(1).and_then(|index| self.skipped.get(index));
        address.is_multiple_of(8) && before.is_none_or(|(_, high)| address >= *high)
    }

    /// Looks at what is at these addresses, and at what that refers to.
    fn look_behind(&mut self, addresses: &[u64]) {
        self.prefetch(addresses);
        let mut next = Vec::new();
        for &address in addresses {
            // What belongs to another response leads to no other.
            if self.look_at(address) {
                let words = (0..WORDS)
                    .map_while(|number| self.pages.word(address.checked_add(8 * number)?));
                next.extend(words.filter(|it| self.mappings.is_heap(*it)));
            }
        }
        next.sort_unstable();
        next.dedup();
        next.retain(|it| self.is_wanted(*it) && self.looked_at.is_new(*it));
        self.prefetch(&next);
        for address in next {
            self.look_at(address);
        }
    }

    /// Reads these and what would be behind the interfaces of a body.
    fn prefetch(&mut self, addresses: &[u64]) {
        let mut layer = addresses.to_vec();
        for _ in 0..3 {
            self.pages.prefetch(layer.iter().copied());
            let inner = |address: u64| self.responses.interface(address, &mut self.pages);
            layer = layer.into_iter().filter_map(inner).collect();
        }
    }

    /// Whether what is at this address may be around a response.
    fn look_at(&mut self, address: u64) -> bool {
        match self.responses.at(address, &mut self.pages) {
            Some(Lead::To(connections)) => self.held.extend(connections),
            Some(Lead::Elsewhere) => return false,
            None => {}
        }
        true
    }
}

/// Addresses that need not be looked at again. When there are too many they are forgotten, which
/// takes time and nothing else.
#[derive(Debug, Default)]
struct Remembered(HashSet<u64>);

impl Remembered {
    fn is_new(&mut self, address: u64) -> bool {
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

    /// Which responses are held by stacks with these words, all of which are looked through.
    fn held(example: &Example, stacks: &[&[u64]]) -> Vec<usize> {
        let mappings = mappings();
        let responses = example.responses(&mappings);
        let stacks: Vec<Stack> = stacks.iter().map(|words| stack(words)).collect();
        let goroutines: Vec<_> = stacks.iter().map(|it| it.goroutine).collect();
        let pages = Pages::new(&example.memory);
        let mut search = Search::new(&responses, &mappings, pages, &goroutines);
        for stack in stacks {
            assert_eq!(search.look_through(&[stack], all), Some(()));
        }
        assert!(!search.is_cut);
        let mut held: Vec<_> = search.held.into_iter().collect();
        held.sort_unstable();
        held
    }

    #[test]
    fn what_a_stack_or_something_on_it_refers_to_is_held() {
        let mut example = Example::new();
        let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
        let (boxed, far) = (HEAP + 0xe000, HEAP + 0xe800);
        example.memory.put(boxed, &[7, 8, 9, 10, 11, two.body]);
        example.memory.put(far, &[0, boxed]);
        assert_eq!(held(&example, &[&[1, one.request, HEAP + 0xf000, GAP, 3]]), [0; 0]);
        assert_eq!(held(&example, &[&[1, one.body]]), [0]);
        assert_eq!(held(&example, &[&[one.response], &[2, boxed]]), [0, 1]);
        assert_eq!(held(&example, &[&[far]]), [0; 0], "too far away");
        // What has been looked at as part of something is looked at again when it is on a stack.
        assert_eq!(held(&example, &[&[far], &[boxed]]), [1]);
    }

    #[test]
    fn other_goroutines_and_stacks_are_no_holders() {
        let mut example = Example::new();
        let one = example.exchange(0, 0);
        // It is this goroutine, and on this stack.
        example.memory.put(HEAP + 0x8, &[one.body]);
        example.memory.put(STACK, &[one.body]);
        assert_eq!(held(&example, &[&[HEAP + 0x8, STACK, STACK - 0x10]]), [0; 0]);
        example.memory.put(HEAP + 0x10, &[one.body]);
        assert_eq!(held(&example, &[&[HEAP + 0x10]]), [0]);
    }

    #[test]
    fn what_is_called_when_a_function_ends_may_close_a_response() {
        for minor in [19, 23] {
            let mut example = Example::new();
            let [one, two] = [0, 1].map(|number| example.exchange(number, 0));
            example.layout = Layout::of(minor);
            let (first, second, function) = (HEAP + 0xe000, HEAP + 0xe100, HEAP + 0xe200);
            example.memory.put(first + layout::DEFERRED_FUNCTION, &[HEAP + 0xe300]);
            example.memory.put(first + example.layout.deferred_next, &[second]);
            example.memory.put(second + layout::DEFERRED_FUNCTION, &[function]);
            // Around and around.
            example.memory.put(second + example.layout.deferred_next, &[first]);
            example.memory.put(function, &[7, two.body]);
            let mappings = mappings();
            let responses = example.responses(&mappings);
            let mut search = Search::new(&responses, &mappings, Pages::new(&example.memory), &[]);
            let mut stack = stack(&[one.request]);
            stack.goroutine.deferred = first;
            search.look_through(&[stack], |_| Vec::new());
            assert_eq!(search.held, HashSet::from([1]), "1.{minor}");
        }
    }

    #[test]
    fn what_was_not_looked_through_is_known() {
        let mut example = Example::new();
        let one = example.exchange(0, 0);
        let mappings = mappings();
        let responses = example.responses(&mappings);
        let new = || Search::new(&responses, &mappings, Pages::new(&example.memory), &[]);
        let mut whole = stack(&[1, one.body, 2]);
        let mut search = new();
        search.pages.read = PAGES_MAX + 1;
        assert_eq!(search.look_through(&[whole.clone()], all), None);

        whole.bytes = whole.bytes[..16].into();
        let mut search = new();
        assert_eq!(search.look_through(&[whole], all), Some(()));
        assert_eq!((search.is_cut, search.held.len()), (true, 1), "what is there counts");
    }

    #[test]
    fn what_is_forgotten_is_looked_at_again() {
        let mut remembered = Remembered::default();
        assert!((0..REMEMBERED_MAX as u64).all(|address| remembered.is_new(address)));
        assert!(remembered.is_new(0));
        assert!(!remembered.is_new(0));
        assert!(remembered.0.len() <= REMEMBERED_MAX);
    }
}
