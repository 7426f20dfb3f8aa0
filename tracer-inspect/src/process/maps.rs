//! The memory that a process has mapped, of `/proc/PID/maps`: which file the code at an address
//! comes from, and which addresses can be read.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

/// The mapped memory of a process, in the order of the addresses, none overlapping.
#[derive(Debug, Default)]
pub struct Mappings(Vec<Mapping>);

/// One line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// Where its content comes from.
    pub source: Source,
    is_readable: bool,
    is_executable: bool,
    /// Written to and not from a file: where Go's heap and its stacks are.
    is_anonymous: bool,
}

/// Where code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file: its path as the process sees it, and where in it the mapping begins.
    File {
        /// The path, as the process sees it.
        path: String,
        /// Where in the file the mapping begins, in bytes.
        offset: u64,
        /// The inode number of the file.
        inode: u64,
    },
    /// The kernel's own pages.
    Kernel,
    /// It was made when the process ran.
    Generated,
}

impl Mappings {
    /// # Errors
    /// The file cannot be read: no such process, or not ours to look at.
    pub fn of(pid: u32) -> io::Result<Self> {
        // Paths in it are whatever bytes the process chose.
        Ok(Self::parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/maps"))?)))
    }

    /// The lines of the file that are as expected.
    pub fn parse(text: &str) -> Self {
        let mut all: Vec<Mapping> = text.lines().filter_map(parse).collect();
        all.sort_unstable_by_key(|mapping| mapping.start);
        Self(all)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.0.iter()
    }

    fn at(&self, address: u64) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.start <= address);
        self.0.get(after.checked_sub(1)?).filter(|mapping| address < mapping.end)
    }

    /// The mapping with the code at an address.
    pub fn holding(&self, address: u64) -> Option<&Mapping> {
        self.at(address).filter(|mapping| mapping.is_executable)
    }

    /// The mapping that can be read and has the whole word at an address.
    fn with_word(&self, address: u64) -> Option<&Mapping> {
        self.at(address).filter(|mapping| mapping.is_readable && mapping.end - address >= 8)
    }

    /// The word there can be read.
    pub fn is_readable(&self, address: u64) -> bool {
        self.with_word(address).is_some()
    }

    /// The word there is part of the program: where what is known of types is.
    pub fn is_constant(&self, address: u64) -> bool {
        self.with_word(address).is_some_and(|mapping| !mapping.is_anonymous)
    }

    /// The word there may be part of an object of Go's heap, or of a stack.
    pub fn is_heap(&self, address: u64) -> bool {
        self.with_word(address).is_some_and(|mapping| mapping.is_anonymous)
    }
}

impl Mapping {
    /// The path of the file, as the process sees it.
    pub fn path(&self) -> Option<&str> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Kernel | Source::Generated => None,
        }
    }

    /// Where in its file the code at an address in the mapping is.
    pub fn offset_in_file(&self, address: u64) -> Option<u64> {
        let Source::File { offset, .. } = &self.source else { return None };
        address.checked_sub(self.start)?.checked_add(*offset)
    }

    /// The file itself, also if it was deleted or is in another mount namespace: a path that leads
    /// to it, and what it is. `None` if it cannot be had, or is nothing to read symbols from.
    pub fn file(&self, pid: u32) -> Option<(PathBuf, Metadata)> {
        let Source::File { path, inode, .. } = &self.source else { return None };
        let link = format!("/proc/{pid}/map_files/{:x}-{:x}", self.start, self.end);
        // Whether these links may be followed is up to CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
        // What is at the path by now must be the same file.
        let by_path = format!("/proc/{pid}/root{path}");
        [link, by_path].into_iter().find_map(|link| {
            let metadata = fs::metadata(&link).ok()?;
            (metadata.is_file() && metadata.ino() == *inode).then_some((link.into(), metadata))
        })
    }
}

