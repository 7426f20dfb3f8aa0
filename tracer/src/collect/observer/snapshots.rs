//! Taking snapshots.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    mem, thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tracer_common::SocketRecord;
use tracer_core::{
    ConnectionId, Holder, Input, Note, ProcessKey, Snapshot, decode::KernelConstants,
};
use tracer_inspect::{
    clock,
    process::{cgroup, fd_tables},
};

use super::Observer;
use crate::collect::{
    backend::Backend,
    filter::Filter,
    kernel::{
        extent::Extent,
        iterator::Reading,
        jiffies::{self, SteadyClock},
    },
    snapshot_builder::SnapshotBuilder,
    socket_records::{Fingerprint, SocketRecords},
};

/// Up to this many sockets, a snapshot takes about a tenth of a second of one CPU.
const IN_TURN_MAX: usize = 50_000;

impl Observer {
    /// Takes a snapshot of all open sockets, or of those of the selected processes.
    ///
    /// # Errors
    /// The BPF programs, `sock_diag` or `/proc` failed.
    pub(crate) fn snapshot(&mut self) -> Result<Snapshot> {
        self.update_targets()?;
        let extent = self.extent();
        let mut snapshot = self.read_sockets()?;
        self.sockets = snapshot.sockets.len();
        let has_new = self.track(&snapshot);
        if has_new && extent == Extent::InScope {
            // The iterator shows other holders of a socket only if the socket is in the BPF map of
            // tracked sockets, to which `track` has just added it.
            snapshot = self.read_sockets()?;
            self.track(&snapshot);
        }
        if self.ledgers.is_some() {
            self.holders = snapshot.holders.iter().map(|holder| holder.key).collect();
        }
        if let Some(targets) = &self.targets {
            // So that their file descriptors are shown.
            let mut without = targets.without_sockets(&snapshot.holders);
            if matches!(self.backend, Backend::SockDiag(_)) {
                // Those that cannot be read may have some.
                without.retain(|holder| fd_tables::is_readable(holder.key.pid));
            }
            snapshot.holders.extend(without);
        }
        Ok(snapshot)
    }

    /// A note for each target process without TCP sockets in the first snapshot whose descendants
    /// are not observed, so that it looks as if it leaked nothing: a shell or a server's main
    /// process.
    pub(crate) fn omitted_descendants(&self, first: &Snapshot) -> Vec<Input> {
        let Some(targets) = &self.targets else { return Vec::new() };
        let omitted = targets.omitted_descendants(&first.holders).into_iter();
        let notes = omitted.map(|(Holder { key, comm, .. }, descendants)| {
            Note::DescendantsNotObserved { process: *key, comm: comm.clone(), descendants }
        });
        notes.map(Input::Note).collect()
    }

    fn read_sockets(&mut self) -> Result<Snapshot> {
        match &self.backend {
            Backend::Kernel(_) => self.iterate(),
            Backend::SockDiag(_) => self.list(),
            #[cfg(test)]
            Backend::Scripted(_) => self.iterate(),
        }
    }

    /// Takes a snapshot with the iterator.
    fn iterate(&mut self) -> Result<Snapshot> {
        let mut snapshot = self.pass()?;
        if snapshot.is_none() {
            self.clock = Some(SteadyClock::new(self.measure_jiffies()?));
            snapshot = self.pass()?;
        }
        snapshot
            .context("cannot take a snapshot: the rate of the kernel's jiffies changed; try again")
    }

    /// Takes a snapshot with sock_diag.
    fn list(&mut self) -> Result<Snapshot> {
        let Self { backend: Backend::SockDiag(sock_diag), filter, targets, followed, .. } = self
        else {
            bail!("sock_diag is not open");
        };
        let mut builder = SnapshotBuilder::new(clock::now());
        // Each process is read once, regardless of how many sockets it holds.
        let known = RefCell::new(HashMap::new());
        let is_member = |key: ProcessKey| {
            *known.borrow_mut().entry(key).or_insert_with(|| is_in_groups(filter, key.pid))
        };
        let is_named = |key| targets.as_ref().is_none_or(|targets| targets.contains(key));
        sock_diag.read(&mut builder, &|key, comm| {
            filter.admits_name(comm) && is_named(key) && is_member(key)
        })?;
        let admits = |key| is_named(key) && is_member(key);
        Ok(builder.finish(clock::now(), 0, filter, admits, followed))
    }

