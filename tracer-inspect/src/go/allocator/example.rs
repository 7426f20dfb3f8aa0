//! A heap in memory made by a test.

use std::collections::BTreeSet;

use super::metadata::{ARENA, ARENA_PAGES, Heap, HeapAddresses, PAGE};
use crate::{
    go::layout::heap::{
        ARENA_INLINE_MARKS, HeapLayout, PointerMaps, SPAN, SPAN_FREE_INDEX, SPAN_PAGES, SPAN_START,
    },
    process::memory::fake::FakeMemory,
};

/// The only arena.
pub(in crate::go) const HEAP: u64 = 0xc0_0000_0000;
/// `mheap_.arenas`, the table of arenas, and the `heapArena`.
pub(in crate::go) const ARENAS: u64 = 0x60_0000;
const TABLE: u64 = 0x7000_0000_0000;
const HEAP_ARENA: u64 = 0x7100_0000_0000;
/// The `mspan`s, and their bits.
const SPANS: u64 = 0x7200_0000_0000;
const BITS: u64 = 0x7300_0000_0000;
/// `mheap_.sweepgen`.
pub(in crate::go) const GENERATION: u32 = 8;

/// The heap of a program built with Go 1.`minor`.
pub(in crate::go) struct ExampleHeap {
    pub(in crate::go) memory: FakeMemory,
    pub(in crate::go) layout: HeapLayout,
    spans: u64,
}

/// A span to add.
#[derive(Clone, Copy)]
pub(in crate::go) struct NewSpan {
    pub(in crate::go) element: u64,
    pub(in crate::go) free_index: u64,
    /// `mspan.sweepgen` minus that of the heap.
    pub(in crate::go) state: i32,
    pub(in crate::go) allocated: u64,
    pub(in crate::go) marked: u64,
    /// The words of each object that are pointers.
    pub(in crate::go) pointers: u64,
}

impl ExampleHeap {
    pub(in crate::go) fn new(minor: u32) -> Self {
        let layout = HeapLayout::of(minor);
        let mut memory = FakeMemory::default();
        memory.put(ARENAS, &[TABLE]);
        memory.put(ARENAS - layout.generation_distance(), &[GENERATION.into()]);
        memory.put(TABLE + 8 * ((HEAP + (1 << 47)) / ARENA), &[HEAP_ARENA]);
        let table = vec![0; usize::try_from(ARENA_PAGES).unwrap()];
        memory.put(HEAP_ARENA + layout.arena_spans, &table);
        memory.put(HEAP_ARENA + ARENA_INLINE_MARKS, &[0; 128]);
        let mut example = Self { memory, layout, spans: 0 };
        example.complete();
        example
    }

    /// Fills the pages that are used in part with zeros: memory is read by pages.
    fn complete(&mut self) {
        let pages: BTreeSet<u64> = self.memory.0.keys().map(|address| address & !0xfff).collect();
        for address in pages.into_iter().flat_map(|page| (page..page + 0x1000).step_by(8)) {
            self.memory.0.entry(address).or_insert(0);
        }
    }

    pub(in crate::go) fn heap(&self) -> Heap<'_> {
        let addresses = self.find(&[HEAP]).unwrap();
        Heap { memory: &self.memory, layout: &self.layout, addresses }
    }

    pub(in crate::go) fn find(&self, known: &[u64]) -> Option<HeapAddresses> {
        Heap::at(&self.memory, &self.layout, ARENAS, known)
    }

    /// Adds a span of one page after those before, and returns its address.
    pub(in crate::go) fn add(&mut self, new: NewSpan) -> u64 {
        let number = self.spans;
        self.spans += 1;
        let (start, count) = (HEAP + number * PAGE, PAGE / new.element);
        let (span, bits) = (SPANS + number * 256, BITS + number * 256);
        let mut bytes = vec![0; SPAN];
        let mut put = |offset: u64, value: u64, length: usize| {
            let offset = usize::try_from(offset).unwrap();
            bytes[offset..offset + length].copy_from_slice(&value.to_le_bytes()[..length]);
        };
        let layout = &self.layout;
        let index = if layout.has_short_indexes { 2 } else { 8 };
        put(SPAN_START, start, 8);
        put(SPAN_PAGES, 1, 8);
        put(SPAN_FREE_INDEX, new.free_index, index);
        put(layout.span_count, count, index);
        put(layout.span_allocated, bits, 8);
        put(layout.span_marked, bits + 128, 8);
        let generation = GENERATION.wrapping_add_signed(new.state);
        put(layout.span_generation, generation.into(), 4);
        put(layout.span_class, 2 * 7, 1);
        put(layout.span_state, 1, 1);
        put(layout.span_element, new.element, 8);
        put(layout.span_limit, start + count * new.element, 8);
        self.memory.put_bytes(span, &bytes);
        self.memory.put(HEAP_ARENA + self.layout.arena_spans + 8 * number, &[span]);
        self.memory.put(bits, &[new.allocated]);
        self.memory.put(bits + 128, &[new.marked]);
        self.memory.put(start, &[0; 1024]);
        self.put_pointers(start, new, count);
        self.complete();
        start
    }

    /// Stores the pointer map of a span of one page.
    fn put_pointers(&mut self, start: u64, new: NewSpan, count: u64) {
        let words = new.element / 8;
        let is_pointer = |word: u64| {
            let bit = u32::try_from(word % words).unwrap();
            word < count * words && new.pointers.checked_shr(bit).unwrap_or(0) & 1 == 1
        };
        let one_bit: Vec<u8> = (0..PAGE / 64)
            .map(|byte| (0..8).map(|bit| u8::from(is_pointer(8 * byte + bit)) << bit).sum())
            .collect();
        match self.layout.pointer_maps {
            PointerMaps::InSpan => self.memory.put_bytes(start + PAGE - PAGE / 64, &one_bit),
            PointerMaps::OneBit => {
                self.memory.put_bytes(HEAP_ARENA + start % ARENA / 64, &one_bit);
            }
            PointerMaps::TwoBits => {
                let last = new.pointers.ilog2();
                let is_scanned = |word: u64| word % words <= last.into();
                let two_bits: Vec<u8> = (0..PAGE / 32)
                    .map(|byte| {
                        let bits = |bit: u64| {
                            let word = 4 * byte + bit;
                            u8::from(is_pointer(word)) << bit
                                | u8::from(is_scanned(word)) << (bit + 4)
                        };
                        (0..4).map(bits).sum()
                    })
                    .collect();
                self.memory.put_bytes(HEAP_ARENA + start % ARENA / 32, &two_bits);
            }
        }
    }
}
