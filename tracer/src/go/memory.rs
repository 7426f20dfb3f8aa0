//! Reading the memory of another process, without stopping it.

use std::{
    collections::HashMap,
    io::{self, IoSliceMut},
};

/// Something with addresses to read from: a process, or a test's own.
pub(crate) trait Memory {
    /// The bytes of each range of an address and a length, in order; `None` for a range of which
    /// not every byte could be read.
    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>>;

    /// One range.
    fn read_one(&self, address: u64, length: usize) -> Option<Box<[u8]>> {
        self.read(&[(address, length)]).pop().flatten()
    }
}

/// The memory of a process, through `process_vm_readv`.
pub(crate) struct ProcessMemory {
    pid: libc::pid_t,
}

/// Most ranges of one call: half of the kernel's `UIO_MAXIOV`.
const RANGES_PER_CALL: usize = 512;
/// Most bytes of one call.
const BYTES_PER_CALL: usize = 4 << 20;

impl ProcessMemory {
    /// # Errors
    /// The process does not let itself be read at this address, which it has.
    pub(crate) fn open(pid: u32, address: u64) -> io::Result<Self> {
        let pid = libc::pid_t::try_from(pid).map_err(io::Error::other)?;
        let memory = Self { pid };
        let mut buffer = [0; 8];
        memory.call(&mut buffer, &[remote(address, 8)])?;
        Ok(memory)
    }

    /// How many bytes of the ranges, one after the other, were copied.
    fn call(&self, buffer: &mut [u8], ranges: &[libc::iovec]) -> io::Result<usize> {
        let local = IoSliceMut::new(buffer);
        let count = libc::c_ulong::try_from(ranges.len()).map_err(io::Error::other)?;
        // SAFETY: `IoSliceMut` has the layout of an `iovec` that covers `buffer`, the only memory
        // that is written to and ours alone until the call returns; `ranges` has `count` elements,
        // whose addresses are only meant in the other process.
        let read = unsafe {
            libc::process_vm_readv(
                self.pid,
                (&raw const local).cast(),
                1,
                ranges.as_ptr(),
                count,
                0,
            )
        };
        usize::try_from(read).map_err(|_| io::Error::last_os_error())
    }
}

fn remote(address: u64, length: usize) -> libc::iovec {
    libc::iovec { iov_base: std::ptr::without_provenance_mut(as_usize(address)), iov_len: length }
}

/// Addresses of this machine's processes fit; others are refused by the kernel.
fn as_usize(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

impl Memory for ProcessMemory {
    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let mut all = Vec::with_capacity(ranges.len());
        let mut buffer = Vec::new();
        while let Some(rest) = ranges.get(all.len()..).filter(|rest| !rest.is_empty()) {
            let mut bytes = 0;
            let fitting = rest.iter().take(RANGES_PER_CALL).take_while(|(_, length)| {
                let fits = bytes == 0 || bytes + length <= BYTES_PER_CALL;
                bytes += length;
                fits
            });
            let batch: Vec<_> = fitting.map(|&(start, length)| remote(start, length)).collect();
            buffer.resize(batch.iter().map(|range| range.iov_len).sum(), 0);
            // The kernel stops at the first range that it cannot read, so that one is given up
            // and the rest is asked for again.
            let copied = self.call(&mut buffer, &batch).unwrap_or(0);
            let mut copied = buffer.get(..copied).unwrap_or_default();
            for range in &batch {
                let Some((own, others)) = copied.split_at_checked(range.iov_len) else {
                    all.push(None);
                    break;
                };
                all.push(Some(own.into()));
                copied = others;
            }
        }
        all
    }
}

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Most pages that are kept: 64 MiB.
const PAGES_MAX: usize = 16_384;

/// The memory of a process as it was when each page was first looked at: pointers can be followed
/// one by one without a call for each.
pub(super) struct Pages<'a> {
    memory: &'a dyn Memory,
    /// Where in `bytes` a page is.
    places: HashMap<u64, usize>,
    bytes: Vec<Option<Box<[u8]>>>,
    /// The page that was looked at last, and where it is: usually it is the next one, too.
    recent: Option<(u64, usize)>,
    /// How many were read, also those that are not kept any more.
    pub(super) read: usize,
}

