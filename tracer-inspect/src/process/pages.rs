//! A cache of pages of a process's memory, so that following a pointer needs no system call.

use std::collections::HashMap;

use super::memory::{Memory, u32_at, u64_at};
use crate::budget::{Budget, Reservation};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Maximum number of cached pages: 32 MiB.
const PAGES_MAX: usize = 8_192;
/// Number of pages that are cached even if the budget has no room for more.
const PAGES_MIN: usize = 64;
/// Bytes that a cached page takes, with its index.
const CACHED_PAGE: usize = 4096 + 128;

/// The memory of a process; each page has the content of when it was first read. Its size counts
/// against the budget of the memory, and so does every access.
pub struct Pages<'a> {
    memory: &'a dyn Memory,
    /// The room for pages, and its part of the budget.
    capacity: usize,
    reserved: Option<Reservation<'a>>,
    /// Index in `bytes` by the address of the page.
    indexes: HashMap<u64, usize>,
    /// The content of each page; `None` if it cannot be read.
    bytes: Vec<Option<Box<[u8]>>>,
    /// The address and index of the page that was used last, which is usually also the next one
    /// used.
    recent: Option<(u64, usize)>,
    /// Number of pages read so far, including those that are no longer cached.
    pub read: usize,
}

impl<'a> Pages<'a> {
    /// An empty cache.
    pub fn new(memory: &'a dyn Memory) -> Self {
        Self {
            memory,
            capacity: PAGES_MIN,
            reserved: memory.budget().try_reserve(0),
            indexes: HashMap::new(),
            bytes: Vec::new(),
            recent: None,
            read: 0,
        }
    }

    /// The budget of the memory.
    pub fn budget(&self) -> &'a Budget {
        self.memory.budget()
    }

    /// Frees the cached pages.
    pub fn clear(&mut self) {
        *self = Self { read: self.read, ..Self::new(self.memory) };
    }

    /// Makes room for a number of pages, or for as many as the budget has room for.
    fn reserve(&mut self, pages: usize) {
        let pages = pages.min(PAGES_MAX);
        if let Some(more) = pages.checked_sub(self.capacity)
            && let Some(reserved) = &mut self.reserved
            && reserved.grow(more.saturating_mul(CACHED_PAGE))
        {
            self.capacity = pages;
        }
    }

    /// Reads the pages of these addresses with as few system calls as possible.
    pub fn prefetch(&mut self, addresses: impl IntoIterator<Item = u64>) {
        let mut missing: Vec<u64> = addresses
            .into_iter()
            .map(|address| address & !(PAGE - 1))
            .filter(|page| !self.indexes.contains_key(page))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing.truncate(PAGES_MAX / 2);
        self.reserve(self.indexes.len() + missing.len());
        missing.truncate(self.capacity);
        if self.indexes.len() + missing.len() > self.capacity {
            self.indexes.clear();
            self.bytes.clear();
            self.recent = None;
        }
        self.read += missing.len();
        let ranges: Vec<_> = missing.iter().map(|&page| (page, as_usize(PAGE))).collect();
        self.indexes.extend(missing.into_iter().zip(self.bytes.len()..));
        self.bytes.extend(self.memory.read(&ranges));
    }

    /// The bytes from `address` to the end of its page.
    fn rest_of_page(&mut self, address: u64) -> Option<&[u8]> {
        self.budget().step(1)?;
        let page = address & !(PAGE - 1);
        let index = match self.recent {
            Some((recent, index)) if recent == page => index,
            _ => {
                if !self.indexes.contains_key(&page) {
                    self.prefetch([page]);
                }
                *self.indexes.get(&page)?
            }
        };
        self.recent = Some((page, index));
        self.bytes.get(index)?.as_deref()?.get(as_usize(address - page)..)
    }

    /// The bytes at an address; `None` if not all of them can be read.
    pub fn bytes(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        self.budget().step_bytes(length)?;
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let next = address.checked_add(u64::try_from(bytes.len()).ok()?)?;
            let page = self.rest_of_page(next)?;
            bytes.extend_from_slice(page.get(..length - bytes.len()).unwrap_or(page));
        }
        Some(bytes)
    }

    /// The 64-bit word at an address; `None` if it cannot be read or is not aligned. Go's words are
    /// aligned.
    pub fn word(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) {
            return None;
        }
        u64_at(self.rest_of_page(address)?, 0)
    }

    /// The 32-bit value at an address; `None` if it cannot be read.
    pub fn half(&mut self, address: u64) -> Option<u32> {
        u32_at(&self.bytes(address, 4)?, 0)
    }
}

/// Converts an address. One that does not fit saturates, and the kernel rejects it.
fn as_usize(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{budget::Allowance, process::memory::ProcessMemory};

    #[test]
    fn words_are_read_through_pages() {
        let words: Vec<u64> = (0..2000).collect();
        let address = words.as_ptr().expose_provenance() as u64;
        let budget = Budget::default();
        let memory = ProcessMemory::open(std::process::id(), address, &budget).unwrap();
        let mut pages = Pages::new(&memory);
        for index in 0..2000 {
            assert_eq!(pages.word(address + 8 * index), Some(index));
        }
        assert_eq!(pages.bytes(address, 16_000).unwrap()[8..16], 1_u64.to_le_bytes());
        assert_eq!((pages.word(address + 1), pages.word(0)), (None, None));
        assert_eq!(pages.bytes(u64::MAX - 3, 8), None);
    }

    #[test]
    fn the_cache_is_as_large_as_the_budget_allows() {
        let words = vec![1_u64; 512 * 2_000];
        let address = words.as_ptr().expose_provenance() as u64;
        let addresses = || (0..2_000).map(|page| address + page * PAGE);
        for (bytes_max, largest) in [(0, PAGES_MIN), (4 << 20, 1_100), (64 << 20, 2_001)] {
            let budget = Budget::new(Allowance { bytes_max, ..Allowance::default() });
            let memory = ProcessMemory::open(std::process::id(), address, &budget).unwrap();
            let mut pages = Pages::new(&memory);
            for some in addresses().collect::<Vec<_>>().chunks(100) {
                pages.prefetch(some.iter().copied());
                assert!(pages.indexes.len() <= largest.max(PAGES_MIN), "{bytes_max}");
            }
            assert!(addresses().all(|address| pages.word(address) == Some(1)), "{bytes_max}");
            assert!(!budget.is_exceeded(), "{bytes_max}");
            drop(pages);
            assert!(
                budget.spend_bytes(usize::try_from(bytes_max).unwrap()).is_some(),
                "{bytes_max}"
            );
        }
    }
}
