//! One linear pass over the objects of the heap that contain pointers.
//!
//! The heap is read arena by arena, so memory is bounded. Only pages that are resident are read.
//! What an object is by now, whether it is allocated and whether the word is a pointer are checked
//! for the few words that match, after they were found.

use super::{
    super::allocator::metadata::{ARENA, ARENA_PAGES, Heap, Span},
    super::layout::heap::{HeapLayout, SPAN},
    targets::Targets,
};
use crate::process::{maps::Mappings, memory::Memory, pagemap::PageMap, pages::Pages};

/// Maximum number of arenas of a process: 1 TiB of heap.
const ARENAS_MAX: usize = 1 << 14;
/// Number of arenas after a mapping that are looked at, because the heap may have grown.
const ARENAS_AFTER: u64 = 2;
/// Bytes of a page of the table of arenas.
const TABLE_PAGE: u64 = 4096;
/// Bytes that are read at a time, and the longest single range of them.
const WINDOW: u64 = 256 << 10;
const RANGE: u64 = 256 << 10;
/// Maximum number of ranges that are read at a time.
const RANGES: usize = 512;
/// Number of `mspan`s read at a time.
const SPANS: usize = 2048;
/// Maximum number of matches in one window.
const MATCHES_MAX: usize = 1 << 16;

/// Access to the memory of a process, page by page.
#[derive(Clone, Copy)]
pub(in crate::go) struct Resident<'a> {
    pub(super) memory: &'a dyn Memory,
    /// Without one, pages that are absent are read as well, which makes the kernel map its page of
    /// zeros there.
    pub(super) page_map: Option<&'a PageMap>,
}

/// A word that may refer to an object of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Match {
    /// The address of the word.
    pub(super) place: u64,
    pub(super) word: u64,
}

/// Why a pass ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Something could not be read, or a limit was reached.
    Incomplete,
    /// No more matches are needed.
    Enough,
}

