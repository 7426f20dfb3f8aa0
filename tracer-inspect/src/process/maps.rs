//! Memory mappings of a process, from `/proc/PID/maps`: which file the code at an address comes
//! from, and which addresses are readable.

use std::{
    fs::{File, Metadata},
    io::{BufRead, BufReader},
    os::unix::fs::MetadataExt as _,
    path::Path,
    sync::Arc,
};

use tracer_core::Limit;

use super::{
    access::file_error,
    bounded_line::read_line,
    regular_file::{self, Place},
};
use crate::budget::Budget;

/// Maximum length of a line in bytes: a path of `PATH_MAX` with every byte escaped, and the rest. A
/// path can be longer: below directories that were created relative to others.
const LINE_MAX: u64 = 4 * 4096 + 256;

/// The mappings of a process, sorted by address. The kernel's do not overlap.
#[derive(Debug, Default)]
pub struct Mappings(Vec<Mapping>);

/// One mapping: a line of `/proc/PID/maps`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The first address.
    pub start: u64,
    /// The first address after it.
    pub end: u64,
    /// The origin of its content.
    pub source: Source,
    is_readable: bool,
    is_executable: bool,
    /// Whether it is writable memory without a file, private or shared: Go's heap and stacks are in
    /// such mappings.
    is_anonymous: bool,
}

/// The origin of a mapping's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File {
        /// The path, as the process sees it.
        path: Arc<str>,
        /// File offset of the mapping, in bytes.
        offset: u64,
        /// The inode number of the file.
        inode: u64,
    },
    /// Pages of the kernel: `[vdso]`, `[vvar]`, `[vsyscall]`.
    Kernel,
    /// Anonymous, shared or memfd memory: code in it is JIT-compiled.
    Generated,
}

impl Mappings {
    /// Reads `/proc/PID/maps`.
    ///
    /// # Errors
    /// The file cannot be read: the process has exited, or this user may not trace it. Or the budget
    /// is exceeded.
    pub fn of(pid: u32, budget: &Budget) -> Result<Self, Limit> {
        let error = |error| Limit::MemoryUnreadable { error: file_error(&error) };
        let file = File::open(format!("/proc/{pid}/maps")).map_err(error)?;
        let mappings = Self::read(BufReader::new(file), budget).map_err(error)?;
        budget.limit().map_or(Ok(mappings), Err)
    }

    /// Parses the text of `/proc/PID/maps`, within the budget. Malformed lines are skipped.
    ///
    /// # Errors
    /// The text cannot be read.
    pub fn read(mut text: impl BufRead, budget: &Budget) -> std::io::Result<Self> {
        let mut all: Vec<Mapping> = Vec::new();
        let mut line = Vec::new();
        while read_line(&mut text, &mut line, LINE_MAX, budget)? {
            // Paths are arbitrary bytes.
            let Some(mut mapping) = parse(String::from_utf8_lossy(&line).trim_end_matches('\n'))
            else {
                continue;
            };
            mapping.share_path(all.last());
            if budget.spend_bytes(mapping.size()).is_none() {
                break;
            }
            all.push(mapping);
        }
        all.sort_unstable_by_key(|mapping| mapping.start);
        Ok(Self(all))
    }

    /// The mappings in a text with the format of `/proc/PID/maps`.
    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Self {
        Self::read(text.as_bytes(), &Budget::default()).unwrap()
    }

    /// All mappings, by ascending address.
    pub fn iter(&self) -> impl Iterator<Item = &Mapping> {
        self.0.iter()
    }

