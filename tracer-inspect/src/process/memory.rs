//! Reads the memory of another process without stopping it.

use std::io::{self, IoSliceMut};

use crate::budget::Budget;

/// An address space that can be read: the memory of a process, or of a test.
pub trait Memory {
    /// The budget to which reads from this address space are charged.
    fn budget(&self) -> &Budget;

    /// Reads ranges of (address, length in bytes). The results are in the order of the ranges;
    /// `None` if not every byte could be read.
    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>>;

    /// Reads one range.
    fn read_one(&self, address: u64, length: usize) -> Option<Box<[u8]>> {
        self.read(&[(address, length)]).pop().flatten()
    }
}

/// The memory of a process, read with `process_vm_readv`. Once the budget is exceeded, nothing can be
/// read.
pub struct ProcessMemory<'a> {
    pid: libc::pid_t,
    budget: &'a Budget,
}

/// Maximum number of ranges per call: half of the kernel's `UIO_MAXIOV`.
const RANGES_PER_CALL: usize = 512;
/// Maximum number of bytes per call, unless a single range is longer.
const BYTES_PER_CALL: usize = 4 << 20;
/// Maximum length of a range in bytes.
const RANGE_MAX: usize = 64 << 20;
/// Steps of the budget for each range, in addition to those for its bytes.
const RANGE_STEPS: u64 = 64;

impl<'a> ProcessMemory<'a> {
    /// The memory of a process, without a check that it can be read.
    ///
    /// # Errors
    /// `pid` does not fit into `pid_t`.
    pub fn of(pid: u32, budget: &'a Budget) -> io::Result<Self> {
        Ok(Self { pid: libc::pid_t::try_from(pid).map_err(io::Error::other)?, budget })
    }

    /// The memory of a process, after a test read of eight bytes at `address`, which must be
    /// mapped.
    ///
    /// # Errors
    /// The memory cannot be read: see ptrace(2), `PTRACE_MODE_ATTACH_REALCREDS`.
    pub fn open(pid: u32, address: u64, budget: &'a Budget) -> io::Result<Self> {
        let memory = Self::of(pid, budget)?;
        let mut buffer = [0; 8];
        memory.call(&mut buffer, &[remote(address, 8)])?;
        Ok(memory)
    }

    /// Reads one range.
    ///
    /// # Errors
    /// `EFAULT` if not every byte is mapped, or the budget is exceeded; or the memory cannot be read:
    /// see process_vm_readv(2).
    pub fn try_read(&self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        if self.charge(length).is_none() {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        let mut buffer = vec![0; length];
        let copied = self.call(&mut buffer, &[remote(address, length)])?;
        if copied < length {
            return Err(io::Error::from_raw_os_error(libc::EFAULT));
        }
        Ok(buffer)
    }

    /// Counts the steps of reading a range; `None` if it may not be read.
    fn charge(&self, length: usize) -> Option<()> {
        self.budget.step(RANGE_STEPS)?;
        self.budget.step_bytes(length)?;
        (length <= RANGE_MAX).then_some(())
    }

    /// Copies the ranges one after the other into `buffer` and returns the number of bytes copied.
    fn call(&self, buffer: &mut [u8], ranges: &[libc::iovec]) -> io::Result<usize> {
        let local = IoSliceMut::new(buffer);
        let count = libc::c_ulong::try_from(ranges.len()).map_err(io::Error::other)?;
        // SAFETY: `IoSliceMut` is ABI-compatible with `iovec` and covers `buffer`, which is
        // borrowed mutably until the call returns and is the only memory written to. `ranges` has
        // `count` elements; their addresses are used only in the other process.
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

/// Converts an address. One that does not fit saturates, and the kernel rejects it.
fn as_usize(address: u64) -> usize {
    usize::try_from(address).unwrap_or(usize::MAX)
}

impl Memory for ProcessMemory<'_> {
    fn budget(&self) -> &Budget {
        self.budget
    }

    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let mut all = Vec::with_capacity(ranges.len());
        let mut buffer = Vec::new();
        let mut charged = 0;
        while let Some(rest) = ranges.get(all.len()..).filter(|rest| !rest.is_empty()) {
            if let Some(&(start, length)) = rest.first()
                && length > BYTES_PER_CALL
            {
                // Without a copy.
                all.push(self.try_read(start, length).ok().map(Vec::into_boxed_slice));
                charged = all.len();
                continue;
            }
            let mut bytes = 0;
            let mut number = all.len();
            let fitting = rest.iter().take(RANGES_PER_CALL).take_while(|(_, length)| {
                bytes = length.saturating_add(bytes);
                number += 1;
                // Ranges after one that could not be read are in several batches.
                let is_charged = number <= charged;
                let fits = bytes <= BYTES_PER_CALL;
                if fits && !is_charged && self.charge(*length).is_none() {
                    return false;
                }
                charged = charged.max(if fits { number } else { 0 });
                fits
            });
            let batch: Vec<_> = fitting.map(|&(start, length)| remote(start, length)).collect();
            if batch.is_empty() {
                // The budget is exceeded.
                all.resize(ranges.len(), None);
                break;
            }
            buffer.resize(batch.iter().map(|range| range.iov_len).sum(), 0);
            // The kernel stops at the first range that it cannot read. That range fails, and the
            // remaining ones are read with another call.
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

/// The little-endian 64-bit value at a byte offset; `None` if `bytes` is too short.
pub fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

/// The little-endian 32-bit value at a byte offset; `None` if `bytes` is too short.
pub fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(offset..)?.first_chunk()?))
}

#[cfg(test)]
pub(crate) mod fake;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Allowance;