impl Resident<'_> {
    /// The parts of a range to read; an error if some of it is swapped out.
    fn parts(&self, start: u64, length: u64) -> Result<Vec<(u64, u64)>, Ended> {
        let Some(map) = self.page_map else { return Ok(vec![(start, length)]) };
        let resident = map.resident(start, length).map_err(|_| Ended::Incomplete)?;
        if resident.has_swapped { Err(Ended::Incomplete) } else { Ok(resident.parts) }
    }

    /// Finds the words in a range that may be in `targets`, and reports them with their window.
    ///
    /// # Errors
    /// The range cannot be read, or `found` ends the pass.
    pub(super) fn search(
        &self,
        ranges: impl Iterator<Item = (u64, u64)>,
        targets: &Targets,
        mut found: impl FnMut(&[Match]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let (mut window, mut size) = (Vec::new(), 0);
        for (start, length) in ranges {
            let mut offset = 0;
            while offset < length {
                let part = (length - offset).min(RANGE);
                for (start, length) in self.parts(start + offset, part)? {
                    if size + length > WINDOW || window.len() >= RANGES {
                        self.search_window(&window, targets, &mut found)?;
                        window.clear();
                        size = 0;
                    }
                    window.push((start, usize::try_from(length).unwrap_or(0)));
                    size += length;
                }
                offset += part;
            }
        }
        self.search_window(&window, targets, &mut found)
    }

    fn search_window(
        &self,
        window: &[(u64, usize)],
        targets: &Targets,
        found: &mut impl FnMut(&[Match]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let mut matches = Vec::new();
        for (bytes, (start, length)) in self.memory.read(window).into_iter().zip(window) {
            let bytes = bytes.ok_or(Ended::Incomplete)?;
            // A word takes a fraction of a nanosecond.
            self.memory.budget().step_bytes(length / 4).ok_or(Ended::Incomplete)?;
            let (words, _) = bytes.as_chunks();
            for (number, word) in (0..).zip(words) {
                let word = u64::from_le_bytes(*word);
                if targets.may_contain(word) {
                    if matches.len() >= MATCHES_MAX {
                        return Err(Ended::Incomplete);
                    }
                    matches.push(Match { place: start + 8 * number, word });
                }
            }
        }
        matches.retain(|it| targets.owners(it.word).is_some());
        if matches.is_empty() { Ok(()) } else { found(&matches) }
    }
}

/// The addresses at which the arenas of a process may begin.
///
/// # Errors
/// There are too many, or they cannot be read.
pub(super) fn arenas(
    heap: &Heap,
    mappings: &Mappings,
    resident: &Resident,
    pages: &mut Pages,
) -> Result<Vec<u64>, Ended> {
    let mut all: Vec<u64> = Vec::new();
    // The table of arenas is large and sparse: the last page of it, and whether it is in memory.
    let mut last_page = None;
    let mut next = 0;
    for mapping in mappings.iter().filter(|mapping| mappings.is_heap(mapping.start)) {
        let first = next.max(mapping.start / ARENA);
        let last = (mapping.end.saturating_sub(1) / ARENA).saturating_add(ARENAS_AFTER);
        next = last.saturating_add(1);
        for number in first..=last {
            pages.budget().step(1).ok_or(Ended::Incomplete)?;
            let address = number.checked_mul(ARENA).ok_or(Ended::Incomplete)?;
            let Some(entry) = heap.arena_entry(address) else { break };
            let page = entry & !(TABLE_PAGE - 1);
            let is_resident = match last_page {
                Some((last, is_resident)) if last == page => is_resident,
                _ => !resident.parts(page, TABLE_PAGE)?.is_empty(),
            };
            last_page = Some((page, is_resident));
            if is_resident && heap.arena(address, pages).is_some() {
                all.push(address);
                if all.len() > ARENAS_MAX {
                    return Err(Ended::Incomplete);
                }
            }
        }
    }
    Ok(all)
}

/// The spans in use of an arena that begin in it, by address.
///
/// # Errors
/// The metadata cannot be read or are invalid.
pub(super) fn spans(heap: &Heap, address: u64, pages: &mut Pages) -> Result<Vec<Span>, Ended> {
    let Some(arena) = heap.arena(address, pages) else { return Ok(Vec::new()) };
    let table = arena.checked_add(heap.layout.arena_spans).ok_or(Ended::Incomplete)?;
    let length = usize::try_from(8 * ARENA_PAGES).map_err(|_| Ended::Incomplete)?;
    let table = heap.memory.read_one(table, length).ok_or(Ended::Incomplete)?;
    let (words, _) = table.as_chunks();
    let mut addresses: Vec<u64> = words.iter().map(|word| u64::from_le_bytes(*word)).collect();
    addresses.retain(|it| *it != 0);
    addresses.dedup();
    let mut all = Vec::new();
    for some in addresses.chunks(SPANS) {
        let ranges: Vec<_> = some.iter().map(|address| (*address, SPAN)).collect();
        for (bytes, address) in heap.memory.read(&ranges).into_iter().zip(some) {
            let bytes = bytes.ok_or(Ended::Incomplete)?;
            all.extend(in_use(*address, &bytes, heap.layout)?);
        }
    }
    all.retain(|span| span.start / ARENA == address / ARENA);
    // An `mspan` that was freed and allocated again in the meantime may be in the table twice.
    all.sort_unstable_by_key(|span| span.start);
    all.dedup_by_key(|span| span.start);
    Ok(all)
}

/// The span with these bytes; the inner `None`: it is not in use.
fn in_use(address: u64, bytes: &[u8], layout: &HeapLayout) -> Result<Option<Span>, Ended> {
    let state = usize::try_from(layout.span_state).ok().and_then(|it| bytes.get(it));
    if *state.ok_or(Ended::Incomplete)? != Span::IN_USE {
        return Ok(None);
    }
    Span::parse(address, bytes, layout).map(Some).ok_or(Ended::Incomplete)
}

/// The span of each match, which is in one of these.
pub(super) fn span_at(spans: &[Span], place: u64) -> Option<&Span> {
    let after = spans.partition_point(|span| span.start <= place);
    spans.get(after.checked_sub(1)?).filter(|span| span.contains(place))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{budget::Budget, process::memory::fake::FakeMemory};

    const HEAP: u64 = 0xc000_0000_0000;

    /// The places of words that refer to `HEAP..HEAP + 64`.
    fn places(memory: &FakeMemory, ranges: &[(u64, u64)]) -> Result<Vec<u64>, Ended> {
        let objects = BTreeMap::from([(HEAP, HEAP + 64)]);
        let budget = Budget::default();
        let targets = Targets::of([(0, &objects)].into_iter(), &budget).unwrap();
        let resident = Resident { memory, page_map: None };
        let mut places = Vec::new();
        let ended = resident.search(ranges.iter().copied(), &targets, |matches| {
            places.extend(matches.iter().map(|it| it.place));
            if places.len() > 3 { Err(Ended::Enough) } else { Ok(()) }
        });
        ended.map(|()| places)
    }

    #[test]
    fn references_are_found_across_windows() {
        let mut memory = FakeMemory::default();
        memory.put(0x10_0000, &vec![HEAP + 64; 2 * 256 * 128 + 5]);
        let last = 0x10_0000 + 8 * (2 * 256 * 128 + 4);
        for place in [0x10_0000, 0x10_0000 + (256 << 10) - 8, last] {
            memory.put(place, &[HEAP + 56]);
        }
        let found = places(&memory, &[(0x10_0000, 0x10), (0x10_0010, last + 8 - 0x10_0010)]);
        assert_eq!(found, Ok(vec![0x10_0000, 0x10_0000 + (256 << 10) - 8, last]));
        memory.put(0x10_0100, &[HEAP, HEAP]);
        assert_eq!(places(&memory, &[(0x10_0000, 1 << 18)]), Err(Ended::Enough));
    }

    #[test]
    fn memory_that_cannot_be_read_makes_a_search_incomplete() {
        let mut memory = FakeMemory::default();
        memory.put(0x10_0000, &[0; 16]);
        assert_eq!(places(&memory, &[(0x10_0000, 128)]), Ok(Vec::new()));
        assert_eq!(places(&memory, &[(0x10_0000, 136)]), Err(Ended::Incomplete));
        assert_eq!(places(&memory, &[(0x20_0000, 8)]), Err(Ended::Incomplete));
    }
}
