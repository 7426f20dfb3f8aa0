//! Which addresses a process has, of `/proc/PID/maps`.

use std::{fs, io};

/// The mapped memory that can be read.
#[derive(Debug, Default)]
pub(super) struct Areas {
    /// In order, none overlapping.
    areas: Vec<Area>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    start: u64,
    end: u64,
    /// Written to and not from a file: where Go's heap and its stacks are.
    is_anonymous: bool,
}

impl Areas {
    /// # Errors
    /// The file cannot be read: no such process, or not ours to look at.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        // Paths in it are whatever bytes the process chose.
        Ok(Self::parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/maps"))?)))
    }

    pub(super) fn parse(text: &str) -> Self {
        let mut areas: Vec<Area> = text.lines().filter_map(parse).collect();
        areas.sort_unstable_by_key(|area| area.start);
        Self { areas }
    }

    fn holding(&self, address: u64) -> Option<&Area> {
        let after = self.areas.partition_point(|area| area.start <= address);
        self.areas.get(after.checked_sub(1)?).filter(|area| address < area.end)
    }

    /// The word there can be read.
    pub(super) fn is_readable(&self, address: u64) -> bool {
        self.holding(address).is_some_and(|area| area.end - address >= 8)
    }

    /// The word there is part of the program: where what is known of types is.
    pub(super) fn is_constant(&self, address: u64) -> bool {
        self.is_readable(address) && !self.is_heap(address)
    }

    /// The word there may be part of an object of Go's heap, or of a stack.
    pub(super) fn is_heap(&self, address: u64) -> bool {
        self.holding(address).is_some_and(|area| area.is_anonymous && area.end - address >= 8)
    }
}

/// `c000000000-c000400000 rw-p 00000000 00:00 0   [anon: Go: heap]`.
fn parse(line: &str) -> Option<Area> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let access = words.next()?;
    let (_offset, _device, inode) = (words.next()?, words.next()?, words.next()?);
    let name = words.next().unwrap_or_default();
    let start = u64::from_str_radix(start, 16).ok()?;
    let end = u64::from_str_radix(end, 16).ok()?;
    // The kernel's own pages are not memory of the process.
    if !access.starts_with('r') || name.starts_with("[v") || end <= start {
        return None;
    }
    Some(Area { start, end, is_anonymous: access.starts_with("rw") && inode == "0" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let areas = Areas::parse(
            "00400000-00401000 r-xp 00000000 08:01 123   /usr/bin/some thing\n\
             c000000000-c000400000 rw-p 00000000 00:00 0 \n\
             c000400000-c004000000 ---p 00000000 00:00 0 \n\
             7ffd0000-7ffd1000 r--p 00000000 00:00 0    [vvar]\n\
             nonsense\n",
        );
        let of = |address| (areas.is_readable(address), areas.is_heap(address));
        assert_eq!(of(0x40_0000), (true, false));
        assert_eq!(of(0x40_0ff9), (false, false), "part of a word");
        assert_eq!(of(0xc0_003f_fff8), (true, true));
        assert_eq!(of(0xc0_0040_0000), (false, false));
        assert_eq!(of(0x7ffd_0000), (false, false));
        assert_eq!(of(0), (false, false));
    }
}
