//! The kernel's statistics of BPF programs: number of runs and run time.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result};
use aya::programs::{ProgramInfo, loaded_programs};
use aya::sys::{Stats, enable_stats};

/// The statistics of one program.
pub(super) struct Runs {
    pub(super) name: String,
    /// Length of its BPF code, in instructions.
    pub(super) instructions: u64,
    pub(super) count: u64,
    pub(super) took: Duration,
}

/// The kernel keeps statistics until this is dropped, which costs some time per run.
pub(super) struct Counting {
    _fd: OwnedFd,
    before: Vec<u32>,
}

impl Counting {
    /// Starts the statistics. Programs that are loaded from now on are reported.
    ///
    /// # Errors
    /// If the kernel refuses; this requires Linux 5.8 and root.
    pub(super) fn begin() -> Result<Self> {
        let fd = enable_stats(Stats::RunTime).context("the kernel keeps no statistics")?;
        let before = loaded_programs().filter_map(|it| Some(it.ok()?.id()));
        Ok(Self { _fd: fd, before: before.collect() })
    }

    /// The programs that were loaded since then and have run.
    pub(super) fn runs(&self) -> Vec<Runs> {
        let new = loaded_programs().filter_map(Result::ok);
        let new = new.filter(|it| !self.before.contains(&it.id()) && it.run_count() > 0);
        let mut runs: Vec<Runs> = new.map(|it| Runs::of(&it)).collect();
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        runs
    }

    /// The run time of those that are attached to events. The iterator is excluded: tracer itself
    /// runs it.
    pub(super) fn took_in_probes(&self) -> Duration {
        let runs = self.runs();
        runs.iter().filter(|it| !it.name.starts_with("task_file")).map(|it| it.took).sum()
    }
}

impl Runs {
    fn of(program: &ProgramInfo) -> Self {
        // An instruction has eight bytes.
        let instructions = program.size_translated().map_or(0, |bytes| u64::from(bytes) / 8);
        Self {
            name: program.name_as_str().unwrap_or_default().to_owned(),
            instructions,
            count: program.run_count(),
            took: program.run_time(),
        }
    }
}
