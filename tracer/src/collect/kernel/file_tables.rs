//! One pass over the file tables of all tasks: the same records as those of the iterator over
//! files, for half of the CPU time.

use std::{
    fs::File,
    io::{self, Read as _},
    os::fd::AsFd as _,
};

use anyhow::{Context as _, bail};
use aya::maps::Map;
use memmap2::{MmapOptions, MmapRaw};
use tracer_common::{RAW_RECORDS_MAX, RawSocketRecord, SocketRecord, TableProgress};

use super::{extent::Extent, load::Kernel, socket_layout::SocketLayout};

/// The programs, by [`Extent`].
const PROGRAMS: [&str; 2] = ["file_tables", "file_tables_in_scope"];

/// The iterator to which they belong.
pub(super) const TARGET: &str = "task";

/// Whether file tables can be read, and what is needed for it.
#[derive(Debug, Default)]
pub(super) struct FileTables {
    /// The extent whose program is loaded.
    loaded: Option<(Extent, Shared)>,
    /// A pass over files has found a socket: it has noted the address by which the programs
    /// recognize sockets, and sockets that existed then have cookies.
    is_prepared: bool,
}

impl FileTables {
    /// Notes how many sockets a pass over files has found.
    pub(super) const fn note_pass(&mut self, records: u64) {
        self.is_prepared |= records > 0;
    }

    /// Whether [`Kernel::walk_file_tables`] can be used.
    pub(super) fn can_walk(&self, extent: Extent) -> bool {
        self.is_prepared && self.loaded.as_ref().is_some_and(|(loaded, _)| *loaded == extent)
    }
}

/// The memory that the programs share with this process.
#[derive(Debug)]
struct Shared {
    progress: MmapRaw,
    records: MmapRaw,
    layout: SocketLayout,
}

impl Kernel {
    /// Loads the program for an extent. Linux 5.17, which has `bpf_loop`.
    ///
    /// # Errors
    /// The kernel refused.
    pub(super) fn load_file_tables(&mut self, extent: Extent) -> anyhow::Result<()> {
        let layout = SocketLayout::new(&self.layout().offsets);
        let layout = layout.context("the fields of a socket are too far apart")?;
        self.load_iterator(PROGRAMS[extent as usize], TARGET)?;
        let progress = shared(self.map("PROGRESS")?, size_of::<TableProgress>())?;
        let length = RAW_RECORDS_MAX as usize * size_of::<RawSocketRecord>();
        let records = shared(self.map("RECORDS")?, length)?;
        self.file_tables.loaded = Some((extent, Shared { progress, records, layout }));
        Ok(())
    }

    /// One pass with the extent for which the program is loaded. A socket without a cookie is
    /// reported with cookie 0. Returns the number of records.
    ///
    /// # Errors
    /// The kernel refused to start or to continue the pass.
    pub(super) fn walk_file_tables(
        &mut self,
        each: &mut dyn FnMut(&SocketRecord),
    ) -> anyhow::Result<u64> {
        let loaded = self.file_tables.loaded.as_ref().map(|(extent, _)| *extent);
        let extent = loaded.context("the program is not loaded")?;
        let mut file = self.open_iterator(PROGRAMS[extent as usize])?;
        let (_, shared) = self.file_tables.loaded.as_ref().context("the program is not loaded")?;
        shared.set_progress(TableProgress::default());
        let mut records = 0;
        loop {
            let is_end = advance(&mut file)?;
            let progress = shared.progress();
            // The program stops when a chunk may not fit. Until then, a few system calls are saved.
            if is_end || progress.records > RAW_RECORDS_MAX / 2 {
                records += shared.take(progress.records, each);
                shared.set_progress(TableProgress { records: 0, ..progress });
            }
            if is_end {
                return Ok(records);
            }
        }
    }
}

/// Lets the program run until it stops or all tasks were visited. It writes nothing to the
/// iterator's own buffer. Returns whether all tasks were visited.
fn advance(file: &mut File) -> io::Result<bool> {
    match file.read(&mut [0; size_of::<u64>()]) {
        Ok(count) => Ok(count == 0),
        // The program returned 1: a task is not finished.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

impl Shared {
    fn progress(&self) -> TableProgress {
        // SAFETY: the mapping has the size of a `TableProgress`, is aligned to a page, and any bytes
        // are valid. The program runs only during reads of the iterator, on this thread.
        unsafe { self.progress.as_ptr().cast::<TableProgress>().read_volatile() }
    }

    fn set_progress(&self, progress: TableProgress) {
        // SAFETY: as in `progress`, and the mapping is writable.
        unsafe { self.progress.as_mut_ptr().cast::<TableProgress>().write_volatile(progress) }
    }

    /// Passes on the first `count` records. Returns their number.
    fn take(&self, count: u32, each: &mut dyn FnMut(&SocketRecord)) -> u64 {
        let count = count.min(RAW_RECORDS_MAX);
        // SAFETY: the mapping has room for `RAW_RECORDS_MAX` records, is aligned to a page, and any
        // bytes are valid. The program, which changes them, runs only during reads of the iterator,
        // on this thread: not while this slice exists.
        let records = unsafe {
            let first = self.records.as_ptr().cast::<RawSocketRecord>();
            std::slice::from_raw_parts(first, count as usize)
        };
        for raw in records {
            each(&self.layout.record(raw));
        }
        u64::from(count)
    }
}

/// Maps an array map into the memory of this process.
fn shared(map: &Map, length: usize) -> anyhow::Result<MmapRaw> {
    let Map::Array(map) = map else { bail!("the map is not an array") };
    Ok(MmapOptions::new().len(length).map_raw(&map.fd().as_fd())?)
}
