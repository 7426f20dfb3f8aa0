//! The metadata of Go's memory allocator (`runtime/mheap.go`): from an address to its span, and
//! whether the object there is allocated.
//!
//! The process changes all of it in the meantime. `startAddr`, `npages`, `elemsize` and `spanclass`
//! are constant while a span is in use. The state of one object consists of several fields, which
//! sweeping changes one after the other; so they are read twice, and two different readings are
//! no result.

use std::{thread, time::Duration};

use crate::go::layout::heap::{
    ARENA_INLINE_MARKS, HeapLayout, INLINE_MARKS, INLINE_MARKS_BITS, SPAN, SPAN_FREE_INDEX,
    SPAN_PAGES, SPAN_START,
};
use crate::process::{
    memory::{Memory, u32_at, u64_at},
    pages::Pages,
};

/// Bytes of a page of the allocator (`runtime.pageSize`).
pub(in crate::go) const PAGE: u64 = 8192;
/// Bytes of an arena (`heapArenaBytes`), and its number of pages.
pub(in crate::go) const ARENA: u64 = 64 << 20;
pub(in crate::go) const ARENA_PAGES: u64 = ARENA / PAGE;
/// Added to an address for the index of its arena: `arenaBaseOffset` on amd64.
const ARENA_BASE: u64 = 1 << 47;
/// Number of arenas on amd64 (`1 << arenaL2Bits`).
const ARENAS: u64 = 1 << 22;

/// Number of attempts to read the state of an object that is being swept.
const TRIES: usize = 5;
/// Time between those attempts.
const PAUSE: Duration = Duration::from_millis(2);
/// Where the metadata are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) struct HeapAddresses {
    /// The table of arenas: `mheap_.arenas[0]`.
    pub(in crate::go) arenas: u64,
    /// `mheap_.sweepgen`.
    pub(in crate::go) generation: u64,
}

/// The heap of a process.
#[derive(Clone, Copy)]
pub(in crate::go) struct Heap<'a> {
    pub(in crate::go) memory: &'a dyn Memory,
    pub(in crate::go) layout: &'a HeapLayout,
    pub(in crate::go) addresses: HeapAddresses,
}

/// `runtime.mspan`: pages with objects of one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) struct Span {
    pub(in crate::go) address: u64,
    pub(in crate::go) start: u64,
    pub(in crate::go) pages: u64,
    pub(in crate::go) free_index: u64,
    pub(in crate::go) count: u64,
    pub(in crate::go) allocated: u64,
    pub(in crate::go) marked: u64,
    pub(in crate::go) generation: u32,
    pub(in crate::go) class: u8,
    state: u8,
    /// The size of an object in bytes.
    pub(in crate::go) element: u64,
    limit: u64,
    pub(in crate::go) specials: u64,
}

/// The state of the memory of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::go) enum Slot {
    /// No object: it was freed, or nothing was allocated there.
    Free,
    /// The last collection did not reach it; it will be freed.
    Dead,
    /// The last collection reached it.
    Marked,
    /// It was allocated since the last collection.
    New,
    /// The metadata changed while they were read.
    Unknown,
}

impl Span {
    /// `mSpanInUse`.
    pub(in crate::go) const IN_USE: u8 = 1;

