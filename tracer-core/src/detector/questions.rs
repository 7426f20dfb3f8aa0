//! The questions that the detector asks about processes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    Asked, ProcessKey, Question, Reader, StackId, Subject, Timestamp,
    connection_view::ConnectionView,
    deadlines::Deadline,
    group::GroupKey,
    rules::{self, Suspicion},
};

/// The maximum number of processes to identify after one snapshot.
pub(super) const PROCESSES_MAX: usize = 1_024;
/// The maximum number of processes to inspect for readers after one snapshot. The observer may
/// answer for fewer; it is asked about the others after the next snapshot.
pub(super) const INSPECTIONS_MAX: usize = 256;

impl Detector {
    /// The questions that follow from the latest snapshot: the identity of processes that some
    /// rule suspects, that the user named or that may be at their fd limit, the readers of suspicious connections, and their call
    /// sites. At most 1,024 processes, 256 inspections and 64 stacks at a time. A process is not
    /// judged until each question about it is answered, or `Input::NoAnswer` or `Input::Unanswered`
    /// says that there will be no answer.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let mut readers = self.ask(now);
        let mut suspected: BTreeSet<ProcessKey> = self.reported_processes().collect();
        let mut stacks: BTreeSet<(ProcessKey, StackId)> = BTreeSet::new();
        for answered in self.derived.answered.values(&self.table.processes) {
            let is_founded =
                |key: &ProcessKey| !self.derived.unfounded.holds(&self.table.processes, *key, now);
            suspected.extend(answered.claimed.filter(is_founded));
            stacks.extend(&answered.stacks);
        }
        suspected.extend(readers.keys());
        suspected.extend(self.may_be_at_fd_limit());
        self.outstanding.forget_unanswered(|subject| match subject {
            Subject::Process(process) => suspected.contains(&process),
            Subject::Readers(process) => readers.contains_key(&process),
            Subject::CallSite(process, stack) => stacks.contains(&(process, stack)),
            // Open responses are read after every snapshot.
            Subject::Responses(_) => true,
        });
        // Questions that have not been answered yet are not asked again.
        let is_awaited = |subject| self.outstanding.is_awaited(subject);
        suspected.retain(|process| !is_awaited(Subject::Process(*process)));
        readers.retain(|process, _| !is_awaited(Subject::Readers(*process)));
        stacks.retain(|(process, stack)| !is_awaited(Subject::CallSite(*process, *stack)));
        let processes = self.processes.facts_queue.take(suspected, self.snapshots, PROCESSES_MAX);
        let wanted = readers.keys().copied();
        let inspected = self.processes.readers_queue.take(wanted, self.snapshots, INSPECTIONS_MAX);
        // In the order of the queue: there may be no time for the last ones.
        let readers: Vec<(ProcessKey, Vec<Asked>)> =
            inspected.into_iter().filter_map(|key| Some((key, readers.remove(&key)?))).collect();
        let stacks = self.processes.call_sites.ask(&stacks, self.snapshots);
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
        let call_sites =
            stacks.into_iter().map(|(process, stack)| Question::CallSite(process, stack));
        processes.into_iter().map(Question::Process).chain(readers).chain(call_sites).collect()
    }

    /// The processes whose readers to ask for. Also keeps the other relevant facts of each process.
    fn ask(&mut self, now: Timestamp) -> BTreeMap<ProcessKey, Vec<Asked>> {
        let mut asking: BTreeMap<ProcessKey, Asking> = BTreeMap::new();
        let context = self.context(now);
        let stale = self.derived.answered.stale(&self.table.processes, now);
        for (group, view, suspicion) in context.suspects(&stale) {
            let asking = asking.entry(group.process).or_insert_with(|| {
                Asking::new(context.deadline(&self.derived.sizes, group.process))
            });
            asking.until.add(&view);
            let Some(suspicion) = suspicion else { continue };
            if suspicion == Suspicion::Claimed {
                asking.answered.claimed = Some(group.process);
                asking.answered.stacks.extend(view.call_stack());
                let responses = rules::leaked(&view);
                let stacks = responses.filter_map(|it| Some((group.process, it.stack?)));
                asking.answered.stacks.extend(stacks);
            }
            let of_port = asking.suspects.entry(group.of_port()).or_default();
            of_port.entry(group).or_default().add(&view);
            if rules::needs_inspection_alone(&view) {
                asking.alone.insert(group);
            }
        }
        // Regardless of their readers, no rule makes fewer than that more than *possible*.
        let few = self.options.count_min.min(self.options.pool_size.saturating_add(1));
        let mut readers: BTreeMap<ProcessKey, Vec<Asked>> = BTreeMap::new();
        for (process, Asking { until, suspects, alone, answered }) in asking {
            let mut to_ask = Vec::new();
            for mut groups in suspects.into_values() {
                if groups.values().map(|suspects| suspects.count).sum::<usize>() < few {
                    groups.retain(|group, _| alone.contains(group));
                }
                for mut suspects in groups.into_values() {
                    to_ask.append(&mut suspects.to_ask);
                }
            }
            let until = if to_ask.is_empty() { until.at } else { now };
            self.derived.answered.keep(&self.table.processes, process, until, answered);
            if !to_ask.is_empty() {
                readers.insert(process, to_ask);
            }
        }
        readers
    }

    /// The stacks that a later question may be about: those of connections that may be open, and of
    /// open responses.
    pub fn stacks(&self) -> BTreeSet<StackId> {
        let opened = self.table.connections().filter_map(|tracked| tracked.stack);
        opened.chain(self.processes.open_responses.stacks()).collect()
    }
}