    fn at(&self, address: u64) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.start <= address);
        self.0.get(after.checked_sub(1)?).filter(|mapping| address < mapping.end)
    }

    /// The executable mapping at an address.
    pub fn code_at(&self, address: u64) -> Option<&Mapping> {
        self.at(address).filter(|mapping| mapping.is_executable)
    }

    /// The readable mapping that contains all eight bytes at an address.
    fn with_word(&self, address: u64) -> Option<&Mapping> {
        self.at(address).filter(|mapping| mapping.is_readable && mapping.end - address >= 8)
    }

    /// Whether the 8-byte word at an address is readable.
    pub fn is_readable(&self, address: u64) -> bool {
        self.with_word(address).is_some()
    }

    /// Whether the word is readable and not in anonymous writable memory. Go's type descriptors are
    /// in such mappings of the program.
    pub fn is_constant(&self, address: u64) -> bool {
        self.with_word(address).is_some_and(|mapping| !mapping.is_anonymous)
    }

    /// Whether the word is in anonymous writable memory, where Go has its heap and its stacks.
    pub fn is_heap(&self, address: u64) -> bool {
        self.with_word(address).is_some_and(|mapping| mapping.is_anonymous)
    }
}

impl Mapping {
    /// The path of the mapped file, as the process sees it.
    pub fn path(&self) -> Option<&str> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Kernel | Source::Generated => None,
        }
    }

    /// The file offset of an address in this mapping; `None` if no file is mapped.
    pub fn offset_in_file(&self, address: u64) -> Option<u64> {
        let Source::File { offset, .. } = &self.source else { return None };
        address.checked_sub(self.start)?.checked_add(*offset)
    }

    /// Opens the mapped file. This works for deleted files and across mount namespaces if this
    /// process may follow `map_files`. `None` if the file cannot be reached or may not be
    /// [opened](regular_file::open).
    pub fn open(&self, pid: u32, budget: &Budget) -> Option<(File, Metadata)> {
        let Source::File { path, inode, .. } = &self.source else { return None };
        let link = format!("/proc/{pid}/map_files/{:x}-{:x}", self.start, self.end);
        // Following `map_files` requires CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE. Without them the
        // path is tried, which must still lead to the same inode.
        let places = [Place::Link(Path::new(&link)), Place::Path(Path::new(&**path))];
        places.into_iter().find_map(|place| {
            let opened = regular_file::open(pid, place, budget).ok();
            opened.filter(|(_, metadata)| metadata.ino() == *inode)
        })
    }

    /// Consecutive mappings of a file share its path.
    fn share_path(&mut self, before: Option<&Self>) {
        if let (Source::File { path, .. }, Some(Source::File { path: shared, .. })) =
            (&mut self.source, before.map(|before| &before.source))
            && path == shared
        {
            *path = Arc::clone(shared);
        }
    }

    /// The bytes that it takes. A list is up to twice as large as its content.
    fn size(&self) -> usize {
        let path = match &self.source {
            Source::File { path, .. } if Arc::strong_count(path) == 1 => path.len(),
            _ => 0,
        };
        2 * size_of::<Self>() + path
    }
}