    /// The `mspan` with these bytes; `None` if they cannot be one.
    pub(in crate::go) fn parse(address: u64, bytes: &[u8], layout: &HeapLayout) -> Option<Self> {
        let word = |offset: u64| u64_at(bytes, usize::try_from(offset).ok()?);
        let byte = |offset: u64| bytes.get(usize::try_from(offset).ok()?).copied();
        let index = |offset: u64| {
            let value = word(offset)?;
            Some(if layout.has_short_indexes { value & 0xffff } else { value })
        };
        let span = Self {
            address,
            start: word(SPAN_START)?,
            pages: word(SPAN_PAGES)?,
            free_index: index(SPAN_FREE_INDEX)?,
            count: index(layout.span_count)?,
            allocated: word(layout.span_allocated)?,
            marked: word(layout.span_marked)?,
            generation: u32_at(bytes, usize::try_from(layout.span_generation).ok()?)?,
            class: byte(layout.span_class)?,
            state: byte(layout.span_state)?,
            element: word(layout.span_element)?,
            limit: word(layout.span_limit)?,
            specials: word(layout.span_specials)?,
        };
        let size = span.pages.checked_mul(PAGE)?;
        let is_sane = span.start.is_multiple_of(PAGE)
            && span.start.checked_add(size).is_some_and(|end| end <= ARENA_BASE)
            && span.element > 0
            && span.element.is_multiple_of(8)
            && span.count.checked_mul(span.element).is_some_and(|it| it <= size)
            && (span.start..=span.start + size).contains(&span.limit);
        is_sane.then_some(span)
    }

    pub(in crate::go) const fn is_in_use(&self) -> bool {
        self.state == Self::IN_USE
    }

    /// Whether its objects contain pointers.
    pub(in crate::go) const fn has_pointers(&self) -> bool {
        self.class & 1 == 0
    }

    /// Whether it is one large object.
    pub(in crate::go) const fn is_large(&self) -> bool {
        self.class >> 1 == 0
    }

    pub(in crate::go) const fn size(&self) -> u64 {
        self.pages * PAGE
    }

    pub(in crate::go) const fn contains(&self, address: u64) -> bool {
        self.start <= address && address < self.limit
    }

    /// The index of the object at an address in the span.
    pub(in crate::go) fn index(&self, address: u64) -> Option<u64> {
        let index = address.checked_sub(self.start)? / self.element;
        (index < self.count).then_some(index)
    }

    /// The start of the object at an address in the span.
    pub(in crate::go) fn object(&self, address: u64) -> Option<u64> {
        Some(self.start + self.index(address)? * self.element)
    }

    /// Whether another reading is of the same span, with the same state of its objects.
    fn is_same(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.address, it.start, it.generation, it.allocated, it.element);
        key(self) == key(other)
    }
}

