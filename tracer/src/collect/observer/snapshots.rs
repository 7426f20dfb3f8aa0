//! How an observer takes a snapshot.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tracer_common::SocketRecord;
use tracer_core::{ConnectionId, ProcessKey, Snapshot, decode::KernelConstants};
use tracer_inspect::{clock, process::cgroup};

use super::Observer;
use crate::collect::{
    backend::Backend,
    filter::Filter,
    kernel::{
        extent::Extent,
        jiffies::{self, SteadyClock},
    },
    snapshot_builder::SnapshotBuilder,
};

impl Observer {
    /// Looks at every open socket, or at those that matter to the processes that were asked for.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot> {
        self.follow_processes()?;
        let extent = self.extent();
        let mut snapshot = self.look()?;
        let is_news = self.follow(&snapshot);
        if is_news && extent == Extent::InScope {
            // Who else holds a socket is only shown once the kernel side knows that it is in filter.
            snapshot = self.look()?;
            self.follow(&snapshot);
        }
        if self.ledgers.is_some() {
            self.holders = snapshot.holders.iter().map(|holder| holder.key).collect();
        }
        Ok(snapshot)
    }

    fn look(&mut self) -> Result<Snapshot> {
        match &self.backend {
            Backend::Kernel(_) => self.iterate(),
            Backend::SockDiag(_) => self.list(),
        }
    }

    /// A pass of the iterator.
    fn iterate(&mut self) -> Result<Snapshot> {
        let mut snapshot = self.pass()?;
        if snapshot.is_none() {
            self.clock = Some(SteadyClock::new(self.measure_jiffies()?));
            snapshot = self.pass()?;
        }
        snapshot.context("the kernel's clock makes no sense: try again")
    }

    /// A pass without kernel programs.
    fn list(&mut self) -> Result<Snapshot> {
        let Self { backend: Backend::SockDiag(sock_diag), filter, targets, followed, .. } = self
        else {
            bail!("the kernel programs look by themselves");
        };
        let mut builder = SnapshotBuilder::new(clock::now());
        // Each is asked once: a process may hold many sockets.
        let known = RefCell::new(HashMap::new());
        let is_member = |key: ProcessKey| {
            *known.borrow_mut().entry(key).or_insert_with(|| is_in_groups(filter, key.pid))
        };
        let is_named = |key| targets.as_ref().is_none_or(|targets| targets.contains(key));
        sock_diag.look(&mut builder, &|key, comm| {
            filter.admits_name(comm) && is_named(key) && is_member(key)
        })?;
        let admits = |key| is_named(key) && is_member(key);
        Ok(builder.finish(clock::now(), 0, filter, admits, followed))
    }

    /// One pass; `None` if the rate of the kernel's coarse clock does not follow from it.
    fn pass(&mut self) -> Result<Option<Snapshot>> {
        let extent = self.extent();
        let Self {
            backend: Backend::Kernel(kernel), filter, targets, followed, clock: steady, ..
        } = self
        else {
            bail!("there are no kernel programs");
        };
        let fin_flag = kernel.layout().done_flag;
        let mut builder = SnapshotBuilder::new(clock::now());
        let mut unknown = false;
        let stats = kernel.walk(extent, &mut |record: &SocketRecord| {
            let fit = || jiffies::fit(record.jiffies, record.at_ns).map(SteadyClock::new);
            *steady = steady.or_else(fit);
            match steady {
                Some(clock) => {
                    let jiffies_per_second = clock.jiffies_per_second;
                    let constants = KernelConstants { jiffies_per_second, fin_flag };
                    builder.add(&clock.steady(record), constants);
                }
                None => unknown = true,
            }
        })?;
        if unknown {
            return Ok(None);
        }
        let members = cgroup_members(filter, &builder);
        let admits = |key: ProcessKey| {
            members.as_ref().is_none_or(|keys| keys.contains(&key))
                && targets.as_ref().is_none_or(|targets| targets.contains(key))
        };
        Ok(Some(builder.finish(clock::now(), stats.truncated, filter, admits, followed)))
    }

    /// What a pass has to show: what is in filter, if the kernel side could take note of all of it.
    fn extent(&self) -> Extent {
        let is_listed = self.loss.map_full == 0 && self.told.map_full == 0;
        let can = matches!(self.backend, Backend::Kernel(_)) && is_listed;
        if self.only_tracked && can { Extent::InScope } else { Extent::All }
    }

    /// Around five minutes after boot the rate does not follow from one reading of the clocks.
    fn measure_jiffies(&mut self) -> Result<u32> {
        let mut reading = || -> Result<Option<(u64, u64)>> {
            let mut first = None;
            let kernel = self.backend.kernel().context("there are no kernel programs")?;
            kernel.walk(Extent::All, &mut |record| {
                first.get_or_insert((record.jiffies, record.at_ns));
            })?;
            Ok(first)
        };
        let earlier = reading()?;
        thread::sleep(Duration::from_millis(200));
        let later = reading()?;
        earlier
            .zip(later)
            .and_then(|(earlier, later)| jiffies::fit_rate(earlier, later))
            .context("the rate of the kernel's clock (CONFIG_HZ) cannot be measured: try again")
    }

    /// Has the kernel side tell of the sockets that it did not see come into filter. Gives whether
    /// there are some.
    fn follow(&mut self, snapshot: &Snapshot) -> bool {
        if self.targets.is_none() && self.filter.comms.is_empty() && !self.filter.is_by_cgroup() {
            return false;
        }
        let mut is_news = false;
        let open: BTreeSet<ConnectionId> = snapshot.sockets.iter().map(|facts| facts.id).collect();
        if self.only_tracked
            && let Some(kernel) = self.backend.kernel()
        {
            for id in open.difference(&self.followed) {
                match kernel.track(id.0) {
                    Ok(was_not) => is_news |= was_not,
                    Err(error) => {
                        log::debug!("socket {id} cannot be followed: {error:#}");
                        self.loss.map_full += 1;
                        is_news = true;
                    }
                }
            }
            // The kernel side forgets a socket that is destroyed, but not one that was destroyed
            // before it was told of it.
            for id in self.followed.difference(&open) {
                kernel.untrack(id.0);
            }
        }
        self.followed = open;
        is_news
    }
}

/// The processes in the cgroup and container that the user asked for; `None` if they asked for
/// neither.
fn cgroup_members(filter: &Filter, builder: &SnapshotBuilder) -> Option<BTreeSet<ProcessKey>> {
    if !filter.is_by_cgroup() {
        return None;
    }
    let mut known: HashMap<ProcessKey, bool> = HashMap::new();
    for key in builder.processes() {
        known.entry(key).or_insert_with(|| is_in_groups(filter, key.pid));
    }
    Some(known.into_iter().filter_map(|(key, is_member)| is_member.then_some(key)).collect())
}

/// The process is in the cgroup and container that the user asked for, if they did.
fn is_in_groups(filter: &Filter, pid: u32) -> bool {
    filter.cgroup.as_ref().is_none_or(|path| cgroup::is_in_cgroup(pid, path))
        && filter.container.as_ref().is_none_or(|id| cgroup::is_in_container(pid, id))
}
