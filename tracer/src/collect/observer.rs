//! Everything that is observed during a run, as inputs for the detector.

mod ending;
mod questions;
mod snapshots;

use std::{collections::BTreeSet, io, time::Duration};

use anyhow::Result;
use tracer_core::{
    AttachState, ConnectionId, FallbackReason, Hook, HostFacts, Input, Loss, Note, Probe,
    ProcessKey, StackId, Timestamp, decode,
};
use tracer_inspect::{
    clock,
    frames::rules::Rules,
    process::{identity::TICK_NS, selection, visibility},
    protocol::Setup,
};

#[cfg(test)]
use super::backend::scripted::ScriptedHost;
use super::{
    backend::{Backend, BackendSource},
    filter::Filter,
    inspection::Inspections,
    kernel::{
        jiffies::SteadyClock,
        object::KernelOptions,
        privileges::{self, Needs},
        ring::{EventRing, LogRing},
    },
    ledger::Ledgers,
    plan::{Plan, UprobeTargets},
    process_answers::ProcessAnswers,
    snapshot_builder::KnownSockets,
    sock_diag,
    stacks::Stacks,
    target_processes::TargetProcesses,
};

/// Maximum number of events read from the ring buffer at a time, so that a flood of events does not
/// delay snapshots.
const EVENTS_MAX: usize = 65_536;

/// An open response is reported once its age is `--idle` divided by this, so that the detector
/// knows it before it becomes suspicious.
const RESPONSE_AGE_DIVISOR: u64 = 2;

/// The sources of events and snapshots of one run.
pub(crate) struct Observer {
    backend: Backend,
    events: Option<EventRing>,
    log: Option<LogRing>,
    /// The stacks of connections and requests, if they are recorded.
    stacks: Option<Stacks>,
    filter: Filter,
    /// The processes named with `--pid`, if any.
    targets: Option<TargetProcesses>,
    /// Answers the questions of the detector; `None` if the backend answers them.
    inspections: Option<Inspections>,
    /// Answers questions about processes from the latest pass over file tables, where that suffices.
    process_answers: ProcessAnswers,
    /// Answers that have not been returned yet.
    answered: Vec<Input>,
    /// The open responses of Go programs, if uprobes are attached.
    ledgers: Option<Ledgers>,
    /// The processes with sockets in the latest snapshot, if the ledgers are used.
    holders: Vec<ProcessKey>,
    /// The clock of the jiffies; `None` before the first record.
    clock: Option<SteadyClock>,
    /// Whether the BPF programs report only events of tracked sockets.
    only_tracked: bool,
    /// Whether another process closes the file descriptors after this one has exited.
    has_keeper: bool,
    /// The sockets of the latest snapshot, if not all are selected. A selected socket stays
    /// selected if its process exits and another process still holds it.
    followed: BTreeSet<ConnectionId>,
    /// Number of sockets in the latest snapshot.
    sockets: usize,
    /// The records of the latest pass of the iterator, if the run takes several snapshots.
    known: Option<KnownSockets>,
    /// Number of processes that did not fit into the kernel's map of target processes.
    refused: u64,
    /// Losses in user space.
    loss: Loss,
    /// The totals in the latest [`Input::Loss`].
    reported_loss: Loss,
}

