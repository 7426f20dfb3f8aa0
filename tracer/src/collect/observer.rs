//! Everything the tool sees, as inputs for the judge. Knows how to look, never what it means.

mod snapshots;

use std::{collections::BTreeSet, io, time::Duration};

use anyhow::Result;
use tracer_core::{
    AttachState, ConnectionId, FallbackReason, Hook, HostFacts, Input, Loss, Note, Probe,
    ProcessKey, Question, decode,
};
use tracer_inspect::{
    clock,
    frames::rules::Rules,
    inspector::Inspector,
    process::{identity::TICK_NS, selection, visibility},
};

use super::{
    backend::{self, Backend},
    filter::Filter,
    kernel::{
        jiffies::SteadyClock,
        object::KernelOptions,
        privileges::{self, Needs},
        ring::{EventRing, LogRing},
    },
    ledger::Ledgers,
    plan::{Follow, Plan},
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
    inspector: Inspector,
    /// What those have handed out, if they are followed.
    ledgers: Option<Ledgers>,
    /// The processes with sockets in the latest snapshot, if that matters to the ledgers.
    holders: Vec<ProcessKey>,
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
        let (backend, fallback) = backend::open(options, plan.source)?;
        let is_followed = is_followed && fallback.is_none();
        let mut observer = Self {
            backend,
            events: None,
            log: None,
            filter: plan.filter.clone(),
            targets,
            inspector: Inspector::new(rules, plan.cmdline),
            ledgers: is_followed.then(|| Ledgers::new(plan.options.idle_ms / LEDGER_PART)),
            holders: Vec::new(),
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
        host.notes.extend(limits.map(|_| Note::InsidePidNamespace));
        if let Some(reason) = fallback {
            if let FallbackReason::ProgramsNotLoaded { detail } = &reason {
                log::warn!("no kernel programs: {detail}");
            }
            let state = AttachState::SockDiag { reason: reason.clone() };
            host.probes.push(Probe { hook: Hook::Snapshot, state });
            host.notes.extend(sock_diag::limits(reason));
        }
        if plan.follow == Follow::InVain {
            host.notes.push(Note::RunTooShortForResponses);
        }
        Ok((observer, Input::Host(host)))
    }

    fn host(&mut self, attach: bool) -> Result<HostFacts> {
        let started_at = clock::now();
        let suspended_ns = clock::suspended_ns();
        if !attach {
            let notes = vec![Note::SingleSnapshot];
            return Ok(HostFacts { started_at, suspended_ns, probes: Vec::new(), notes });
        }
        let mut probes = Vec::new();
        if let Some(kernel) = self.backend.kernel() {
            probes = kernel.attach();
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
        ledgers.look(kernel, self.inspector.programs(), &wanted, &self.holders)
    }

    /// Why there is nothing more to see: the user named processes, and neither they nor their
    /// descendants, if those were wanted, run any more.
    pub(crate) fn end(&self) -> Option<Input> {
        let ended = self.targets.as_ref().is_some_and(TargetProcesses::is_extinct);
        ended.then(|| Input::Note(Note::TargetProcessesEnded))
    }

    /// The answer to a question; `None` if there is none any more.
    pub(crate) fn answer(&mut self, question: &Question) -> Option<Input> {
        let stack = match question {
            Question::CallSite(_, stack) => {
                self.backend.kernel().and_then(|kernel| kernel.stack(*stack))
            }
            Question::Process(_) | Question::Readers(..) => None,
        };
        self.inspector.answer(question, stack.as_ref())
    }

    /// A snapshot failed: that is a loss like others.
    pub(crate) fn note_failed_snapshot(&mut self) {
        self.loss.snapshots_failed += 1;
    }
}