impl<'a> Pages<'a> {
    pub(super) fn new(memory: &'a dyn Memory) -> Self {
        Self { memory, places: HashMap::new(), bytes: Vec::new(), recent: None, read: 0 }
    }

    /// Reads the pages at these addresses with as few calls as possible.
    pub(super) fn prefetch(&mut self, addresses: impl IntoIterator<Item = u64>) {
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
    pub(super) fn bytes(&mut self, address: u64, length: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let next = address.checked_add(u64::try_from(bytes.len()).ok()?)?;
            let page = self.rest_of_page(next)?;
            bytes.extend_from_slice(page.get(..length - bytes.len()).unwrap_or(page));
        }
        Some(bytes)
    }

    /// A word of eight bytes; `None` also if it is not aligned, which Go's are.
    pub(super) fn word(&mut self, address: u64) -> Option<u64> {
        if !address.is_multiple_of(8) {
            return None;
        }
        word_at(self.rest_of_page(address)?, 0)
    }

    /// A half word.
    pub(super) fn half(&mut self, address: u64) -> Option<u32> {
        half_at(&self.bytes(address, 4)?, 0)
    }
}

/// The word at an offset in bytes.
pub(super) fn word_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The half word at an offset in bytes.
pub(super) fn half_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// A process that a test makes up.
#[cfg(test)]
pub(crate) mod fake {
    use std::collections::BTreeMap;

    use super::Memory;

    /// Words by address. Any range of which every word is there can be read.
    #[derive(Default)]
    pub(crate) struct FakeMemory(pub(crate) BTreeMap<u64, u64>);

    impl FakeMemory {
        /// Words one after the other.
        pub(crate) fn put(&mut self, address: u64, words: &[u64]) {
            self.0.extend((address..).step_by(8).zip(words.iter().copied()));
        }

        /// Bytes, filled up with zeros to whole words.
        pub(crate) fn put_bytes(&mut self, address: u64, bytes: &[u8]) {
            for (address, bytes) in (address..).step_by(8).zip(bytes.chunks(8)) {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                self.0.insert(address, u64::from_le_bytes(word));
            }
        }
    }

    impl Memory for FakeMemory {
        fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
            let byte = |address: u64| {
                let bytes = self.0.get(&(address & !7))?.to_le_bytes();
                Some(bytes[usize::try_from(address & 7).unwrap()])
            };
            let read = |&(address, length): &(u64, usize)| {
                (0..length as u64).map(|offset| byte(address.checked_add(offset)?)).collect()
            };
            ranges.iter().map(read).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_does_not_take_along_what_can() {
        let here: u64 = 0x1234_5678_9abc_def0;
        let address = (&raw const here).expose_provenance() as u64;
        let memory = ProcessMemory::open(std::process::id(), address).unwrap();
        let read = memory.read(&[(8, 8), (address, 8), (16, 8), (0, 4096), (address + 4, 4)]);
        let words: Vec<_> = read.iter().map(|it| it.as_deref().map(<[u8]>::len)).collect();
        assert_eq!(words, [None, Some(8), None, None, Some(4)]);
        assert_eq!(word_at(read[1].as_deref().unwrap(), 0), Some(here));
    }

    #[test]
    fn large_reads_take_several_calls() {
        let many = vec![7_u8; BYTES_PER_CALL + 100];
        let address = many.as_ptr().expose_provenance() as u64;
        let memory = ProcessMemory::open(std::process::id(), address).unwrap();
        let half = BYTES_PER_CALL / 2 + 50;
        let read = memory.read(&[(address, half), (address + half as u64, half), (address, 10)]);
        assert!(read.iter().all(Option::is_some));
        let ranges: Vec<_> = (0..2000).map(|offset| (address + offset, 1)).collect();
        assert_eq!(memory.read(&ranges).iter().flatten().count(), 2000);
    }

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
