//! What the run could and could not see.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{
    Detector,
    questions::{INSPECTIONS_MAX, PROCESSES_MAX},
};
use crate::{
    Comm, Coverage, Loss, Note, ProcessKey, QuestionKind, RecentlyClosed, call_sites,
    table::FactsLost, tracked::Tracked,
};

/// A process with this many TCP file descriptors may be near the usual limit of 1,024.
const FDS_MANY: u64 = 256;

impl Detector {
    pub(super) fn coverage(&self) -> Coverage {
        let unreadable = count(self.processes.unreadable.len()).saturating_add(self.unreadable);
        let processes_stopped = self.findings.stopped_processes();
        let uncorrected = self.uncorrected();
        let is_about_the_verdict = |kind: QuestionKind| kind != QuestionKind::CallSite;
        let unanswered = self.outstanding.unanswered();
        let is_answered = !unanswered.keys().any(|(kind, _)| is_about_the_verdict(*kind));
        let responses_full = self.processes.open_responses.left_out();
        let outside_hidden = self.host.notes.contains(&Note::OutsideNotVisible);
        Coverage {
            complete: uncorrected == Loss::default()
                && self.snapshots > 0
                && self.table.full == 0
                && responses_full == 0
                && self.loss.ledger_full == 0
                && self.undecodable == 0
                && self.unopened == 0
                && unreadable == 0
                && processes_stopped == 0
                && is_answered
                && !outside_hidden,
            loss: self.loss,
            uncorrected,
            table_full: self.table.full,
            responses_full,
            processes_unreadable: unreadable,
            processes_stopped,
            outside_hidden,
            not_judged: self.not_judged.clone(),
            fds_not_connected: self.processes.not_connected.total(),
            recently_closed: self.recently_closed(),
            selection: self.processes.selection.clone(),
            observed: self.processes.observed(),
            sockets: self.sockets,
            processes: self.processes.count(),
            snapshots: self.snapshots,
            snapshot_interval: self.intervals.summary(),
            probes: self.host.probes.clone(),
            notes: self.notes(),
        }
    }

    fn notes(&self) -> Vec<Note> {
        let mut notes = self.host.notes.clone();
        // `Coverage::gaps` adds this one.
        notes.retain(|note| *note != Note::OutsideNotVisible);
        let mut add = |count: u64, note: fn(u64) -> Note| {
            notes.extend((count > 0).then(|| note(count)));
        };
        add(count(self.processes.facts_queue.waiting), |count| Note::ProcessesNotIdentified {
            count,
            per_snapshot_max: PROCESSES_MAX,
        });
        add(count(self.processes.readers_queue.waiting), |count| Note::ReadersNotInspected {
            count,
            per_snapshot_max: INSPECTIONS_MAX,
        });
        add(self.unanswered, |count| Note::ReadersOutOfTime { count });
        let no_answers = self.outstanding.unanswered().into_iter();
        notes.extend(no_answers.map(|((question, reason), count)| Note::NoAnswer {
            question,
            reason,
            count,
        }));
        let mut add = |count: u64, note: fn(u64) -> Note| {
            notes.extend((count > 0).then(|| note(count)));
        };
        add(self.processes.open_responses.stale(), |count| Note::ResponsesStale { count });
        add(count(self.processes.call_sites.waiting()), |count| Note::StacksNotResolved {
            count,
            per_snapshot_max: call_sites::QUESTIONS_MAX,
        });
        add(self.loss.stacks_lost, |count| Note::StacksLost { count });
        add(self.findings.forgotten, |count| Note::RetractedNotListed { count });
        add(self.undecodable, |count| Note::SocketsUndecodable { count });
        add(self.unreadable, |count| Note::FdsUnreadable { count });
        add(self.unopened, |count| Note::SocketsNotInspected { count });
        notes.extend(self.processes.not_connected.note(&self.processes.holders, &self.options));
        notes.extend(self.facts_lost());
        notes.extend(self.processes.limit_notes());
        notes
    }

    /// The process that has the most of [`recently_closed_by_process`](Self::recently_closed_by_process),
    /// if they are enough; the one that started first, if several have as many.
    fn recently_closed(&self) -> Option<RecentlyClosed> {
        let counts = self.recently_closed_by_process();
        let total = counts.values().map(|(count, _)| count).sum();
        let (process, (count, comm)) =
            counts.into_iter().rev().max_by_key(|(_, (count, _))| *count)?;
        (count >= self::count(self.options.count_min)).then(|| RecentlyClosed {
            process,
            comm: comm.clone(),
            count,
            total,
        })
    }

    /// The number of connections of each process that died less than `--idle` ago and have no
    /// verdict.
    fn recently_closed_by_process(&self) -> BTreeMap<ProcessKey, (u64, &Comm)> {
        let is_recent = |tracked: &&Tracked| {
            let since = tracked.dead_since().filter(|_| tracked.flag().is_none());
            since.is_some_and(|since| self.now.ms_since(since) < self.options.idle_ms)
        };
        let mut counts: BTreeMap<ProcessKey, (u64, &Comm)> = BTreeMap::new();
        for owner in self.table.open().filter(is_recent).filter_map(Tracked::owner) {
            counts.entry(owner.key).or_insert((0, &owner.comm)).0 += 1;
        }
        counts
    }

    /// The processes that may be at their fd limit although they have no finding. Whether they are
    /// is part of what is known about a process, so it has to be asked for.
    pub(super) fn may_be_at_fd_limit(&self) -> impl Iterator<Item = ProcessKey> {
        let count_min = count(self.options.count_min);
        let closed = self.recently_closed_by_process().into_iter();
        let closed = closed.filter(move |(_, (count, _))| *count >= count_min);
        let holders = self.processes.holders.values();
        let many = holders.filter(|holder| holder.tcp_fds >= FDS_MANY).map(|holder| holder.key);
        closed.map(|(key, _)| key).chain(many)
    }

    /// What the loss of events and stacks means for the open connections; `None` if it means
    /// nothing.
    fn facts_lost(&self) -> Option<Note> {
        let has_lost_stacks = self.loss.stacks_lost > 0;
        if self.loss.events() == 0 && !has_lost_stacks {
            return None;
        }
        let FactsLost { ages, openers, call_sites } = self.table.facts_lost(has_lost_stacks);
        (ages.max(openers).max(call_sites) > 0).then_some(Note::FactsLost {
            ages,
            openers,
            call_sites,
        })
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