/// `7f5d8a000000-7f5d8a160000 r-xp 00026000 08:01 1234   /usr/lib/libc.so.6`.
fn parse(line: &str) -> Option<Mapping> {
    let mut words = line.splitn(6, ' ');
    let (start, end) = words.next()?.split_once('-')?;
    let access = words.next()?;
    let (offset, _device, inode) = (words.next()?, words.next()?, words.next()?);
    let path = words.next().unwrap_or_default().trim_start();
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let (start, end, offset) = (number(start)?, number(end)?, number(offset)?);
    let inode: u64 = inode.parse().ok()?;
    if end <= start {
        return None;
    }
    // Files that have no name are memory that two processes or mappings share.
    let is_memory = path.starts_with("/memfd:") || path.starts_with("/dev/");
    let source = match path {
        path if path.starts_with("[v") => Source::Kernel,
        path if path.starts_with('/') && inode != 0 && !is_memory => {
            Source::File { path: path.to_owned(), offset, inode }
        }
        _ => Source::Generated,
    };
    Some(Mapping {
        start,
        end,
        // The kernel's own pages are not memory of the process.
        is_readable: access.starts_with('r') && source != Source::Kernel,
        is_executable: access.as_bytes().get(2) == Some(&b'x'),
        is_anonymous: access.starts_with("rw") && inode == 0,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let mappings = Mappings::parse(
            "00400000-00401000 r-xp 00000000 08:01 123   /usr/bin/some thing\n\
             c000000000-c000400000 rw-p 00000000 00:00 0 \n\
             c000400000-c004000000 ---p 00000000 00:00 0 \n\
             7ffd0000-7ffd1000 r--p 00000000 00:00 0    [vvar]\n\
             nonsense\n",
        );
        let of = |address| (mappings.is_readable(address), mappings.is_heap(address));
        assert_eq!(of(0x40_0000), (true, false));
        assert_eq!(of(0x40_0ff9), (false, false), "part of a word");
        assert_eq!(of(0xc0_003f_fff8), (true, true));
        assert_eq!(of(0xc0_0040_0000), (false, false));
        assert_eq!(of(0x7ffd_0000), (false, false));
        assert_eq!(of(0), (false, false));
    }

    #[test]
    fn code_is_told_by_where_it_comes_from() {
        let mappings = Mappings::parse(
            "00400000-00401000 r-xp 00001000 08:01 123                        /opt/a b (deleted)\n\
             00401000-00402000 rw-p 00002000 08:01 123                        /opt/a b\n\
             00500000-00502000 rwxp 00000000 00:00 0 \n\
             00600000-00602000 r-xs 00000000 00:01 77                         /memfd:doublemapper (deleted)\n\
             7ffd0000-7ffd1000 r-xp 00000000 00:00 0                          [vdso]\n\
             nonsense\n",
        );
        let source = |address| mappings.holding(address).map(|mapping| mapping.source.clone());
        let path = "/opt/a b (deleted)".to_owned();
        assert_eq!(source(0x40_0fff), Some(Source::File { path, offset: 0x1000, inode: 123 }));
        assert_eq!(source(0x40_1000), None, "no code");
        assert_eq!(source(0x50_0000), Some(Source::Generated));
        assert_eq!(source(0x60_0000), Some(Source::Generated));
        assert_eq!(source(0x7ffd_0000), Some(Source::Kernel));
        assert_eq!((source(0), source(0x40_2000), source(u64::MAX)), (None, None, None));
    }

    #[test]
    fn the_file_of_this_code_is_this_program() {
        let here = (the_file_of_this_code_is_this_program as fn() as *const ()).addr() as u64;
        let pid = std::process::id();
        let mappings = Mappings::of(pid).unwrap();
        let (_, metadata) = mappings.holding(here).unwrap().file(pid).unwrap();
        let own = fs::metadata("/proc/self/exe").unwrap();
        assert_eq!((metadata.dev(), metadata.ino()), (own.dev(), own.ino()));
    }
}