impl Observer {
    /// Loads the BPF programs and, unless the run is a single snapshot, attaches the hooks.
    ///
    /// # Errors
    /// A selected process, cgroup or container does not exist, the file of `--call-sites` is
    /// invalid, or neither backend works.
    pub(crate) fn start(plan: &Plan, backend: BackendSource) -> Result<(Self, Input)> {
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
        let frame_rules = Rules::user_rules(plan.call_sites.as_deref())?;
        let mut inspections = match backend {
            BackendSource::Host => {
                let setup = Setup { with_cmdline: plan.cmdline, frame_rules };
                Some(Inspections::start(&setup, plan.verbose)?)
            }
            #[cfg(test)]
            BackendSource::Scripted(_) => None,
        };
        let sees_all = visibility::shows_all_processes()?;
        let attach = plan.duration != Some(Duration::ZERO);
        let only_tracked = attach && targets.is_some();
        let has_uprobes = attach
            && matches!(plan.uprobes, UprobeTargets::TargetProcesses | UprobeTargets::AllProcesses);
        // The worker starts while the BPF programs are loaded, because the first report needs it: that
        // report waits for the functions to which uprobes are attached, or, in an audit, for all
        // answers.
        if (has_uprobes || plan.once)
            && let Some(inspections) = &mut inspections
        {
            inspections.start_early();
        }
        let options = KernelOptions {
            only_tracked,
            with_stacks: only_tracked || has_uprobes,
            verbose: plan.verbose,
            // Without hooks there are no events.
            ring_bytes: (!attach).then_some(1),
            reads_file_tables: !plan.once,
            attach_family: plan.attach_family,
        };
        let (backend, fallback) = backend.open(options, plan.source)?;
        let has_uprobes = has_uprobes && fallback.is_none();
        let has_stacks = options.with_stacks && fallback.is_none();
        let mut observer = Self {
            backend,
            events: None,
            log: None,
            stacks: has_stacks.then(Stacks::new),
            filter: plan.filter.clone(),
            targets,
            inspections,
            process_answers: ProcessAnswers::default(),
            answered: Vec::new(),
            ledgers: has_uprobes.then(|| Ledgers::new(plan.options.idle_ms / RESPONSE_AGE_DIVISOR)),
            holders: Vec::new(),
            clock: None,
            only_tracked,
            has_keeper: false,
            followed: BTreeSet::new(),
            sockets: 0,
            known: attach.then(KnownSockets::default),
            refused: 0,
            loss: Loss::default(),
            reported_loss: Loss::default(),
        };
        observer.log = match observer.backend.kernel() {
            Some(kernel) => kernel.take_log()?,
            None => None,
        };
        observer.update_targets()?;
        let mut host = observer.host(attach)?;
        if !sees_all {
            // Processes that were named are visible, or the run does not start.
            let is_hidden = plan.filter.pids.is_empty();
            host.notes.push(if is_hidden {
                Note::OutsideNotVisible
            } else {
                Note::InsidePidNamespace
            });
        }
        if let Some(reason) = fallback {
            if let FallbackReason::ProgramsNotLoaded { detail } = &reason {
                log::warn!("using sock_diag, because the BPF programs are not loaded: {detail}");
            }
            let state = AttachState::SockDiag { reason: reason.clone() };
            host.probes.push(Probe { hook: Hook::Snapshot, state });
            host.notes.extend(sock_diag::limits(reason));
        }
        if plan.uprobes == UprobeTargets::NoneRunTooShort {
            host.notes.push(Note::RunTooShortForResponses);
        }
        Ok((observer, Input::Host(host)))
    }

    fn host(&mut self, attach: bool) -> Result<HostFacts> {
        let started_at = self.now();
        let suspended_ns = clock::suspended_ns();
        if !attach {
            let notes = vec![Note::SingleSnapshot];
            return Ok(HostFacts { started_at, suspended_ns, probes: Vec::new(), notes });
        }
        let mut probes = Vec::new();
        match &mut self.backend {
            Backend::Kernel(kernel) => {
                probes = kernel.attach();
                self.events = Some(kernel.take_events()?);
            }
            Backend::SockDiag(_) => {}
            #[cfg(test)]
            Backend::Scripted(_) => probes = ScriptedHost::probes(),
        }
        Ok(HostFacts { started_at, suspended_ns, probes, notes: Vec::new() })
    }

    /// Drops the privileges that are no longer needed. `replaces_files`: the run replaces a file
    /// later.
    ///
    /// # Errors
    /// The kernel refused.
    pub(crate) fn drop_privileges(&mut self, replaces_files: bool) -> Result<()> {
        #[cfg(test)]
        if matches!(self.backend, Backend::Scripted(_)) {
            return Ok(());
        }
        let uprobes = self.ledgers.is_some();
        let programs = matches!(self.backend, Backend::Kernel(_));
        privileges::drop_all_but(Needs { programs, uprobes, replaces_files })?;
        // The keeper process gets the privileges of this process, which have just been reduced, and
        // must exist before the first uprobe is attached.
        self.has_keeper = uprobes && ending::start_keeper();
        Ok(())
    }

    /// Waits until there are events, or log messages of the BPF programs.
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

    /// Now, on the clock of events and snapshots.
    pub(crate) fn now(&self) -> Timestamp {
        self.backend.now()
    }

