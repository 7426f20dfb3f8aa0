//! The detector: takes inputs, asks questions, produces findings.

mod answers;
mod clean_ups;
mod coverage;
mod derivations;
mod outstanding;
mod questions;
mod verdicts;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    sync::Arc,
    vec::Vec,
};

use clean_ups::CleanedGroups;
use derivations::Derivations;
use outstanding::Outstanding;
use verdicts::{ConnectionVerdict, verdicts};

use crate::{
    Change, ChangeKind, Connection, ConnectionId, Flag, HostFacts, Input, Loss, Options,
    ProcessKey, Report, Snapshot, Subject, Timestamp, Verdict,
    connection_view::{ConnectionView, ResponseSelection},
    finding_tracker::{FindingTracker, connection},
    group::GroupKey,
    group_history::GroupHistory,
    history::History,
    judge::{JudgeContext, behind_half_closed},
    processes::Processes,
    snapshot_interval::SnapshotIntervals,
    table::{Retraction, Table},
    tracked::{Flagged, Tracked},
};

/// Takes [`Input`]s and produces findings.
#[derive(Debug)]
pub struct Detector {
    options: Options,
    host: HostFacts,
    pub(crate) table: Table,
    processes: Processes,
    histories: BTreeMap<GroupKey, GroupHistory>,
    /// What processes did to dead connections since the latest snapshot.
    cleaned: CleanedGroups,
    /// How many connections of each group were capped by half-closed ones, over time.
    half_closed: BTreeMap<GroupKey, History>,
    findings: FindingTracker,
    /// The connections that have a verdict, by id.
    flagged: BTreeSet<ConnectionId>,
    derived: Derivations,
    changes: Vec<Change>,
    /// Whether some verdict has changed; reset by [`take_changed`](Self::take_changed).
    changed: bool,
    now: Timestamp,
    loss: Loss,
    /// The part of `loss` that the latest snapshot has corrected.
    corrected: Loss,
    snapshots: u64,
    intervals: SnapshotIntervals,
    sockets: u64,
    undecodable: u64,
    unreadable: u64,
    unopened: u64,
    not_judged: BTreeMap<String, u64>,
    /// The questions that have not been answered yet.
    outstanding: Outstanding,
    /// Questions about readers that were left unanswered after the latest snapshot.
    unanswered: u64,
}

