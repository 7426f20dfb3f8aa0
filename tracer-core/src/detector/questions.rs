//! What the detector asks of processes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    Asked, ProcessKey, Question, Reader, StackId, Subject, Timestamp,
    connection_view::ConnectionView,
    group::GroupKey,
    rules::{self, Suspicion},
};

/// Most processes that are identified after one snapshot.
pub(super) const PROCESSES_MAX: usize = 1_024;
/// Most processes that are inspected for readers after one snapshot. The observer may answer for
/// fewer, and is asked for the others after the next snapshot.
pub(super) const INSPECTIONS_MAX: usize = 256;

impl Detector {
    /// The questions that follow from the latest snapshot: what the processes are that some rule
    /// suspects or that the user named, who reads from suspicious connections, and which call sites
    /// they come from. At most 1,024 processes, 256 inspections and 64 stacks at a time. A process is
    /// not judged until each question about it is answered, or `Input::NoAnswer` or
    /// `Input::Unanswered` says that it will not be.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let mut suspected: BTreeSet<ProcessKey> = BTreeSet::new();
        // By port, and by group within it: a leak to many addresses has few connections to each.
        let mut suspects: BTreeMap<GroupKey, BTreeMap<GroupKey, Suspects>> = BTreeMap::new();
        let mut alone: BTreeSet<GroupKey> = BTreeSet::new();
        let mut stacks: BTreeSet<(ProcessKey, StackId)> = BTreeSet::new();
        for (group, view, suspicion) in self.context(now).suspects() {
            if suspicion == Suspicion::Claimed {
                suspected.insert(group.process);
                stacks.extend(view.call_stack());
                let responses = rules::leaked(&view);
                stacks.extend(responses.filter_map(|it| Some((group.process, it.stack?))));
            }
            let of_port = suspects.entry(group.of_port()).or_default();
            of_port.entry(group).or_default().add(&view);
            if rules::asks_alone(&view) {
                alone.insert(group);
            }
        }
        suspected.extend(self.reported_processes());
        let mut readers: BTreeMap<ProcessKey, Vec<Asked>> = BTreeMap::new();
        for (port, mut groups) in suspects {
            // Whoever reads from fewer, no rule makes more of them than *possible*.
            let few = self.options.count_min.min(self.options.pool_size.saturating_add(1));
            if groups.values().map(|suspects| suspects.count).sum::<usize>() < few {
                groups.retain(|group, _| alone.contains(group));
            }
            for mut suspects in groups.into_values().filter(|it| !it.to_ask.is_empty()) {
                readers.entry(port.process).or_default().append(&mut suspects.to_ask);
            }
        }
        suspected.extend(readers.keys());
        // What was asked and is not answered yet is not asked again.
        let is_awaited = |subject| self.outstanding.is_awaited(subject);
        suspected.retain(|process| !is_awaited(Subject::Process(*process)));
        readers.retain(|process, _| !is_awaited(Subject::Readers(*process)));
        stacks.retain(|(process, stack)| !is_awaited(Subject::CallSite(*process, *stack)));
        let processes = self.processes.facts_queue.take(suspected, self.snapshots, PROCESSES_MAX);
        let wanted = readers.keys().copied();
        let inspected = self.processes.readers_queue.take(wanted, self.snapshots, INSPECTIONS_MAX);
        readers.retain(|key, _| inspected.contains(key));
        let stacks = self.processes.sites.ask(&stacks, self.snapshots);
        for process in &processes {
            self.outstanding.ask_process(*process, self.processes.snapshot_at());
        }
        for (process, asked) in &readers {
            let marks = self.marks(asked.iter().map(|asked| asked.id));
            self.outstanding.ask_readers(*process, marks);
        }
        for (process, stack) in &stacks {
            self.outstanding.ask_call_site(*process, *stack);
        }
        let readers = readers.into_iter().map(|(key, asked)| Question::Readers(key, asked));
        let sites = stacks.into_iter().map(|(process, stack)| Question::CallSite(process, stack));
        processes.into_iter().map(Question::Process).chain(readers).chain(sites).collect()
    }

    /// The stacks that a later question may be about: those of connections that may be open, and of
    /// responses in flight.
    pub fn stacks(&self) -> BTreeSet<StackId> {
        let opened = self.table.connections().filter_map(|tracked| tracked.stack);
        opened.chain(self.processes.open_responses.stacks()).collect()
    }
}

/// The suspicious connections of one group.
#[derive(Default)]
struct Suspects {
    count: usize,
    /// Those of which no answer holds, or not for long.
    to_ask: Vec<Asked>,
}

impl Suspects {
    fn add(&mut self, view: &ConnectionView<'_>) {
        let Some(asked) = asked(view) else { return };
        self.count += 1;
        if needs_answer(view) {
            self.to_ask.push(asked);
        }
    }
}

/// No answer holds for another half of `--idle`, or a rule needs a second answer. That nobody reads is
/// asked again each time: it speaks against the process, and a response that is read from a buffer and
/// closed changes no byte counter of the kernel.
fn needs_answer(view: &ConnectionView<'_>) -> bool {
    let Some(seen) = view.inspected() else { return true };
    let is_old = view.now.ms_since(seen.at) >= view.options.idle_ms / 2;
    is_old || view.reader() == Reader::None || rules::asks_again(view)
}

/// The connection as its accountable process knows it.
fn asked(view: &ConnectionView<'_>) -> Option<Asked> {
    let fd = view.tracked.accountable()?.fd;
    Some(Asked { id: view.tracked.id, fd, inode: view.facts.inode })
}
