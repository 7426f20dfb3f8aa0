//! Which pages of a process are in memory, from `/proc/PID/pagemap`, so that reading the memory of
//! the process neither allocates pages there nor reads its swapped-out ones back.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use super::memory::u64_at;

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Bit 63 of an entry: the page is present. Bit 62: it is swapped out
/// (`Documentation/admin-guide/mm/pagemap.rst`).
const PRESENT: u64 = 1 << 63;
const SWAPPED: u64 = 1 << 62;

/// The page map of a process.
#[derive(Debug)]
pub(crate) struct PageMap(File);

/// What is known about the pages of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resident {
    /// The parts that are in memory: address and length in bytes, ascending.
    pub(crate) parts: Vec<(u64, u64)>,
    /// Whether a page is swapped out. The content of other absent pages is that of the mapped file,
    /// or zeros.
    pub(crate) has_swapped: bool,
}

impl PageMap {
    /// Opens the page map of a process.
    ///
    /// # Errors
    /// The process has exited, or this user may not trace it.
    pub(crate) fn open(pid: u32) -> io::Result<Self> {
        File::open(format!("/proc/{pid}/pagemap")).map(Self)
    }

    /// The parts of a range that are in memory.
    ///
    /// # Errors
    /// The process has exited, or the range is not in user space.
    pub(crate) fn resident(&self, start: u64, length: u64) -> io::Result<Resident> {
        let end = start.checked_add(length).ok_or(io::ErrorKind::InvalidInput)?;
        let first = start / PAGE;
        let count = usize::try_from(end.div_ceil(PAGE) - first).map_err(io::Error::other)?;
        let mut entries = vec![0; count.saturating_mul(8)];
        self.0.read_exact_at(&mut entries, first * 8)?;
        Ok(parts(&entries, first, start, end))
    }
}

/// The parts of `start..end` that are in memory, by the entries of the pages from `first` on.
fn parts(entries: &[u8], first: u64, start: u64, end: u64) -> Resident {
    let mut resident = Resident::default();
    for (page, entry) in (first..).zip(entries.chunks_exact(8)) {
        let entry = u64_at(entry, 0).unwrap_or(0);
        resident.has_swapped |= entry & (PRESENT | SWAPPED) == SWAPPED;
        let from = page.saturating_mul(PAGE).max(start);
        let to = page.saturating_add(1).saturating_mul(PAGE).min(end);
        if entry & PRESENT == 0 || from >= to {
            continue;
        }
        match resident.parts.last_mut() {
            Some((last, length)) if *last + *length == from => *length += to - from,
            _ => resident.parts.push((from, to - from)),
        }
    }
    resident
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adjacent_pages_are_one_part() {
        let entries = [PRESENT, PRESENT, 0, PRESENT | SWAPPED, SWAPPED, PRESENT];
        let entries: Vec<u8> = entries.iter().flat_map(|it| it.to_le_bytes()).collect();
        let found = parts(&entries, 1, 0x1800, 0x6100);
        assert_eq!(found.parts, [(0x1800, 0x1800), (0x4000, 0x1000), (0x6000, 0x100)]);
        assert!(found.has_swapped);
        assert!(!parts(&entries[..24], 1, 0x1800, 0x4000).has_swapped);
    }

    #[test]
    fn pages_that_were_never_used_are_not_resident() {
        let length = 64 * 4096;
        // SAFETY: a new private mapping that nothing else refers to.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        assert_ne!(start, libc::MAP_FAILED);
        // SAFETY: one byte within the mapping, which is writable.
        unsafe { start.cast::<u8>().add(5 * 4096 + 1).write_volatile(1) };
        let address = start.expose_provenance() as u64;
        let map = PageMap::open(std::process::id()).unwrap();
        let found = map.resident(address, length as u64).unwrap();
        let touched = address + 5 * 4096;
        // With transparent huge pages more than the one page may be present.
        assert!(found.parts.iter().any(|(from, length)| (*from..from + length).contains(&touched)));
        assert!(map.resident(u64::MAX - 100, 200).is_err());
        // SAFETY: the mapping of above, which is not used any more.
        assert_eq!(unsafe { libc::munmap(start, length) }, 0);
    }
}