/// The facts about a process that remain valid as long as no question about its readers is due.
#[derive(Debug, Default)]
pub(super) struct Answered {
    /// The process, if a rule claims one of its connections.
    claimed: Option<ProcessKey>,
    /// The stacks of the claimed connections.
    stacks: BTreeSet<(ProcessKey, StackId)>,
}

/// The questions about a process.
struct Asking {
    /// When the questions may change although no connection changes.
    until: Deadline,
    /// The suspicious connections by port, and by group within it: a leak to many addresses has few
    /// connections to each.
    suspects: BTreeMap<GroupKey, BTreeMap<GroupKey, Suspects>>,
    /// The groups about which questions are asked even if they are small.
    alone: BTreeSet<GroupKey>,
    answered: Answered,
}

impl Asking {
    const fn new(until: Deadline) -> Self {
        Self {
            until,
            suspects: BTreeMap::new(),
            alone: BTreeSet::new(),
            answered: Answered { claimed: None, stacks: BTreeSet::new() },
        }
    }
}

/// The suspicious connections of one group.
#[derive(Default)]
struct Suspects {
    count: usize,
    /// Connections without a valid answer, or whose answer expires soon.
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

/// How long the reader of this connection is not asked about again: half of `--idle`, and longer if
/// another answer cannot raise the confidence of a finding, or would probably be the same.
fn answer_lasts_ms(view: &ConnectionView<'_>) -> u64 {
    let options = view.options;
    match (rules::is_claimed_for_later(view), view.is_out_of_sight()) {
        (true, false) => options.idle_ms / 2,
        (true, true) | (false, false) => options.idle_ms - options.idle_ms / 6,
        (false, true) => options.out_of_sight_ms(),
    }
}

/// Whether to ask about this connection: no answer will be valid for much longer, or a rule needs a
/// second answer. The answer that there is no reader is verified each time, because it counts
/// against the process, and because a response that is read from a buffer and closed changes no
/// byte counter of the kernel.
fn needs_answer(view: &ConnectionView<'_>) -> bool {
    let Some(seen) = view.tracked.reader.as_deref() else { return true };
    let is_old = view.now.ms_since(seen.at) >= answer_lasts_ms(view);
    is_old || view.reader() == Reader::None || rules::needs_another_inspection(view)
}

/// The connection as its owning process knows it.
fn asked(view: &ConnectionView<'_>) -> Option<Asked> {
    let fd = view.tracked.owner()?.fd;
    Some(Asked { id: view.tracked.id, fd, inode: view.facts.inode })
}
