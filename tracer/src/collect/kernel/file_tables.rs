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

/// The programs are loaded after this many passes over files: the verifier takes about 20ms for
/// one, which a short run would not get back. Those passes also assign cookies to sockets that have
/// none, and find the address that the programs need to recognize a socket.
const PASSES_BEFORE: u32 = 4;

/// Whether file tables can be read, and what is needed for it.
#[derive(Debug, Default)]
pub(super) struct FileTables {
    /// Passes over files so far.
    passes: u32,
    /// By [`Extent`]; `None` if it was not tried.
    is_loaded: [Option<bool>; 2],
    shared: Option<Shared>,
}

impl FileTables {
    pub(super) const fn note_pass(&mut self) {
        self.passes = self.passes.saturating_add(1);
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
    /// Whether [`walk_file_tables`](Self::walk_file_tables) can be used. Loads the program if it is
    /// time to.
    pub(super) fn reads_file_tables(&mut self, extent: Extent) -> bool {
        let is_loaded = self.file_tables.is_loaded[extent as usize];
        // Programs without the helpers cannot read cookies.
        if !self.has_socket_helpers() || self.file_tables.passes < PASSES_BEFORE {
            return false;
        }
        is_loaded.unwrap_or_else(|| {
            let loaded = self.load_file_tables(extent);
            if let Err(error) = &loaded {
                log::debug!("file tables cannot be read: {error:#}");
            }
            self.file_tables.is_loaded[extent as usize] = Some(loaded.is_ok());
            loaded.is_ok()
        })
    }

    pub(super) fn load_file_tables(&mut self, extent: Extent) -> anyhow::Result<()> {
        let layout = SocketLayout::new(&self.layout().offsets);
        let layout = layout.context("the fields of a socket are too far apart")?;
        self.load_iterator(PROGRAMS[extent as usize], TARGET)?;
        if self.file_tables.shared.is_none() {
            let progress = shared(self.map("PROGRESS")?, size_of::<TableProgress>())?;
            let length = RAW_RECORDS_MAX as usize * size_of::<RawSocketRecord>();
            let records = shared(self.map("RECORDS")?, length)?;
            self.file_tables.shared = Some(Shared { progress, records, layout });
        }
        Ok(())
    }

    /// One pass. A socket without a cookie is reported with cookie 0. Returns the number of records.
    ///
    /// # Errors
    /// The kernel refused to start or to continue the pass.
    pub(super) fn walk_file_tables(
        &mut self,
        extent: Extent,
        each: &mut dyn FnMut(&SocketRecord),
    ) -> anyhow::Result<u64> {
        let mut file = self.open_iterator(PROGRAMS[extent as usize])?;
        let shared = self.file_tables.shared.as_ref().context("the program is not loaded")?;
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
