//! Processes that hold connections open, both ends of each.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::helper::Helper;
use super::measure::group;

/// Number of connections that are opened before they are accepted: fewer than the listener's queue
/// holds.
const BATCH: usize = 100;
/// Number of file descriptors that a process requires in addition to its connections.
const SPARE_FDS: usize = 16;

/// Processes that hold connections open until this is dropped.
pub(super) struct Holders(Vec<Helper>);

impl Holders {
    /// Starts processes, each with only a listener.
    ///
    /// # Errors
    /// If one does not start.
    pub(super) fn start(puppet: &Path, processes: usize) -> Result<Self> {
        let holders = (0..processes).map(|_| Helper::start(&mut Command::new(puppet)));
        Ok(Self(holders.collect::<Result<_>>()?))
    }

    /// Opens this many sockets, distributed over the processes.
    ///
    /// # Errors
    /// If the host does not allow it.
    pub(super) fn open(&mut self, sockets: usize) -> Result<()> {
        let processes = self.0.len();
        for (number, holder) in self.0.iter_mut().enumerate() {
            let pairs = (sockets / 2 + number) / processes;
            open_pairs(holder, number, pairs)?;
        }
        Ok(())
    }

    /// Their process ids.
    pub(super) fn pids(&self) -> Vec<u32> {
        self.0.iter().map(Helper::pid).collect()
    }
}

/// Why the processes cannot hold this many sockets; `None` if they can, or if there is no limit.
pub(super) fn impossible(sockets: usize, processes: usize) -> Option<String> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let needed = u64::try_from(sockets.div_ceil(processes) + SPARE_FDS).ok()?;
    (needed > limit).then(|| format!("the fd limit is {} per process", group(&limit.to_string())))
}

/// Opens connections on an address of this process alone, so that ports do not run out.
fn open_pairs(holder: &mut Helper, number: usize, pairs: usize) -> Result<()> {
    let address = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
    let listener = holder.ask(&format!("listen {address}:0"))?;
    let [fd, port] = listener[..] else { bail!("no listener: {listener:?}") };
    let mut remaining = pairs;
    while remaining > 0 {
        let batch = remaining.min(BATCH);
        holder.ask(&format!("connect {address}:{port} {batch}"))?;
        holder.ask(&format!("accept {fd} {batch}"))?;
        remaining -= batch;
    }
    Ok(())
}