    #[test]
    fn an_unreadable_range_does_not_affect_the_others() {
        let here: u64 = 0x1234_5678_9abc_def0;
        let address = (&raw const here).expose_provenance() as u64;
        let budget = Budget::default();
        let memory = ProcessMemory::open(std::process::id(), address, &budget).unwrap();
        let read = memory.read(&[(8, 8), (address, 8), (16, 8), (0, 4096), (address + 4, 4)]);
        let words: Vec<_> = read.iter().map(|it| it.as_deref().map(<[u8]>::len)).collect();
        assert_eq!(words, [None, Some(8), None, None, Some(4)]);
        assert_eq!(u64_at(read[1].as_deref().unwrap(), 0), Some(here));
    }

    #[test]
    fn large_reads_take_several_calls() {
        let many = vec![7_u8; BYTES_PER_CALL + 100];
        let address = many.as_ptr().expose_provenance() as u64;
        let budget = Budget::default();
        let memory = ProcessMemory::open(std::process::id(), address, &budget).unwrap();
        let half = BYTES_PER_CALL / 2 + 50;
        let read = memory.read(&[(address, half), (address + half as u64, half), (address, 10)]);
        assert!(read.iter().all(Option::is_some));
        let ranges: Vec<_> = (0..2000).map(|offset| (address + offset, 1)).collect();
        assert_eq!(memory.read(&ranges).iter().flatten().count(), 2000);
    }

    #[test]
    fn nothing_is_read_once_the_budget_is_exceeded() {
        let many = vec![7_u8; 1 << 20];
        let address = many.as_ptr().expose_provenance() as u64;
        let allowance = Allowance { steps_max: 100_000, ..Allowance::default() };
        let budget = Budget::new(allowance);
        let memory = ProcessMemory::open(std::process::id(), address, &budget).unwrap();
        let read = memory.read(&[(address, 1 << 19), (address, 1 << 19), (address, 8)]);
        let lengths: Vec<_> = read.iter().map(|it| it.as_deref().map(<[u8]>::len)).collect();
        assert_eq!(lengths, [Some(1 << 19), None, None]);
        assert!(budget.limit().is_some());
        assert!(memory.read_one(address, 8).is_none() && memory.try_read(address, 8).is_err());
    }
}
