//! Processes that hold connections open, both ends of each.

use std::process::Command;

use anyhow::{Result, bail};

use super::partner::Partner;
use crate::workspace;

/// Connections opened before they are accepted: fewer than a listener's queue holds.
const BATCH: usize = 100;
/// Descriptors that a process needs for itself.
const SPARE_DESCRIPTORS: usize = 16;

/// They close all connections as they end.
pub(super) struct Holders(Vec<Partner>);

impl Holders {
    /// Starts processes that hold nothing but a listener each.
    ///
    /// # Errors
    /// If one does not start.
    pub(super) fn start(processes: usize) -> Result<Self> {
        let program = workspace::target()?.join("release/examples/puppet");
        let holders = (0..processes).map(|_| Partner::start(&mut Command::new(&program)));
        Ok(Self(holders.collect::<Result<_>>()?))
    }

    /// Opens so many sockets, spread over them.
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
        self.0.iter().map(Partner::pid).collect()
    }
}

/// Why a process cannot hold so many sockets; `None` if it can.
///
/// # Errors
/// If the limit is not known.
pub(super) fn impossible(sockets: usize, processes: usize) -> Option<String> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
    let needed = u64::try_from(sockets.div_ceil(processes) + SPARE_DESCRIPTORS).ok()?;
    (needed > limit).then(|| format!("a process may have {limit} descriptors"))
}

/// Opens connections on an address of the process's own, so that ports do not run out.
fn open_pairs(holder: &mut Partner, number: usize, pairs: usize) -> Result<()> {
    let address = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
    let listener = holder.ask(&format!("listen {address}:0"))?;
    let [descriptor, port] = listener[..] else { bail!("no listener: {listener:?}") };
    let mut left = pairs;
    while left > 0 {
        let batch = left.min(BATCH);
        holder.ask(&format!("connect {address}:{port} {batch}"))?;
        holder.ask(&format!("accept {descriptor} {batch}"))?;
        left -= batch;
    }
    Ok(())
}
