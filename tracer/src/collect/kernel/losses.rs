//! The losses of the BPF programs.

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
};

use aya::{
    maps::{MapData, PerCpuArray},
    programs::Program,
};
use tracer_common::Counter;

use super::load::Kernel;

/// What the BPF programs have lost since they were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct KernelLosses {
    /// [`Counter::RingFull`].
    pub(crate) ring_full: u64,
    /// [`Counter::MapFull`].
    pub(crate) map_full: u64,
    /// [`Counter::ReadFailed`].
    pub(crate) read_failed: u64,
    /// Events for which the kernel did not run the program, because that CPU was already running it
    /// (`recursion_misses`). 0 before Linux 5.12.
    pub(crate) missed_runs: u64,
    /// [`Counter::StackLost`].
    pub(crate) stacks_lost: u64,
    /// [`Counter::LedgerFull`].
    pub(crate) ledger_full: u64,
}

impl Kernel {
    /// The losses so far.
    ///
    /// # Errors
    /// The kernel refused to read the counters.
    pub(crate) fn losses(&self) -> anyhow::Result<KernelLosses> {
        let counters: PerCpuArray<&MapData, u64> = self.map("COUNTERS")?.try_into()?;
        let sum = |counter: Counter| -> anyhow::Result<u64> {
            Ok(counters.get(&(counter as u32), 0)?.iter().sum())
        };
        Ok(KernelLosses {
            ring_full: sum(Counter::RingFull)?,
            map_full: sum(Counter::MapFull)?,
            read_failed: sum(Counter::ReadFailed)?,
            missed_runs: self.programs().map(missed_runs).sum(),
            stacks_lost: sum(Counter::StackLost)?,
            ledger_full: sum(Counter::LedgerFull)?,
        })
    }
}

/// Number of times that the kernel skipped the program (`recursion_misses` in `/proc/self/fdinfo`).
fn missed_runs(program: &Program) -> u64 {
    // A program that is not loaded has missed no event.
    let Ok(fd) = program.fd() else { return 0 };
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix("recursion_misses:"));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