impl Detector {
    /// A detector without inputs.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            host: HostFacts::default(),
            table: Table::new(options.connections_max),
            processes: Processes::new(options.responses_max),
            histories: BTreeMap::new(),
            cleaned: CleanedGroups::default(),
            half_closed: BTreeMap::new(),
            findings: FindingTracker::default(),
            flagged: BTreeSet::new(),
            derived: Derivations::default(),
            changes: Vec::new(),
            changed: false,
            now: Timestamp::default(),
            loss: Loss::default(),
            corrected: Loss::default(),
            snapshots: 0,
            intervals: SnapshotIntervals::default(),
            sockets: 0,
            undecodable: 0,
            unreadable: 0,
            unopened: 0,
            not_judged: BTreeMap::new(),
            outstanding: Outstanding::default(),
            unanswered: 0,
        }
    }

    /// Takes one input. Verdicts are given on [`Input::Tick`] only; a connection that is closed
    /// loses its verdict at once.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Host(host) => {
                self.host = host;
                self.table.processes.touch_all();
            }
            Input::Selection(selection) => self.processes.selection = Some(selection),
            Input::Event(event) => {
                if let Some(retraction) = self.table.handle_event(&event) {
                    self.handle_retraction(retraction, event.at);
                }
            }
            Input::Snapshot(snapshot) => self.reconcile(snapshot),
            Input::Process(facts) => {
                let is_known = self.processes.facts.contains_key(&facts.key);
                if !is_known || self.processes.unreadable.contains(&facts.key) {
                    self.table.processes.touch_key(facts.key);
                }
                self.take_facts(facts);
            }
            Input::ProcessUnreadable(key) => self.take_unreadable(key),
            Input::Readers(readers) => self.take_readers(readers),
            Input::Ledger(ledger) => {
                self.outstanding.answered(Subject::Responses(ledger.process));
                self.table.processes.touch_key(ledger.process);
                self.changed |= self.processes.open_responses.replace(ledger, self.snapshots);
            }
            Input::CallSite(answer) => self.take_call_site(answer),
            Input::NoAnswer(subject, reason) => self.take_no_answer(subject, reason),
            Input::ResponsesAwaited(process) => self.outstanding.await_responses(process),
            Input::Unanswered(count) => self.take_unanswered(count),
            Input::Note(note) => {
                if !self.host.notes.contains(&note) {
                    self.host.notes.push(note);
                }
            }
            Input::Loss(loss) => self.loss = loss,
            Input::Tick(now) => self.judge(now),
        }
    }

    fn reconcile(&mut self, mut snapshot: Snapshot) {
        let at = snapshot.ended_at;
        self.snapshots += 1;
        self.intervals.observe(snapshot.started_at);
        let has_lost = self.uncorrected() != Loss::default();
        self.corrected = self.loss.correctable();
        self.sockets = u64::try_from(snapshot.sockets.len()).unwrap_or(u64::MAX);
        self.undecodable = snapshot.undecodable;
        self.unreadable = snapshot.unreadable;
        self.unopened = snapshot.unopened;
        self.not_judged.clone_from(&snapshot.not_judged);
        let suspended_ns = self.host.suspended_ns;
        let holders = core::mem::take(&mut snapshot.holders);
        self.processes.count_not_connected(&snapshot.sockets);
        for retraction in
            self.table.reconcile(snapshot, has_lost, |key| key.started_at(suspended_ns))
        {
            self.handle_retraction(retraction, at);
        }
        // This comes last: the changes above still name the call sites of processes that are gone.
        self.processes.take_holders(holders, self.snapshots, at, self.options.window_ms);
        self.outstanding.retain(|key| self.processes.is_running(*key));
        self.host.notes.retain(|note| self.processes.still_applies(note));
        self.observe_groups(at);
    }

    /// The losses that no later snapshot has corrected yet.
    fn uncorrected(&self) -> Loss {
        self.loss.correctable().since(self.corrected)
    }

    /// Retracts the verdict of a connection that was closed or used again.
    fn handle_retraction(&mut self, retraction: Retraction, at: Timestamp) {
        match retraction {
            Retraction::Closed(tracked) => {
                // Hardly any connection has a verdict.
                if tracked.flagged.is_some() {
                    self.flagged.remove(&tracked.id);
                }
                self.cleaned.add_half_closed(&tracked);
                self.add_closed(&tracked, at);
                self.cleaned.extend(self.clean_up(&tracked, at, false));
                if let Some(flag) = tracked.flag() {
                    let change = self.change(at, ChangeKind::Closed, &tracked, flag);
                    self.push_change(change);
                }
            }
            Retraction::Used(id) => {
                // If several responses share the connection, its use says nothing about the leaked
                // ones. The next list of open responses shows whether they were released.
                if self.table.get(id).is_some_and(|tracked| self.is_shared(tracked, at)) {
                    return;
                }
                let Some(tracked) = self.table.get(id) else { return };
                if let Some(flag) = tracked.flag() {
                    self.cleaned.extend(self.clean_up(tracked, at, true));
                    self.retract(at, id, flag);
                }
            }
        }
    }

    /// Whether the connection has its verdict for one of several responses (HTTP/2).
    fn is_shared(&self, tracked: &Tracked, at: Timestamp) -> bool {
        let context = self.context(at);
        tracked.flag().is_some_and(|flag| flag.verdict == Verdict::BodyNotClosed)
            && context.view(tracked).is_some_and(|view| view.is_multiplexed())
    }

    fn judge(&mut self, now: Timestamp) {
        self.now = now;
        let as_of = self.intervals.judged_as_of(now);
        let context = context(
            &self.table,
            &self.processes,
            &self.histories,
            &self.half_closed,
            &self.host,
            &self.options,
            as_of,
        );
        // The findings about these processes stay as they are until the answers arrive.
        let awaited = self.outstanding.processes();
        let Derivations { sizes, claimed, unfounded, .. } = &mut self.derived;
        let candidates = context.candidates(claimed, sizes, unfounded, &awaited);
        let judged = context.judge(&candidates);
        for process in candidates.unfounded(&judged, &self.derived.claimed, &self.table.processes) {
            if let Some(until) = self.derived.claimed.until(&self.table.processes, process) {
                self.derived.unfounded.keep(&self.table.processes, process, until, ());
            }
        }
        let verdicts = verdicts(&judged);
        let dropped = self.flagged.iter().filter(|id| !verdicts.contains_key(id));
        let dropped = dropped.filter_map(|id| self.table.get_open(*id));
        let dropped = dropped.filter(|tracked| !is_awaited(tracked, &awaited));
        let dropped: BTreeMap<ConnectionId, Flag> =
            dropped.filter_map(|tracked| Some((tracked.id, tracked.flag()?))).collect();
        let had_flag = |id| self.table.get(id).is_some_and(|tracked| tracked.flag().is_some());
        let is_flagged =
            |id| verdicts.contains_key(&id) || (had_flag(id) && !dropped.contains_key(&id));
        self.findings.set_aside(&awaited, now, is_flagged);
        let (facts, retracted_max) = (&self.processes.facts, self.options.retracted_max);
        let keys = self.findings.update(&judged, facts, now, retracted_max, is_flagged);
        self.findings.restore();
        let half_closed = behind_half_closed(&judged);
        self.half_closed
            .retain(|group, _| half_closed.contains_key(group) || awaited.contains(&group.process));
        for (group, (count, oldest)) in half_closed {
            let history = self.half_closed.entry(group).or_default();
            history.observe(now, count, oldest, self.options.window_ms);
        }
        for (id, flag) in dropped {
            self.retract(now, id, flag);
        }
        for (id, ConnectionVerdict { flag, response, cap_reason, finding }) in verdicts {
            if let Some(key) = keys.get(finding) {
                self.flag(now, id, Flagged { flag, response, cap_reason, key: Arc::clone(key) });
            }
        }
    }

    /// Gives a connection a verdict, and reports it if it differs from the one before.
    fn flag(&mut self, now: Timestamp, id: ConnectionId, flagged: Flagged) {
        let Some(tracked) = self.table.get(id) else { return };
        let before = tracked.flag();
        let flag = Flag { since: before.map_or(now, |before| before.since), ..flagged.flag };
        let flagged = Flagged { flag, ..flagged };
        if tracked.flagged.as_deref() == Some(&flagged) {
            return;
        }
        self.table.change(id, |tracked| tracked.flagged = Some(Box::new(flagged)));
        self.flagged.insert(id);
        if before != Some(flag) {
            self.push_change_of(now, ChangeKind::Flagged, id, flag);
        }
    }

    /// Retracts the verdict of a connection, and reports the retraction with the call site of that
    /// verdict.
    fn retract(&mut self, at: Timestamp, id: ConnectionId, flag: Flag) {
        self.push_change_of(at, ChangeKind::Retracted, id, flag);
        self.table.change(id, |tracked| tracked.flagged = None);
        self.flagged.remove(&id);
    }

    fn push_change_of(&mut self, at: Timestamp, kind: ChangeKind, id: ConnectionId, flag: Flag) {
        let change = self.table.get(id).and_then(|tracked| self.change(at, kind, tracked, flag));
        self.push_change(change);
    }

    fn push_change(&mut self, change: Option<Change>) {
        self.changed = true;
        self.changes.extend(change);
    }

    fn change(
        &self,
        at: Timestamp,
        kind: ChangeKind,
        tracked: &Tracked,
        flag: Flag,
    ) -> Option<Change> {
        let context = self.context(at);
        let view = context.view(tracked)?;
        // The response behind the verdict may no longer be open.
        let flagged = tracked.flagged.as_ref()?;
        let selection = flagged.response.map_or(view.selection, |(process, stack)| {
            ResponseSelection::At(self.processes.call_sites.call_site(process, stack))
        });
        let connection = connection(&ConnectionView { selection, ..view });
        let process = tracked.owner().and_then(|it| self.processes.facts.get(&it.key));
        let script = process.and_then(|facts| facts.script.clone());
        Some(Change { at, kind, connection, flag, key: (*flagged.key).clone(), script })
    }

    /// Whether another snapshot would show more: a connection with a verdict is missing from the
    /// latest one, or events have been lost since.
    pub fn is_undecided(&self) -> bool {
        self.table.is_undecided() || self.uncorrected().events() > 0
    }

    /// The changes of single connections' verdicts since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Whether something has changed since the last call: a connection was opened, closed, used or
    /// passed on, or its state or verdict changed. If nothing changes, snapshots can be rare.
    pub const fn take_changed(&mut self) -> bool {
        let changed = self.changed || self.table.changed;
        (self.changed, self.table.changed) = (false, false);
        changed
    }

    /// The report as of the latest [`Input::Tick`].
    pub fn report(&self) -> Report {
        let findings = self.findings.findings();
        let processes: BTreeSet<ProcessKey> = self.reported_processes().collect();
        let processes = self.processes.summaries(&processes, &findings, self.now);
        Report {
            started_at: self.host.started_at,
            at: self.now,
            findings,
            processes,
            unflagged: if self.options.all { self.unflagged() } else { Vec::new() },
            coverage: self.coverage(),
            options: self.options,
        }
    }

    /// The processes in the findings, those that the user named, and those at their fd limit.
    fn reported_processes(&self) -> impl Iterator<Item = ProcessKey> {
        let named = self.processes.in_scope().filter(|_| self.options.scoped);
        self.findings.processes().chain(named).chain(self.processes.at_fd_limit())
    }

    fn context(&self, now: Timestamp) -> JudgeContext<'_> {
        let Self { table, processes, histories, half_closed, host, options, .. } = self;
        context(table, processes, histories, half_closed, host, options, now)
    }

    fn unflagged(&self) -> Vec<Connection> {
        let context = self.context(self.now);
        let unflagged = self.table.open().filter(|tracked| tracked.flag().is_none());
        let views = unflagged.filter_map(|tracked| context.view(tracked));
        let mut unflagged: Vec<_> = views.map(|view| connection(&view)).collect();
        // The table's own order changes when connections are removed.
        unflagged.sort_unstable_by_key(|connection| connection.id);
        unflagged
    }
}

/// Whether the process of the connection is not judged because an answer is awaited.
fn is_awaited(tracked: &Tracked, awaited: &BTreeSet<ProcessKey>) -> bool {
    let process = || tracked.owner().map(|owner| owner.key);
    !awaited.is_empty() && process().is_some_and(|key| awaited.contains(&key))
}

/// The context of a judgment at `now`. It borrows single fields, so the others can change
/// while it exists.
const fn context<'a>(
    table: &'a Table,
    processes: &'a Processes,
    histories: &'a BTreeMap<GroupKey, GroupHistory>,
    half_closed: &'a BTreeMap<GroupKey, History>,
    host: &HostFacts,
    options: &'a Options,
    now: Timestamp,
) -> JudgeContext<'a> {
    let suspended_ns = host.suspended_ns;
    JudgeContext { table, processes, histories, half_closed, suspended_ns, options, now }
}
