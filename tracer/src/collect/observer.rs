//! Everything the tool sees, as inputs for the judge. Knows how to look, never what it means.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    io, thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tracer_common::SocketRecord;
use tracer_core::{
    ConnectionId, HostFacts, Input, Loss, ProcessKey, Question, Snapshot, decode,
    decode::KernelConstants,
};
use tracer_inspect::{
    call_sites::CallSites,
    clock,
    frames::rules::Rules,
    go::GoPrograms,
    process::{cgroup, facts, identity::TICK_NS, selection, visibility},
    readers::ReaderInspections,
};

use super::{
    backend::{self, Backend},
    filter::Filter,
    kernel::{
        extent::Extent,
        jiffies::{self, SteadyClock},
        object::KernelOptions,
        privileges::{self, Needs},
        ring::{EventRing, LogRing},
    },
    ledger::Ledgers,
    plan::{Follow, Plan},
    snapshot_builder::SnapshotBuilder,
    sock_diag,
    target_processes::TargetProcesses,
};

/// Most events taken from the ring at one go, so that a flood of them cannot hold up the rest.
const EVENTS_MAX: usize = 65_536;

/// A response is told of when it has been out for this part of the time after which it is suspicious,
/// so that none is missed that becomes so before the next look.
const LEDGER_PART: u64 = 2;

/// The probes, the iterator and `/proc`, for one run.
pub(crate) struct Observer {
    backend: Backend,
    events: Option<EventRing>,
    log: Option<LogRing>,
    filter: Filter,
    /// The processes that the user named, if they did.
    targets: Option<TargetProcesses>,
    with_cmdline: bool,
    readers: ReaderInspections,
    /// The Go programs that were looked at.
    programs: GoPrograms,
    /// What those have handed out, if they are followed.
    ledgers: Option<Ledgers>,
    /// The processes with sockets in the latest snapshot, if that matters to the ledgers.
    holders: Vec<ProcessKey>,
    call_sites: CallSites,
    /// Known from the first record on.
    clock: Option<SteadyClock>,
    /// Events of other sockets than these are kept back in the kernel.
    only_tracked: bool,
    /// The sockets of the latest snapshot, if not all are asked for: what was in scope stays in it
    /// when the process that held it ends and another one still does.
    followed: BTreeSet<ConnectionId>,
    /// How many processes the kernel side's list has no room for.
    refused: u64,
    /// What was lost on this side of the kernel's counters.
    loss: Loss,
    /// What the judge was told of it.
    told: Loss,
}

impl Observer {
    /// Loads the kernel programs and, unless one look is all that is wanted, attaches the probes.
    ///
    /// # Errors
    /// A process that the user named does not run, their rules are none, or the kernel does not let
    /// the tool look.
    pub(crate) fn start(plan: &Plan) -> Result<(Self, Input)> {
        let pids = &plan.filter.pids;
        let targets = || TargetProcesses::found(pids, plan.filter.children);
        let targets = (!pids.is_empty()).then(targets).transpose()?;
        if let Some(cgroup) = &plan.filter.cgroup {
            selection::check_cgroup(cgroup)?;
        }
        if let Some(container) = &plan.filter.container {
            selection::check_container(container)?;
        }
        if plan.once {
            selection::check_names(&plan.filter.comms)?;
        }
        let rules = Rules::load(plan.call_sites.as_deref())?;
        let limits = visibility::limits_of_proc()?;
        let attach = plan.duration != Some(Duration::ZERO);
        let only_tracked = attach && targets.is_some();
        let is_followed = attach && matches!(plan.follow, Follow::Named | Follow::Everybody);
        let options = KernelOptions {
            only_tracked,
            with_stacks: only_tracked || is_followed,
            verbose: plan.verbose,
            // Where nothing is attached, there are no events.
            ring_bytes: (!attach).then_some(1),
            mechanism: plan.mechanism,
        };
        let (backend, lack) = backend::open(options, plan.source)?;
        let is_followed = is_followed && lack.is_none();
        let mut observer = Self {
            backend,
            events: None,
            log: None,
            filter: plan.filter.clone(),
            targets,
            with_cmdline: plan.cmdline,
            readers: ReaderInspections::default(),
            programs: GoPrograms::default(),
            ledgers: is_followed.then(|| Ledgers::new(plan.options.idle_ms / LEDGER_PART)),
            holders: Vec::new(),
            call_sites: CallSites::new(rules),
            clock: None,
            only_tracked,
            followed: BTreeSet::new(),
            refused: 0,
            loss: Loss::default(),
            told: Loss::default(),
        };
        observer.log = match observer.backend.kernel() {
            Some(kernel) => kernel.take_log()?,
            None => None,
        };
        observer.follow_processes()?;
        let mut host = observer.host(attach)?;
        host.notes.extend(limits.map(str::to_owned));
        if let Some(lack) = lack {
            log::warn!("no kernel programs: {lack}");
            host.probes.push(format!("snapshot: sock_diag ({lack})"));
            host.notes.extend(sock_diag::costs(&lack));
        }
        if plan.follow == Follow::InVain {
            host.notes.push(
                "responses of Go programs are not followed: the run ends before one could be out \
                 for as long as --idle says; give it more time with --for"
                    .to_owned(),
            );
        }
        Ok((observer, Input::Host(host)))
    }