impl Heap<'_> {
    /// The heap whose table of arenas is in the word at an address, if each of the `known` objects
    /// is in one of its spans.
    pub(in crate::go) fn at(
        memory: &dyn Memory,
        layout: &HeapLayout,
        arenas: u64,
        known: &[u64],
    ) -> Option<HeapAddresses> {
        let table = u64_at(&memory.read_one(arenas, 8)?, 0)?;
        let generation = arenas.checked_sub(layout.generation_distance())?;
        let addresses = HeapAddresses { arenas: table, generation };
        let heap = Heap { memory, layout, addresses };
        let now = heap.generation()?;
        let mut pages = Pages::new(memory);
        let is_known = |address: &u64| {
            let span = heap.span(*address, &mut pages)?;
            let state = span.generation.wrapping_sub(now).cast_signed();
            matches!(state, -2 | -1 | 0 | 1 | 3).then_some(())
        };
        let is_heap =
            now.is_multiple_of(2) && known.iter().filter_map(is_known).count() == known.len();
        (is_heap && !known.is_empty()).then_some(addresses)
    }

    /// `mheap_.sweepgen`, which grows by two with each collection.
    pub(in crate::go) fn generation(&self) -> Option<u32> {
        u32_at(&self.memory.read_one(self.addresses.generation, 4)?, 0)
    }

    /// The address of the entry of an arena in the table of arenas.
    pub(in crate::go) fn arena_entry(&self, address: u64) -> Option<u64> {
        let index = address.wrapping_add(ARENA_BASE) / ARENA;
        if index >= ARENAS {
            return None;
        }
        self.addresses.arenas.checked_add(8 * index)
    }

    /// The address of the `heapArena` of an address; `None` if there is none.
    pub(in crate::go) fn arena(&self, address: u64, pages: &mut Pages) -> Option<u64> {
        pages.word(self.arena_entry(address)?).filter(|it| *it != 0)
    }

    /// The span in use that contains an address, by what the cache has.
    pub(in crate::go) fn span(&self, address: u64, pages: &mut Pages) -> Option<Span> {
        let arena = self.arena(address, pages)?;
        let entry = arena.checked_add(self.layout.arena_spans)?;
        let entry = entry.checked_add(8 * (address / PAGE % ARENA_PAGES))?;
        let span = pages.word(entry).filter(|it| *it != 0)?;
        let span = Span::parse(span, &pages.bytes(span, SPAN)?, self.layout)?;
        (span.is_in_use() && span.contains(address)).then_some(span)
    }

    /// The span in use that contains an address, now.
    fn span_now(&self, address: u64) -> Option<Span> {
        self.span(address, &mut Pages::new(self.memory))
    }

    /// Whether the marks of a span are within it ("Green Tea", `mgcmark_greenteagc.go`).
    pub(in crate::go) fn has_inline_marks(&self, span: &Span, pages: &mut Pages) -> bool {
        if !self.layout.has_inline_marks || span.pages != 1 {
            return false;
        }
        let page = span.start / PAGE % ARENA_PAGES;
        let bit = |pages: &mut Pages| {
            let arena = self.arena(span.start, pages)?;
            let byte = arena.checked_add(ARENA_INLINE_MARKS)?.checked_add(page / 8)?;
            Some(pages.bytes(byte, 1)?.first()? >> (page % 8) & 1)
        };
        bit(pages) == Some(1)
    }

    fn bit(&self, start: u64, index: u64) -> Option<bool> {
        let byte = self.memory.read_one(start.checked_add(index / 8)?, 1)?;
        Some(byte.first()? >> (index % 8) & 1 == 1)
    }

    /// The state of the object at an address now, and its span.
    pub(in crate::go) fn slot(&self, address: u64) -> (Slot, Option<Span>) {
        for number in 0..TRIES {
            if number > 0 {
                thread::sleep(PAUSE);
            }
            let Some(before) = self.generation() else { break };
            let span = self.span_now(address);
            let slot = span.map_or(Some(Slot::Free), |it| self.slot_in(&it, address, before));
            let again = self.span_now(address);
            let is_same = match (&span, &again) {
                (Some(span), Some(again)) => span.is_same(again),
                (None, None) => true,
                _ => false,
            };
            if let Some(slot) = slot
                && is_same
                && self.generation() == Some(before)
                && !self.memory.budget().is_exceeded()
            {
                return (slot, span);
            }
        }
        (Slot::Unknown, None)
    }

    /// The state of the object at an address by its span; `None` if that is being swept, or if the
    /// bits cannot be read.
    pub(super) fn slot_in(&self, span: &Span, address: u64, generation: u32) -> Option<Slot> {
        let Some(index) = span.index(address) else { return Some(Slot::Free) };
        let is_allocated = self.bit(span.allocated, index)?;
        match span.generation.wrapping_sub(generation).cast_signed() {
            // Swept.
            0 | 3 => Some(match is_allocated {
                true => Slot::Marked,
                false if index >= span.free_index => Slot::Free,
                false => Slot::New,
            }),
            // Not swept yet: the marks of the last collection are final.
            -2 | 1 => {
                let inline = self.has_inline_marks(span, &mut Pages::new(self.memory));
                let marks = if inline {
                    (span.start + PAGE).checked_sub(INLINE_MARKS - INLINE_MARKS_BITS)?
                } else {
                    span.marked
                };
                Some(if self.bit(marks, index)? {
                    Slot::Marked
                } else if is_allocated || index < span.free_index {
                    Slot::Dead
                } else {
                    Slot::Free
                })
            }
            _ => None,
        }
    }
}
