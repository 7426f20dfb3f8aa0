mod coverage;
mod questions;

use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

pub use questions::{Asked, Question};

use crate::{
    Change, ChangeKind, ConnectionId, Flag, HostFacts, Input, Loss, Options, ProcessKey,
    ReaderFacts, Readers, Report, Snapshot, Timestamp, Verdict,
    group::GroupKey,
    history::History,
    judge::{Case, Judged, Size},
    processes::Processes,
    sighting::{Share, Sighting},
    standing::{Standing, connection},
    table::{Departure, Table},
    tracked::{Flagged, Tracked},
};

/// Takes [`Input`]s and judges.
#[derive(Debug)]
pub struct Detector {
    options: Options,
    host: HostFacts,
    table: Table,
    processes: Processes,
    histories: BTreeMap<GroupKey, History>,
    standing: Standing,
    changes: Vec<Change>,
    /// Some verdict has changed: taken by [`take_stir`](Self::take_stir).
    stirred: bool,
    now: Timestamp,
    loss: Loss,
    /// Something was lost that no later snapshot has made up for.
    unhealed: bool,
    snapshots: u64,
    sockets: u64,
    undecodable: u64,
    unreadable: u64,
    unopened: u64,
    not_judged: BTreeMap<String, u64>,
    /// The connections whose readers were asked for and not answered yet.
    asked: BTreeMap<ProcessKey, Vec<ConnectionId>>,
    /// Questions about readers that were not answered at the latest look.
    unanswered: u64,
}

