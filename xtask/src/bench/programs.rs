//! What the kernel counts of the programs of a tracer: how often they ran, and for how long.

use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result};
use aya::programs::{ProgramInfo, loaded_programs};
use aya::sys::{Stats, enable_stats};

/// What one program did while it was counted.
pub(super) struct Runs {
    pub(super) name: String,
    /// Instructions of the processor-independent code, which is all there is on the longest way.
    pub(super) instructions: u64,
    pub(super) count: u64,
    pub(super) took: Duration,
}

/// The kernel counts as long as this is there; counting costs some time of its own.
pub(super) struct Counting {
    _descriptor: OwnedFd,
    before: Vec<u32>,
}

impl Counting {
    /// Begins to count. Programs that are loaded from here on are reported.
    ///
    /// # Errors
    /// If the kernel does not let this process (Linux 5.8, root).
    pub(super) fn begin() -> Result<Self> {
        let descriptor = enable_stats(Stats::RunTime).context("the kernel does not count")?;
        let before = loaded_programs().filter_map(|it| Some(it.ok()?.id()));
        Ok(Self { _descriptor: descriptor, before: before.collect() })
    }

    /// The programs that were loaded since and have run.
    pub(super) fn runs(&self) -> Vec<Runs> {
        let new = loaded_programs().filter_map(Result::ok);
        let new = new.filter(|it| !self.before.contains(&it.id()) && it.run_count() > 0);
        let mut runs: Vec<Runs> = new.map(|it| Runs::of(&it)).collect();
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        runs
    }

    /// How long those of them ran that others' actions call; the iterator runs for whoever reads it.
    pub(super) fn took_in_hooks(&self) -> Duration {
        let runs = self.runs();
        runs.iter().filter(|it| !it.name.starts_with("task_file")).map(|it| it.took).sum()
    }
}

impl Runs {
    fn of(program: &ProgramInfo) -> Self {
        // Eight bytes an instruction.
        let instructions = program.size_translated().map_or(0, |bytes| u64::from(bytes) / 8);
        Self {
            name: program.name_as_str().unwrap_or_default().to_owned(),
            instructions,
            count: program.run_count(),
            took: program.run_time(),
        }
    }
}