/// Parses a line such as
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
    // Shared memory (memfd, `/dev/zero`, `/dev/shm`): its content does not come from a file.
    let is_memory = path.starts_with("/memfd:") || path.starts_with("/dev/");
    let source = match path {
        path if path.starts_with("[v") => Source::Kernel,
        path if path.starts_with('/') && inode != 0 && !is_memory => {
            Source::File { path: path.into(), offset, inode }
        }
        _ => Source::Generated,
    };
    Some(Mapping {
        start,
        end,
        // `process_vm_readv` cannot read `[vvar]`.
        is_readable: access.starts_with('r') && source != Source::Kernel,
        is_executable: access.as_bytes().get(2) == Some(&b'x'),
        is_anonymous: access.starts_with("rw") && inode == 0,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Allowance;

    #[test]
    fn addresses_are_classified() {
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
    fn the_origin_of_code_is_found() {
        let mappings = Mappings::parse(
            "00400000-00401000 r-xp 00001000 08:01 123                        /opt/a b (deleted)\n\
             00401000-00402000 rw-p 00002000 08:01 123                        /opt/a b\n\
             00500000-00502000 rwxp 00000000 00:00 0 \n\
             00600000-00602000 r-xs 00000000 00:01 77                         /memfd:doublemapper (deleted)\n\
             7ffd0000-7ffd1000 r-xp 00000000 00:00 0                          [vdso]\n\
             nonsense\n",
        );
        let source = |address| mappings.code_at(address).map(|mapping| mapping.source.clone());
        let path = "/opt/a b (deleted)".into();
        assert_eq!(source(0x40_0fff), Some(Source::File { path, offset: 0x1000, inode: 123 }));
        assert_eq!(source(0x40_1000), None, "not executable");
        assert_eq!(source(0x50_0000), Some(Source::Generated));
        assert_eq!(source(0x60_0000), Some(Source::Generated));
        assert_eq!(source(0x7ffd_0000), Some(Source::Kernel));
        assert_eq!((source(0), source(0x40_2000), source(u64::MAX)), (None, None, None));
    }

    #[test]
    fn the_file_of_this_code_is_this_program() {
        let here = (the_file_of_this_code_is_this_program as fn() as *const ()).addr() as u64;
        let pid = std::process::id();
        let mappings = Mappings::of(pid, &Budget::default()).unwrap();
        let mapping = mappings.code_at(here).unwrap();
        let (_, metadata) = mapping.open(pid, &Budget::default()).unwrap();
        let own = std::fs::metadata("/proc/self/exe").unwrap();
        assert_eq!((metadata.dev(), metadata.ino()), (own.dev(), own.ino()));
    }

    #[test]
    fn many_mappings_with_long_paths_exceed_the_budget() {
        let line = |number: u64, path: &str| {
            format!("{:x}-{:x} r-xp 0 08:01 {number} {path}\n", number << 12, (number + 1) << 12)
        };
        let read = |paths: &dyn Fn(u64) -> String| {
            let text: String = (1..10_000).map(|number| line(number, &paths(number))).collect();
            let budget = Budget::new(Allowance { bytes_max: 2 << 20, ..Allowance::default() });
            let mappings = Mappings::read(text.as_bytes(), &budget).unwrap();
            (mappings.0.len(), budget.limit())
        };
        let long = "/x".repeat(1_000);
        assert_eq!(read(&|_| long.clone()), (9_999, None), "they share one path");
        let (count, limit) = read(&|number| format!("{long}{number}"));
        assert!(count < 2_000, "{count}");
        assert_eq!(limit, Some(Limit::InspectionTooLarge { bytes_max: 2 << 20 }));
        // The rest of a line that is too long.
        let mut text = "1000-2000 r-xp 0 08:01 1 /".to_owned();
        text.push_str(&"x".repeat(usize::try_from(LINE_MAX).unwrap() - text.len()));
        text.push_str("800000-900000 r-xp 0 08:01 7 /bin/su\n3000-4000 r-xp 0 08:01 1 /a\n");
        let paths = Mappings::parse(&text);
        assert_eq!(paths.iter().filter_map(Mapping::path).collect::<Vec<_>>(), ["/a"]);
        let endless = Mappings::read(&b"a".repeat(1 << 20)[..], &Budget::default());
        assert!(endless.unwrap().0.is_empty());
    }

    /// As many as `vm.max_map_count` allows by default, each with another path.
    #[test]
    fn as_many_mappings_as_a_process_can_have_are_within_the_budget() {
        let line = |number: u64| {
            let (start, end) = (number << 12, (number + 1) << 12);
            format!("{start:x}-{end:x} r-xp 0 08:01 {number} /{number}\n")
        };
        let text: String = (1..=65_530).map(line).collect();
        let budget = Budget::new(Allowance { bytes_max: 16 << 20, ..Allowance::default() });
        let mappings = Mappings::read(text.as_bytes(), &budget).unwrap();
        assert_eq!((mappings.0.len(), budget.limit()), (65_530, None));
        assert_eq!(mappings.code_at(65_530 << 12).unwrap().path(), Some("/65530"));
    }
}
