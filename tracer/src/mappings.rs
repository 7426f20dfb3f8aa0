//! Which file the code at an address of a process comes from, of `/proc/PID/maps`.

use std::{
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
};

/// The executable memory of a process.
#[derive(Debug, Default)]
pub(crate) struct Mappings(Vec<Mapping>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) source: Source,
}

/// Where code comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file: its path as the process sees it, and where in it the mapping begins.
    File { path: String, offset: u64, inode: u64 },
    /// The kernel's own pages.
    Kernel,
    /// It was made when the process ran.
    Generated,
}

impl Mappings {
    /// # Errors
    /// The file cannot be read: no such process, or not ours to look at.
    pub(crate) fn of(pid: u32) -> io::Result<Self> {
        // Paths in it are whatever bytes the process chose.
        Ok(Self::parse(&String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/maps"))?)))
    }

    fn parse(text: &str) -> Self {
        let mut all: Vec<Mapping> = text.lines().filter_map(parse).collect();
        all.sort_unstable_by_key(|mapping| mapping.start);
        Self(all)
    }

    /// The mapping with the code at an address.
    pub(crate) fn holding(&self, address: u64) -> Option<&Mapping> {
        let after = self.0.partition_point(|mapping| mapping.start <= address);
        self.0.get(after.checked_sub(1)?).filter(|mapping| address < mapping.end)
    }
}

impl Mapping {
    /// The path of the file, as the process sees it.
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.source {
            Source::File { path, .. } => Some(path),
            Source::Kernel | Source::Generated => None,
        }
    }

    /// Where in its file the code at an address in the mapping is.
    pub(crate) fn offset_in_file(&self, address: u64) -> Option<u64> {
        let Source::File { offset, .. } = &self.source else { return None };
        address.checked_sub(self.start)?.checked_add(*offset)
    }

    /// The file itself, also if it was deleted or is in another mount namespace: a path that leads
    /// to it, and what it is. `None` if it cannot be had, or is nothing to read symbols from.
    pub(crate) fn file(&self, pid: u32) -> Option<(PathBuf, Metadata)> {
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
    let inode = inode.parse().ok()?;
    if access.as_bytes().get(2) != Some(&b'x') || end <= start {
        return None;
    }
    // Files that have no name are memory that two processes or mappings share.
    let is_memory = path.starts_with("/memfd:") || path.starts_with("/dev/");
    let source = match path {
        "[vdso]" | "[vsyscall]" => Source::Kernel,
        path if path.starts_with('/') && inode != 0 && !is_memory => {
            Source::File { path: path.to_owned(), offset, inode }
        }
        _ => Source::Generated,
    };
    Some(Mapping { start, end, source })
}

/// `/proc/PID/maps`, whatever it holds.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let mappings = Mappings::parse(&String::from_utf8_lossy(bytes));
    for mapping in &mappings.0 {
        for address in [0, mapping.start, mapping.end - 1, u64::MAX] {
            mapping.offset_in_file(address);
            mappings.holding(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