    /// One pass of the iterator; `None` if the rate of the jiffies (CONFIG_HZ) cannot be derived
    /// from its records.
    fn pass(&mut self) -> Result<Option<Snapshot>> {
        let extent = self.extent();
        let started_at = self.now();
        let Self { backend, filter, targets, followed, clock: steady, sockets, known, .. } = self;
        let process_answers = &mut self.process_answers;
        let fin_flag = backend.fin_flag()?;
        let reading = reading(*sockets);
        let mut builder = SnapshotBuilder::new(started_at).with_room_for(*sockets);
        if let Some(known) = known {
            builder = builder.knowing(mem::take(known));
        }
        let mut pass = Pass { builder, clock: steady, fin_flag, is_incomplete: false };
        let stats = backend.walk(extent, reading, &mut pass)?;
        let Pass { builder, is_incomplete, .. } = pass;
        process_answers.observe(backend.processes());
        if is_incomplete {
            return Ok(None);
        }
        let members = cgroup_members(filter, &builder);
        let admits = |key: ProcessKey| {
            members.as_ref().is_none_or(|keys| keys.contains(&key))
                && targets.as_ref().is_none_or(|targets| targets.contains(key))
        };
        let ended_at = backend.now();
        let (snapshot, seen) =
            builder.finish_knowing(ended_at, stats.truncated, filter, admits, followed);
        if let Some(known) = known {
            *known = seen;
        }
        Ok(Some(snapshot))
    }

    /// The extent of the iterator: only selected sockets, unless a BPF map had no room for one.
    fn extent(&self) -> Extent {
        let is_listed = self.loss.map_full == 0 && self.reported_loss.map_full == 0;
        let can = matches!(self.backend, Backend::Kernel(_)) && is_listed;
        if self.only_tracked && can { Extent::InScope } else { Extent::All }
    }

    /// Measures CONFIG_HZ from two readings. Around five minutes after boot, when the jiffies wrap,
    /// one reading fits several rates.
    fn measure_jiffies(&mut self) -> Result<u32> {
        let mut reading = || -> Result<Option<(u64, u64)>> {
            let mut first = None;
            self.backend.walk(Extent::All, Reading::Overlapped, &mut |record: &SocketRecord| {
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
            .context("cannot measure the rate of the kernel's jiffies (CONFIG_HZ); try again")
    }

    /// Adds the sockets of the snapshot to the BPF map of tracked sockets, so that their events are
    /// reported. Returns whether some were not in it before.
    fn track(&mut self, snapshot: &Snapshot) -> bool {
        if self.targets.is_none() && self.filter.comms.is_empty() && !self.filter.is_by_cgroup() {
            return false;
        }
        let mut has_new = false;
        let open: BTreeSet<ConnectionId> = snapshot.sockets.iter().map(|facts| facts.id).collect();
        if self.only_tracked
            && let Some(kernel) = self.backend.kernel()
        {
            for id in open.difference(&self.followed) {
                match kernel.track(id.0) {
                    Ok(is_new) => has_new |= is_new,
                    Err(error) => {
                        log::debug!("socket {id} cannot be tracked: {error:#}");
                        self.loss.map_full += 1;
                        has_new = true;
                    }
                }
            }
            // The BPF programs remove a socket when it is destroyed, unless it was destroyed before
            // it was added.
            for id in self.followed.difference(&open) {
                kernel.untrack(id.0);
            }
        }
        self.followed = open;
        has_new
    }
}

/// Adds the records of a pass to a snapshot.
struct Pass<'a> {
    builder: SnapshotBuilder,
    clock: &'a mut Option<SteadyClock>,
    fin_flag: u64,
    /// Some records were not added, because the rate of the jiffies was not known yet.
    is_incomplete: bool,
}

impl SocketRecords for Pass<'_> {
    fn known_pass(&self) -> Option<u64> {
        self.builder.known_pass()
    }

    fn begin_pass(&mut self, pass: u64) {
        self.builder.begin_pass(pass);
    }

    fn add_same(&mut self, previous: u32, number: u32) {
        self.builder.add_same(previous, number);
    }

    fn is_known(&mut self, fingerprint: &Fingerprint) -> bool {
        self.builder.add_known(fingerprint)
    }

    fn add(&mut self, record: &SocketRecord, fingerprint: Fingerprint) {
        let fit = || jiffies::fit(record.jiffies, record.at_ns).map(SteadyClock::new);
        *self.clock = self.clock.or_else(fit);
        let Some(clock) = self.clock else {
            self.is_incomplete = true;
            return;
        };
        let jiffies_per_second = clock.jiffies_per_second;
        let constants = KernelConstants { jiffies_per_second, fin_flag: self.fin_flag };
        self.builder.add_new(&clock.steady(record), fingerprint, constants);
    }
}

/// How to read as many sockets as the previous snapshot had. For the first snapshot, and for many
/// sockets, elapsed time matters more than CPU time.
const fn reading(sockets: usize) -> Reading {
    if matches!(sockets, 1..=IN_TURN_MAX) { Reading::InTurn } else { Reading::Overlapped }
}

/// The processes in the selected cgroup and container; `None` if neither was selected.
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

/// Whether the process is in the selected cgroup and container, if any.
fn is_in_groups(filter: &Filter, pid: u32) -> bool {
    filter.cgroup.as_ref().is_none_or(|path| cgroup::is_in_cgroup(pid, path))
        && filter.container.as_ref().is_none_or(|id| cgroup::is_in_container(pid, id))
}
