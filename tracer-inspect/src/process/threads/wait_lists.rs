//! The lists of file descriptors that poll(2) and select(2) wait for, read from the memory of the
//! process.

use std::io;

use rustix::io::Errno;
use tracer_core::Limit;

use crate::{
    budget::Budget,
    process::{access::attach_error, memory::ProcessMemory},
};

/// Maximum number of entries per list.
const ENTRIES_MAX: u32 = 65_536;
/// Maximum number of bytes read per inspection of a process.
const BYTES_MAX: usize = 4 << 20;

/// `POLLIN | POLLRDNORM`: data or a FIN.
const INPUT: u16 = 0x1 | 0x40;
/// Size of a `struct pollfd`.
const POLLED_SIZE: usize = 8;

/// Reads lists from the memory of a process, up to a total size.
pub(super) struct WaitLists<'a> {
    memory: ProcessMemory<'a>,
    bytes_left: usize,
    truncated: bool,
    /// Why the kernel refused to read the memory.
    refusal: Option<io::Error>,
}

impl<'a> WaitLists<'a> {
    /// # Errors
    /// `pid` does not fit into `pid_t`.
    pub(super) fn of(pid: u32, budget: &'a Budget) -> io::Result<Self> {
        let memory = ProcessMemory::of(pid, budget)?;
        Ok(Self { memory, bytes_left: BYTES_MAX, truncated: false, refusal: None })
    }

    /// Why a list, or a part of one, was not read; `None` if all were.
    pub(super) fn limit(&self) -> Option<Limit> {
        if let Some(error) = &self.refusal {
            return Some(Limit::MemoryUnreadable { error: attach_error(error) });
        }
        self.truncated.then_some(Limit::PolledFdsTruncated)
    }

    /// The file descriptors that an array of `count` `struct pollfd` polls for input; empty if the
    /// array cannot be read.
    pub(super) fn polled(&mut self, address: u64, count: u32) -> Vec<u32> {
        self.truncated |= count > ENTRIES_MAX;
        let entries = count.min(ENTRIES_MAX) as usize;
        polled(&self.read(address, entries * POLLED_SIZE))
    }

    /// The file descriptors below `count` in an `fd_set`; empty if the set cannot be read.
    pub(super) fn selected(&mut self, count: u32, address: u64) -> Vec<u32> {
        if address == 0 {
            return Vec::new();
        }
        self.truncated |= count > ENTRIES_MAX;
        let count = count.min(ENTRIES_MAX);
        selected(&self.read(address, count.div_ceil(u8::BITS) as usize), count)
    }

    /// Reads a list. Also empty if the call has returned and its list is no longer mapped.
    fn read(&mut self, address: u64, size: usize) -> Vec<u8> {
        if size > self.bytes_left {
            self.truncated = true;
            return Vec::new();
        }
        self.bytes_left -= size;
        let read = self.memory.try_read(address, size);
        self.keep_refusal(read)
    }

    fn keep_refusal(&mut self, read: io::Result<Vec<u8>>) -> Vec<u8> {
        read.unwrap_or_else(|error| {
            // The memory is no longer mapped, or the process has exited: the call has returned.
            let is_gone = matches!(Errno::from_io_error(&error), Some(Errno::FAULT | Errno::SRCH));
            if !is_gone {
                self.refusal = Some(error);
            }
            Vec::new()
        })
    }
}

/// The file descriptors in an array of `struct pollfd` that are polled for input.
pub fn polled(array: &[u8]) -> Vec<u32> {
    let (entries, _) = array.as_chunks::<POLLED_SIZE>();
    let entries = entries.iter().filter_map(|[a, b, c, d, events @ .., _, _]| {
        let is_input = u16::from_ne_bytes(*events) & INPUT != 0;
        // The kernel also ignores negative file descriptors.
        is_input.then(|| u32::try_from(i32::from_ne_bytes([*a, *b, *c, *d])).ok()).flatten()
    });
    entries.collect()
}

/// The file descriptors below `count` in an `fd_set`.
///
/// The set consists of machine words, and the bytes are in this order only on little-endian
/// machines, as all supported ones are.
pub fn selected(set: &[u8], count: u32) -> Vec<u32> {
    let bytes = (0..count).step_by(8).zip(set);
    let fds = bytes.flat_map(|(first, byte)| {
        (0..u8::BITS).filter(move |bit| byte & (1 << bit) != 0).map(move |bit| first + bit)
    });
    fds.filter(|fd| *fd < count).collect()
}

#[cfg(test)]
mod tests;