    /// CPU time used so far by this process and for inspections.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.backend.cpu_time() + self.inspection_time()
    }

    /// CPU time used so far for inspections.
    pub(crate) fn inspection_time(&self) -> Duration {
        self.inspections.as_ref().map_or(Duration::ZERO, Inspections::cpu_time)
    }

    /// Passes on the pending events.
    pub(crate) fn events(&mut self, mut take: impl FnMut(Input)) {
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let mut undecodable = 0;
        let (now, stacks) = (self.backend.now(), &mut self.stacks);
        let mut stack = |key| stacks.as_mut()?.number(key, now);
        let mut decode = |bytes: &[u8]| match decode::event(bytes, &mut stack) {
            Ok(event) => take(Input::Event(event)),
            Err(error) => {
                log::debug!("an event cannot be decoded: {error}");
                undecodable += 1;
            }
        };
        if let Some(events) = &mut self.events {
            events.drain(EVENTS_MAX, &mut decode);
        }
        #[cfg(test)]
        if let Backend::Scripted(host) = &mut self.backend {
            host.take_events(&mut decode);
        }
        self.loss.unreadable += undecodable;
        self.take_stacks();
    }

    /// Makes room for further stacks in the BPF map. The stack of every event read so far is in the
    /// map, or was taken from it before.
    fn take_stacks(&mut self) {
        let now = self.now();
        if let (Some(stacks), Some(kernel)) = (&mut self.stacks, self.backend.kernel())
            && let Err(error) = kernel.take_stacks(&mut |key, record| stacks.add(key, record, now))
        {
            log::warn!("{error:#}");
        }
    }

    /// Drops stacks without a reference, if there are many. `referenced` returns those with one.
    /// Must be called after [`ledgers`](Self::ledgers), which uses the stacks of responses that are
    /// too young to be reported.
    pub(crate) fn drop_stacks(&mut self, referenced: impl FnOnce() -> BTreeSet<StackId>) {
        let now = self.now();
        if let Some(stacks) = self.stacks.as_mut().filter(|stacks| stacks.is_due()) {
            stacks.retain(&referenced(), now);
        }
    }

    /// The totals of what was lost, if they have changed. Reading them takes at least one system
    /// call per program and map, so it is not done for each event.
    pub(crate) fn losses(&mut self) -> Option<Input> {
        let mut total = self.loss;
        #[cfg(test)]
        if let Backend::Scripted(host) = &self.backend {
            total.ring_full += host.events_lost();
        }
        total.stacks_lost += self.stacks.as_ref().map_or(0, Stacks::lost);
        let Some(kernel) = self.backend.kernel() else {
            return self.report_loss(total);
        };
        match kernel.losses() {
            Ok(kernel) => {
                total.ring_full += kernel.ring_full;
                total.map_full += kernel.map_full;
                total.unreadable += kernel.read_failed + kernel.missed_runs;
                total.stacks_lost += kernel.stacks_lost;
                total.ledger_full += kernel.ledger_full;
            }
            // Something may be missing, so the report must not claim to be complete.
            Err(error) => {
                log::warn!("cannot read the loss counters of the BPF programs: {error:#}");
                total.unreadable += 1;
            }
        }
        self.report_loss(total)
    }

    fn report_loss(&mut self, total: Loss) -> Option<Input> {
        (total != self.reported_loss).then(|| {
            self.reported_loss = total;
            Input::Loss(total)
        })
    }

    /// Updates the target processes and the BPF map of them.
    fn update_targets(&mut self) -> Result<()> {
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

    /// Begins to read the open responses of Go programs, as of now. Those that are not
    /// returned come with the [answers](Self::answers).
    pub(crate) fn ledgers(&mut self) -> Vec<Input> {
        let (Some(ledgers), Some(stacks), Some(kernel), Some(inspections)) =
            (&mut self.ledgers, &mut self.stacks, self.backend.kernel(), &mut self.inspections)
        else {
            return Vec::new();
        };
        let targets = self.targets.as_ref().map(TargetProcesses::members);
        let holders = self.holders.iter();
        let wanted = targets
            .cloned()
            .unwrap_or_else(|| holders.map(|key| (key.pid, key.start_time_ns / TICK_NS)).collect());
        let mut ask = |task| inspections.request(task);
        let inputs = ledgers.update(kernel, stacks, &wanted, &self.holders, &mut ask);
        // The stacks of the newest requests.
        self.take_stacks();
        inputs
    }

    /// A note, if the run ends because all target processes have exited.
    pub(crate) fn end(&self) -> Option<Input> {
        let ended = self.targets.as_ref().is_some_and(TargetProcesses::have_exited);
        ended.then(|| Input::Note(Note::TargetProcessesEnded))
    }

    /// Counts a failed snapshot as a loss.
    pub(crate) fn count_failed_snapshot(&mut self) {
        self.loss.snapshots_failed += 1;
    }
}