    fn host(&mut self, attach: bool) -> Result<HostFacts> {
        let started_at = clock::now();
        let suspended_ns = clock::suspended_ns();
        if !attach {
            let notes = vec!["one look: whether anything moves was not watched".to_owned()];
            return Ok(HostFacts { started_at, suspended_ns, probes: Vec::new(), notes });
        }
        let mut probes = Vec::new();
        if let Some(kernel) = self.backend.kernel() {
            probes.extend(kernel.attach().iter().map(ToString::to_string));
            self.events = Some(kernel.take_events()?);
        }
        Ok(HostFacts { started_at, suspended_ns, probes, notes: Vec::new() })
    }

    /// Gives up what later looks do not need. `makes_files` if somebody else will make files.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn give_up_privileges(&self, makes_files: bool) -> Result<()> {
        privileges::give_up_all_but(Needs {
            programs: matches!(self.backend, Backend::Kernel(_)),
            uprobes: self.ledgers.is_some(),
            files: makes_files,
        })
    }

    /// Waits until events should be fetched, or the kernel side has something to log.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        let events = async {
            match &self.events {
                Some(events) => events.readable().await,
                None => std::future::pending().await,
            }
        };
        let log = async {
            match &self.log {
                Some(log) => log.readable().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { result = events => result, result = log => result }
    }

    /// The events that there are, and what was lost.
    pub(crate) fn events(&mut self) -> Vec<Input> {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let mut inputs = Vec::new();
        let mut undecodable = 0;
        if let Some(events) = &mut self.events {
            events.drain(EVENTS_MAX, |bytes| match decode::event(bytes) {
                Ok(event) => inputs.push(Input::Event(event)),
                Err(error) => {
                    log::debug!("event: {error}");
                    undecodable += 1;
                }
            });
        }
        self.loss.unreadable += undecodable;
        inputs.extend(self.losses());
        inputs
    }

    /// What was lost in total, if that has changed.
    fn losses(&mut self) -> Option<Input> {
        let mut total = self.loss;
        let Some(kernel) = self.backend.kernel() else {
            return self.told_anew(total);
        };
        match kernel.losses() {
            Ok(kernel) => {
                total.ring_full += kernel.ring_full;
                total.map_full += kernel.map_full;
                total.unreadable += kernel.read_failed + kernel.missed_runs;
                total.stacks_lost += kernel.stacks_lost;
                total.ledger_full += kernel.ledger_full;
            }
            // Better to say that something may be missing than that nothing is.
            Err(error) => {
                log::warn!("the kernel's counters cannot be read: {error:#}");
                total.unreadable += 1;
            }
        }
        self.told_anew(total)
    }

    fn told_anew(&mut self, total: Loss) -> Option<Input> {
        (total != self.told).then(|| {
            self.told = total;
            Input::Loss(total)
        })
    }

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

    /// Keeps the targets and the kernel side's list of it up to date.
    fn follow_processes(&mut self) -> Result<()> {
        let Some(targets) = &mut self.targets else { return Ok(()) };
        targets.refresh();
        if self.only_tracked
            && let Some(kernel) = self.backend.kernel()
        {
            let refused = kernel.set_pids(&targets.pids())?;
            self.loss.map_full += refused.saturating_sub(self.refused);
            self.refused = refused;
        }
        Ok(())
    }

    /// What the Go programs that are followed have handed out and not got back, as of now.
    pub(crate) fn ledgers(&mut self) -> Vec<Input> {
        let (Some(ledgers), Some(kernel)) = (&mut self.ledgers, self.backend.kernel()) else {
            return Vec::new();
        };
        let named = self.targets.as_ref().map(TargetProcesses::members);
        let holders = self.holders.iter();
        let wanted = named
            .cloned()
            .unwrap_or_else(|| holders.map(|key| (key.pid, key.start_time_ns / TICK_NS)).collect());
        ledgers.look(kernel, &mut self.programs, &wanted, &self.holders)
    }

    /// Why there is nothing more to see: the user named processes, and neither they nor their
    /// descendants, if those were wanted, run any more.
    pub(crate) fn end(&self) -> Option<Input> {
        let ended = self.targets.as_ref().is_some_and(TargetProcesses::is_extinct);
        ended.then(|| Input::Note("the processes that were asked for have ended".to_owned()))
    }

    /// The answer to a question; `None` if there is none any more.
    pub(crate) fn answer(&mut self, question: &Question) -> Option<Input> {
        match question {
            Question::Process(key) => facts::answer(*key, self.with_cmdline),
            Question::CallSite(process, stack) => {
                let kept = self.backend.kernel().and_then(|kernel| kernel.stack(*stack));
                let programs = &mut self.programs;
                self.call_sites.answer(programs, *process, *stack, kept.as_ref())
            }
            Question::Readers(key, asked) => self.readers.answer(&mut self.programs, *key, asked),
        }
    }

    /// A snapshot failed: that is a loss like others.
    pub(crate) fn note_failed_snapshot(&mut self) {
        self.loss.snapshots_failed += 1;
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
