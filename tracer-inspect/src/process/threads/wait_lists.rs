//! The lists of descriptors that a blocked call waits for, from the memory of its process.

use std::io;

use crate::process::memory::{Memory as _, ProcessMemory};

/// Most entries of one list.
const ENTRIES_MAX: u32 = 65_536;
/// Most bytes read in one look.
const BYTES_MAX: usize = 4 << 20;

/// `POLLIN` and `POLLRDNORM`: data and the end of the stream.
const INPUT: u16 = 0x1 | 0x40;
/// Size of a `struct pollfd`.
const POLLED_SIZE: usize = 8;

/// The lists in the memory of a process, of which only so much is read.
pub(super) struct WaitLists {
    memory: ProcessMemory,
    left: usize,
    spent: bool,
}

impl WaitLists {
    /// # Errors
    /// The number is not a pid.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        Ok(Self { memory: ProcessMemory::of(pid)?, left: BYTES_MAX, spent: false })
    }

    /// Something was not read because it is too much.
    pub(super) const fn is_spent(&self) -> bool {
        self.spent
    }

    /// The descriptors that an array of `count` `struct pollfd` waits to read; none if the array
    /// cannot be read.
    pub(super) fn polled(&mut self, address: u64, count: u32) -> Vec<u32> {
        self.spent |= count > ENTRIES_MAX;
        let entries = count.min(ENTRIES_MAX) as usize;
        polled(&self.read(address, entries * POLLED_SIZE))
    }

    /// The descriptors in an `fd_set` of which `count` bits count; none if it cannot be read.
    pub(super) fn selected(&mut self, count: u32, address: u64) -> Vec<u32> {
        if address == 0 {
            return Vec::new();
        }
        self.spent |= count > ENTRIES_MAX;
        let count = count.min(ENTRIES_MAX);
        selected(&self.read(address, count.div_ceil(u8::BITS) as usize), count)
    }

    /// Empty also if the call has ended meanwhile, and with it the list.
    fn read(&mut self, address: u64, size: usize) -> Vec<u8> {
        if size > self.left {
            self.spent = true;
            return Vec::new();
        }
        self.left -= size;
        self.memory.read_one(address, size).map(Vec::from).unwrap_or_default()
    }
}

/// The descriptors in an array of `struct pollfd` that are polled for input.
pub fn polled(array: &[u8]) -> Vec<u32> {
    let (entries, _) = array.as_chunks::<POLLED_SIZE>();
    let entries = entries.iter().filter_map(|[a, b, c, d, events @ .., _, _]| {
        let is_input = u16::from_ne_bytes(*events) & INPUT != 0;
        // A negative one is left out by the kernel too.
        is_input.then(|| u32::try_from(i32::from_ne_bytes([*a, *b, *c, *d])).ok()).flatten()
    });
    entries.collect()
}

/// The descriptors below `count` in an `fd_set`.
///
/// The set is of machine words, which on the machines that are supported are little-endian.
pub fn selected(set: &[u8], count: u32) -> Vec<u32> {
    let bytes = (0..count).step_by(8).zip(set);
    let fds = bytes.flat_map(|(first, byte)| {
        (0..u8::BITS).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| first + bit)
    });
    fds.filter(|fd| *fd < count).collect()
}

#[cfg(test)]
mod tests;
