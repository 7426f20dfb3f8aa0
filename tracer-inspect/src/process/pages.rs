//! Copies of pages of a process's memory, so that pointers can be followed without a call for each.

use std::collections::HashMap;

use super::memory::{Memory, half_at, word_at};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Most pages that are kept: 64 MiB.
const PAGES_MAX: usize = 16_384;

/// The memory of a process as it was when each page was first looked at: pointers can be followed
/// one by one without a call for each.
pub struct Pages<'a> {
    memory: &'a dyn Memory,
    /// Where in `bytes` a page is.
    places: HashMap<u64, usize>,
    bytes: Vec<Option<Box<[u8]>>>,
    /// The page that was looked at last, and where it is: usually it is the next one, too.
    recent: Option<(u64, usize)>,
    /// How many were read, also those that are not kept any more.
    pub read: usize,
}

impl<'a> Pages<'a> {
    /// Nothing has been read yet.
    pub fn new(memory: &'a dyn Memory) -> Self {
        Self { memory, places: HashMap::new(), bytes: Vec::new(), recent: None, read: 0 }
    }

    /// Reads the pages at these addresses with as few calls as possible.
    pub fn prefetch(&mut self, addresses: impl IntoIterator<Item = u64>) {
        let mut missing: Vec<u64> = addresses
            .into_iter()
            .map(|address| address & !(PAGE - 1))
            .filter(|page| !self.places.contains_key(page))
            .collect();
        missing.sort_unstable();
        missing.dedup();
        missing.truncate(PAGES_MAX / 2);
        if self.places.len() + missing.len() > PAGES_MAX {
            self.places.clear();
            self.bytes.clear();
            self.recent = None;
        }
        self.read += missing.len();
        let ranges: Vec<_> = missing.iter().map(|&page| (page, as_usize(PAGE))).collect();
        self.places.extend(missing.into_iter().zip(self.bytes.len()..));
        self.bytes.extend(self.memory.read(&ranges));
    }

    /// The bytes from `address` to the end of its page.
    fn rest_of_page(&mut self, address: u64) -> Option<&[u8]> {
        let page = address & !(PAGE - 1);
        let place = match self.recent {
            Some((recent, place)) if recent == page => place,
            _ => {
                if !self.places.contains_key(&page) {
                    self.prefetch([page]);
                }
                *self.places.get(&page)?
            }
        };
        self.recent = Some((page, place));
        self.bytes.get(place)?.as_deref()?.get(as_usize(address - page)..)
    }

    /// Some bytes; `None` if not all of them can be read.
    pub fn bytes(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let next = address.checked_add(u64::try_from(bytes.len()).ok()?)?;
            let page = self.rest_of_page(next)?;
            bytes.extend_from_slice(page.get(..length - bytes.len()).unwrap_or(page));
        }
        Some(bytes)
    }

    /// A word of eight bytes; `None` also if it is not aligned, which Go's are.
    pub fn word(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) {
            return None;
        }
        word_at(self.rest_of_page(address)?, 0)
    }

    /// A half word.
    pub fn half(&mut self, address: u64) -> Option<u32> {
        half_at(&self.bytes(address, 4)?, 0)
    }
}

/// Addresses of this machine's processes fit; others are refused by the kernel.
fn as_usize(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::ProcessMemory;

    #[test]
    fn a_word_is_the_same_through_pages() {
        let words: Vec<u64> = (0..2000).collect();
        let address = words.as_ptr().expose_provenance() as u64;
        let memory = ProcessMemory::open(std::process::id(), address).unwrap();
        let mut pages = Pages::new(&memory);
        for index in 0..2000 {
            assert_eq!(pages.word(address + 8 * index), Some(index));
        }
        assert_eq!(pages.bytes(address, 16_000).unwrap()[8..16], 1_u64.to_le_bytes());
        assert_eq!((pages.word(address + 1), pages.word(0)), (None, None));
        assert_eq!(pages.bytes(u64::MAX - 3, 8), None);
    }
}