impl Detector {
    /// A detector that has seen nothing yet.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            host: HostFacts::default(),
            table: Table::new(options.connections_max),
            processes: Processes::new(options.responses_max),
            histories: BTreeMap::new(),
            standing: Standing::default(),
            changes: Vec::new(),
            stirred: false,
            now: Timestamp::default(),
            loss: Loss::default(),
            unhealed: false,
            snapshots: 0,
            sockets: 0,
            undecodable: 0,
            unreadable: 0,
            unopened: 0,
            not_judged: BTreeMap::new(),
            asked: BTreeMap::new(),
            unanswered: 0,
        }
    }

    /// Takes in what happened. Verdicts are given on [`Input::Tick`] only; a closed connection
    /// loses its verdict at once.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Host(host) => self.host = host,
            Input::Event(event) => {
                if let Some(departure) = self.table.handle_event(&event) {
                    self.take_back(departure, event.at);
                }
            }
            Input::Snapshot(snapshot) => self.reconcile(snapshot),
            Input::Process(facts) => {
                self.processes.unreadable.remove(&facts.key);
                self.processes.facts.insert(facts.key, facts);
            }
            Input::ProcessUnreadable(key) => {
                self.processes.unreadable.insert(key);
            }
            Input::Readers(readers) => self.look_into(readers),
            Input::Ledger(ledger) => {
                self.stirred |= self.processes.pages.take(ledger, self.snapshots);
            }
            Input::CallSite(answer) => self.processes.sites.remember(answer),
            Input::Unanswered(count) => self.unanswered = count,
            Input::Note(note) => {
                if !self.host.notes.contains(&note) {
                    self.host.notes.push(note);
                }
            }
            Input::Loss(loss) => {
                self.unhealed |= loss.healable() != self.loss.healable();
                self.loss = loss;
            }
            Input::Tick(now) => self.judge(now),
        }
    }

    fn reconcile(&mut self, mut snapshot: Snapshot) {
        let at = snapshot.ended_at;
        self.snapshots += 1;
        self.unhealed = false;
        self.sockets = u64::try_from(snapshot.sockets.len()).unwrap_or(u64::MAX);
        self.undecodable = snapshot.undecodable;
        self.unreadable = snapshot.unreadable;
        self.unopened = snapshot.unopened;
        self.not_judged.clone_from(&snapshot.not_judged);
        let suspended_ns = self.host.suspended_ns;
        let holders = core::mem::take(&mut snapshot.holders);
        for departure in self.table.reconcile(snapshot, |key| key.began_at(suspended_ns)) {
            self.take_back(departure, at);
        }
        // Only now: of what was taken back it is still to be told where it was called.
        self.processes.count(holders, self.snapshots, at, self.options.window_ms);
        self.observe_groups(at);
    }

    fn observe_groups(&mut self, at: Timestamp) {
        let mut sizes = self.case(at).sizes();
        sizes.retain(|_, size| size.count >= self.options.count_min);
        self.histories.retain(|group, _| sizes.contains_key(group));
        for (group, Size { count, oldest }) in sizes {
            let history = self.histories.entry(group).or_default();
            history.observe(at, count, oldest, self.options.window_ms);
        }
    }

    /// What is missing from the answer is not known any more.
    fn look_into(&mut self, readers: Readers) {
        let mut found: BTreeMap<ConnectionId, ReaderFacts> =
            readers.found.into_iter().map(|facts| (facts.id, facts)).collect();
        for id in self.asked.remove(&readers.process).unwrap_or_default() {
            let found = found.remove(&id);
            if let Some(tracked) = self.table.get_mut(id) {
                tracked.look_into(found);
            }
        }
        if let Some(goroutines) = readers.goroutines {
            self.processes.goroutines.insert(readers.process, goroutines);
        }
        match readers.limits {
            Some(limits) => drop(self.processes.limits.insert(readers.process, limits)),
            None => drop(self.processes.limits.remove(&readers.process)),
        }
    }

    /// A connection that was closed or used again has no verdict any more.
    fn take_back(&mut self, departure: Departure, at: Timestamp) {
        match departure {
            Departure::Closed(tracked) => {
                if let Some(flag) = tracked.flag() {
                    self.change(at, ChangeKind::Closed, &tracked, flag);
                }
            }
            Departure::Used(id) => {
                // Where others share the connection, its use says nothing of the responses that
                // nobody reads. Whether those are still out, the next page says.
                if self.table.get(id).is_some_and(|tracked| self.is_shared(tracked, at)) {
                    return;
                }
                if let Some(flag) = self.table.get(id).and_then(Tracked::flag) {
                    self.retract(at, id, flag);
                }
            }
        }
    }

    /// It has its verdict for one of the many responses of a connection of HTTP/2.
    fn is_shared(&self, tracked: &Tracked, at: Timestamp) -> bool {
        let case = self.case(at);
        tracked.flag().is_some_and(|flag| flag.verdict == Verdict::BodyNotClosed)
            && case.sighting(tracked).is_some_and(|sighting| sighting.is_multiplexed())
    }

    fn judge(&mut self, now: Timestamp) {
        self.now = now;
        let case =
            case(&self.table, &self.processes, &self.histories, &self.host, &self.options, now);
        let docket = case.docket();
        let judged = case.verdicts(&docket);
        let verdicts = given(&judged);
        let open = self.table.open().filter(|tracked| !verdicts.contains_key(&tracked.id));
        let dropped: BTreeMap<ConnectionId, Flag> =
            open.filter_map(|tracked| Some((tracked.id, tracked.flag()?))).collect();
        let had_flag = |id| self.table.get(id).is_some_and(|tracked| tracked.flag().is_some());
        let flagged =
            |id| verdicts.contains_key(&id) || (had_flag(id) && !dropped.contains_key(&id));
        let (facts, limit) = (&self.processes.facts, self.options.retracted_max);
        self.standing.update(&judged, facts, now, limit, flagged);
        for (id, flag) in dropped {
            self.retract(now, id, flag);
        }
        for (id, given) in verdicts {
            self.give(now, id, given);
        }
    }

    /// Gives a connection a verdict; a change of it is told, and stands since the first one.
    fn give(&mut self, now: Timestamp, id: ConnectionId, given: Flagged) {
        let Some(tracked) = self.table.get_mut(id) else { return };
        let before = tracked.flag();
        let flag = Flag { since: before.map_or(now, |before| before.since), ..given.flag };
        tracked.flagged = Some(Box::new(Flagged { flag, ..given }));
        if before != Some(flag) {
            self.change_by_id(now, ChangeKind::Flagged, id, flag);
        }
    }

    /// Takes a connection's verdict away, and tells of it where it was called.
    fn retract(&mut self, at: Timestamp, id: ConnectionId, flag: Flag) {
        self.change_by_id(at, ChangeKind::Retracted, id, flag);
        if let Some(tracked) = self.table.get_mut(id) {
            tracked.flagged = None;
        }
    }

    fn change_by_id(&mut self, at: Timestamp, kind: ChangeKind, id: ConnectionId, flag: Flag) {
        let change = self.table.get(id).and_then(|tracked| self.changed(at, kind, tracked, flag));
        self.stirred = true;
        self.changes.extend(change);
    }

    fn change(&mut self, at: Timestamp, kind: ChangeKind, tracked: &Tracked, flag: Flag) {
        let change = self.changed(at, kind, tracked, flag);
        self.stirred = true;
        self.changes.extend(change);
    }

    fn changed(
        &self,
        at: Timestamp,
        kind: ChangeKind,
        tracked: &Tracked,
        flag: Flag,
    ) -> Option<Change> {
        let case = self.case(at);
        let sighting = case.sighting(tracked)?;
        // What it was flagged for may be out no more.
        let response = tracked.flagged.as_ref().and_then(|flagged| flagged.response);
        let share = response.map_or(sighting.share, |(process, stack)| {
            Share::Of(self.processes.sites.place(process, stack))
        });
        let connection = connection(&Sighting { share, ..sighting });
        Some(Change { at, kind, connection, flag })
    }

    /// Some connection with a verdict was not in the latest snapshot. Another one settles whether
    /// it is closed.
    pub fn is_undecided(&self) -> bool {
        self.table.is_undecided()
    }

    /// What happened to single connections' verdicts since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        core::mem::take(&mut self.changes)
    }

    /// Something has changed since the last call: a connection came, went, moved data, was read,
    /// written or passed on, or its state or verdict is another one. Where nothing does, there is
    /// no need to look often.
    pub const fn take_stir(&mut self) -> bool {
        let stirred = self.stirred || self.table.stirred;
        (self.stirred, self.table.stirred) = (false, false);
        stirred
    }

    /// What is known as of the latest [`Input::Tick`].
    pub fn report(&self) -> Report {
        let findings = self.standing.findings();
        let processes: BTreeSet<ProcessKey> = self.of_interest().collect();
        let processes = self.processes.summaries(&processes, &findings, self.now);
        Report {
            started_at: self.host.started_at,
            at: self.now,
            findings,
            processes,
            unflagged: if self.options.all { self.unflagged() } else { Vec::new() },
            coverage: self.coverage(),
        }
    }

    /// The processes in the findings, and those that the user asked for.
    fn of_interest(&self) -> impl Iterator<Item = ProcessKey> {
        let asked_for = self.processes.in_scope().filter(|_| self.options.scoped);
        self.standing.processes().chain(asked_for)
    }

    /// What is to be judged, as of `now`.
    fn case(&self, now: Timestamp) -> Case<'_> {
        case(&self.table, &self.processes, &self.histories, &self.host, &self.options, now)
    }

    fn unflagged(&self) -> Vec<crate::Connection> {
        let case = self.case(self.now);
        let unflagged = self.table.open().filter(|tracked| tracked.flag().is_none());
        let sightings = unflagged.filter_map(|tracked| case.sighting(tracked));
        let mut unflagged: Vec<_> = sightings.map(|sighting| connection(&sighting)).collect();
        // The table's own order changes when connections go.
        unflagged.sort_unstable_by_key(|connection| connection.id);
        unflagged
    }
}

/// What is to be judged, as of `now`; of these parts, where others change meanwhile.
fn case<'a>(
    table: &'a Table,
    processes: &'a Processes,
    histories: &'a BTreeMap<GroupKey, History>,
    host: &HostFacts,
    options: &'a Options,
    now: Timestamp,
) -> Case<'a> {
    let suspended_ns = host.suspended_ns;
    Case { table, processes, histories, suspended_ns, options, now }
}

/// What each connection is given. Where it is in the findings of several call sites, the surest.
fn given(judged: &[Judged<'_>]) -> BTreeMap<ConnectionId, Flagged> {
    let mut given: BTreeMap<ConnectionId, Flagged> = BTreeMap::new();
    for judged in judged {
        let (verdict, confidence) = (judged.assessment.verdict, judged.assessment.confidence);
        for member in &judged.members {
            let is_surest = |it: &Flagged| it.flag.confidence >= confidence;
            if !given.get(&member.tracked.id).is_some_and(is_surest) {
                let flag = Flag { verdict, confidence, since: member.now };
                let response = member.response_stack();
                given.insert(member.tracked.id, Flagged { flag, response });
            }
        }
    }
    given
}
