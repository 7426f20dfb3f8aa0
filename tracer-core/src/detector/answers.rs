//! Answers to questions.

use alloc::{collections::BTreeMap, vec::Vec};

use super::{Detector, outstanding::Mark};
use crate::{
    CallSite, ConnectionId, NoAnswer, ProcessFacts, ProcessKey, ReaderFacts, Readers, Subject,
};

impl Detector {
    pub(super) fn take_facts(&mut self, facts: ProcessFacts) {
        let asked_at = self.outstanding.take_process(facts.key);
        self.processes.take_facts(facts, asked_at, self.options.idle_ms);
    }

    pub(super) fn take_unreadable(&mut self, process: ProcessKey) {
        self.outstanding.take_process(process);
        // The process may have exited since the question.
        if self.processes.is_running(process) && self.processes.unreadable.insert(process) {
            self.table.processes.touch_key(process);
        }
    }

    pub(super) fn take_call_site(&mut self, answer: CallSite) {
        self.outstanding.answered(Subject::CallSite(answer.process, answer.stack));
        self.processes.call_sites.remember(answer);
    }

    /// Takes the readers of a process's connections. A connection that is missing from the answer
    /// has an unknown reader from now on. The result for a connection that was used or got another
    /// owner since the question may be outdated, and is dropped.
    pub(super) fn take_readers(&mut self, readers: Readers) {
        let mut found: BTreeMap<ConnectionId, ReaderFacts> =
            readers.found.into_iter().map(|facts| (facts.id, facts)).collect();
        for (id, mark) in self.outstanding.take_readers(readers.process) {
            let found = found.remove(&id);
            if self.table.get(id).and_then(Mark::of) == Some(mark) {
                self.table.change(id, |tracked| tracked.set_reader(found, readers.at));
            }
        }
        if let Some(goroutines) = readers.goroutines {
            self.processes.goroutines.insert(readers.process, goroutines);
        }
        if readers.limits.is_empty() {
            self.processes.limits.remove(&readers.process);
        } else {
            self.processes.limits.insert(readers.process, readers.limits);
        }
    }

    /// Takes that a question will not be answered.
    pub(super) fn take_no_answer(&mut self, subject: Subject, reason: NoAnswer) {
        self.outstanding.give_up(subject, reason);
        if let (Subject::Readers(process), NoAnswer::OutOfTime) = (subject, reason) {
            self.processes.readers_queue.not_served(&process);
        }
    }

    /// Takes that the remaining questions will not be answered. `count` is the number of questions
    /// about readers for which there was no time.
    pub(super) fn take_unanswered(&mut self, count: u64) {
        self.unanswered = count;
        for process in self.outstanding.give_up_all() {
            self.processes.readers_queue.not_served(&process);
        }
    }

    /// The connections of a question, as they are now.
    pub(super) fn marks(
        &self,
        ids: impl Iterator<Item = ConnectionId>,
    ) -> Vec<(ConnectionId, Mark)> {
        ids.filter_map(|id| Some((id, Mark::of(self.table.get(id)?)?))).collect()
    }
}
