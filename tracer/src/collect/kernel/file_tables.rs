//! One pass over the file tables of all tasks: the same records as those of the iterator over
//! files, for half of the CPU time.

use std::{
    collections::BTreeSet,
    ffi::c_void,
    io::{self, Read},
    marker::PhantomData,
    os::fd::AsFd as _,
    slice,
};

use anyhow::bail;
use aya::maps::Map;
use memmap2::{MmapOptions, MmapRaw};
use tracer_common::{
    RAW_PROCESSES_MAX, RAW_RECORDS_MAX, RawProcess, RawSocketRecord, SEEN_MAX, TableProgress,
};
use zerocopy::{FromBytes, IntoBytes};

use super::{extent::Extent, socket_layout::SocketLayout};
use crate::collect::socket_records::{Fingerprints, SocketRecords};

/// The programs, by [`Extent`].
const PROGRAMS: [&str; 2] = ["file_tables", "file_tables_in_scope"];

/// The iterator to which they belong.
pub(super) const TARGET: &str = "task";

/// The name of the program for an extent.
pub(super) fn program(extent: Extent) -> &'static str {
    PROGRAMS[extent as usize]
}

/// Whether file tables can be read, and what is needed for it.
#[derive(Debug, Default)]
pub(super) struct FileTables {
    pub(super) loaded: Option<Loaded>,
    /// A pass over files has found a socket: it has recorded the address by which the programs
    /// recognize sockets, and sockets that existed then have cookies.
    is_prepared: bool,
    /// Sockets that the latest pass over file tables has left out: process, file descriptor and
    /// inode.
    pub(super) begun: BTreeSet<(u32, u32, u64)>,
    /// The latest pass was one over file tables.
    pub(super) has_processes: bool,
}

impl FileTables {
    /// Takes the number of sockets that a pass over files has found.
    pub(super) const fn after_pass(&mut self, records: u64) {
        self.is_prepared |= records > 0;
    }

    /// The state of the processes in the latest pass; none if that was a pass over files.
    pub(super) fn processes(&self) -> &[RawProcess] {
        let loaded = self.loaded.as_ref().filter(|_| self.has_processes);
        loaded.map_or(&[], Loaded::processes)
    }

    /// Whether a pass of this extent is possible.
    pub(super) fn can_walk(&self, extent: Extent) -> bool {
        self.is_prepared && self.loaded.as_ref().is_some_and(|loaded| loaded.extent == extent)
    }
}

/// The loaded program, and the memory that it shares with this process.
#[derive(Debug)]
pub(super) struct Loaded {
    extent: Extent,
    layout: SocketLayout,
    progress: SharedMap<TableProgress>,
    records: SharedMap<RawSocketRecord>,
    processes: SharedMap<RawProcess>,
    /// The latest pass, counted from 1; 0 if there was none.
    pass: u64,
    /// Number of its records.
    total: u32,
}

/// An array map with values of type `T` in the memory of this process. The kernel writes to it only
/// during reads of the iterator, on this thread.
#[derive(Debug)]
struct SharedMap<T> {
    memory: MmapRaw,
    values: PhantomData<T>,
}

impl<T: FromBytes + IntoBytes + Copy> SharedMap<T> {
    /// `entries` is the number of entries that the map has.
    fn new(map: &Map, entries: usize) -> anyhow::Result<Self> {
        let Map::Array(map) = map else { bail!("the map is not an array") };
        let info = map.info()?;
        if info.value_size() as usize != size_of::<T>() || info.max_entries() as usize != entries {
            bail!("the map has other values");
        }
        let memory = MmapOptions::new().len(entries * size_of::<T>()).map_raw(&map.fd().as_fd())?;
        Ok(Self { memory, values: PhantomData })
    }

    /// The first `count` values.
    fn get(&self, count: usize) -> &[T] {
        let count = count.min(self.memory.len() / size_of::<T>());
        // SAFETY: the memory has room for this many values, is aligned to a page, and any bytes are
        // valid values. Nothing writes to it while the slice exists: the kernel does so only during
        // a read of the iterator, and `set` requires an exclusive reference.
        unsafe { slice::from_raw_parts(self.memory.as_ptr().cast::<c_void>().cast(), count) }
    }

    /// Sets the first value.
    fn set(&mut self, value: T) {
        // SAFETY: as in `get`; the memory is writable.
        unsafe { self.memory.as_mut_ptr().cast::<c_void>().cast::<T>().write(value) }
    }
}

impl Loaded {
    /// Maps the output of the program that is loaded for `extent`.
    ///
    /// # Errors
    /// The maps cannot be mapped.
    pub(super) fn new(
        extent: Extent,
        layout: &SocketLayout,
        [progress, records, processes]: [&Map; 3],
    ) -> anyhow::Result<Self> {
        let progress = SharedMap::new(progress, 1)?;
        let records = SharedMap::new(records, RAW_RECORDS_MAX as usize)?;
        let processes = SharedMap::new(processes, RAW_PROCESSES_MAX as usize)?;
        Ok(Self { extent, layout: *layout, progress, records, processes, pass: 0, total: 0 })
    }

    /// The processes with records in the latest pass. If there are more than fit, some are missing.
    pub(super) fn processes(&self) -> &[RawProcess] {
        let count = self.progress.get(1).first().map_or(0, |progress| progress.processes);
        self.processes.get(count as usize)
    }

    /// The extent of its passes.
    pub(super) const fn extent(&self) -> Extent {
        self.extent
    }

    /// One pass. A socket without a cookie is reported with cookie 0. Returns the number of records.
    /// If `each` knows the previous pass, what has not changed since is only named by its number.
    ///
    /// # Errors
    /// The kernel refused to continue the pass.
    pub(super) fn walk(
        &mut self,
        iterator: &mut impl Read,
        fingerprints: &Fingerprints,
        each: &mut dyn SocketRecords,
    ) -> io::Result<u64> {
        let before =
            if each.known_pass() == Some(self.pass) { self.total.min(SEEN_MAX) } else { 0 };
        self.pass += 1;
        each.begin_pass(self.pass);
        let half = u32::from(self.pass.is_multiple_of(2));
        let Self { layout, progress, records, total, .. } = self;
        progress.set(TableProgress { before, half, ..TableProgress::default() });
        *total = 0;
        loop {
            let is_end = advance(iterator)?;
            let state = progress.get(1).first().copied().unwrap_or_default();
            // The program stops when a chunk may not fit. Until then, a few system calls are saved.
            if is_end || state.records > RAW_RECORDS_MAX / 2 {
                for raw in records.get(state.records as usize) {
                    let number = *total;
                    *total += 1;
                    if let Some(previous) = raw.previous.checked_sub(1) {
                        each.add_same(previous, number);
                        continue;
                    }
                    let fingerprint = layout.fingerprint(raw, fingerprints).numbered(number);
                    if !each.is_known(&fingerprint) {
                        each.add(&layout.record(raw), fingerprint);
                    }
                }
                progress.set(TableProgress { records: 0, ..state });
            }
            if is_end {
                return Ok((*total).into());
            }
        }
    }
}

/// Lets the program run until it stops or all tasks were visited. It writes nothing to the
/// iterator's own buffer. Returns whether all tasks were visited.
fn advance(iterator: &mut impl Read) -> io::Result<bool> {
    match iterator.read(&mut [0; size_of::<u64>()]) {
        Ok(count) => Ok(count == 0),
        // The program returned 1: a task is not finished.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}
