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

    /// The process that has the most connections that died less than `--idle` ago and have no
    /// verdict; the one that started first, if several have as many.
    fn recently_closed(&self) -> Option<RecentlyClosed> {
        let is_recent = |tracked: &&Tracked| {
            let since = tracked.dead_since().filter(|_| tracked.flag().is_none());
            since.is_some_and(|since| self.now.ms_since(since) < self.options.idle_ms)
        };
        let mut counts: BTreeMap<ProcessKey, (u64, &Comm)> = BTreeMap::new();
        for owner in self.table.open().filter(is_recent).filter_map(Tracked::owner) {
            counts.entry(owner.key).or_insert((0, &owner.comm)).0 += 1;
        }
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
