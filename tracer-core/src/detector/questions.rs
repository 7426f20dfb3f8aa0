//! The questions that the detector asks about processes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    ConnectionId, ProcessKey, Reader, StackId, Timestamp,
    connection_view::ConnectionView,
    group::GroupKey,
    rules::{self, Suspicion},
};

/// The maximum number of processes to identify after one snapshot.
pub(super) const PROCESSES_MAX: usize = 1_024;
/// The maximum number of processes to inspect for readers after one snapshot. The observer may
/// answer for fewer; it is asked about the others after the next snapshot.
pub(super) const INSPECTIONS_MAX: usize = 256;

/// A question of the core about a process. The answer comes as an [`Input`](crate::Input).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// What does `/proc` say about this process? Answered by `Input::Process` or
    /// `Input::ProcessUnreadable`. No answer means that it has exited.
    Process(ProcessKey),
    /// What in this process is waiting to read from these connections? Answered by
    /// `Input::Readers`. No answer means that nothing is known.
    Readers(ProcessKey, Vec<Asked>),
    /// Which line of the application's code does this stack of this process come from? Answered by
    /// `Input::CallSite`. No answer means that the process has exited.
    CallSite(ProcessKey, StackId),
}

/// A connection in a question, as its process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Identity of the socket.
    pub id: ConnectionId,
    /// Its file descriptor in that process.
    pub fd: u32,
    /// Inode number of its file, which shows whether the file descriptor still refers to the same
    /// socket.
    pub inode: u64,
}

impl Detector {
    /// The questions to answer before the next `Input::Tick`: the identity of processes that some
    /// rule suspects or that the user named, the readers of suspicious connections, and their call
    /// sites. At most 1,024 processes, 256 inspections and 64 stacks at a time.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let mut suspected: BTreeSet<ProcessKey> = BTreeSet::new();
        // Counted by port, and by group within each port: a leak to many addresses has few
        // connections to each.
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
            if rules::needs_inspection_alone(&view) {
                alone.insert(group);
            }
        }
        suspected.extend(self.reported_processes());
        let mut readers: BTreeMap<ProcessKey, Vec<Asked>> = BTreeMap::new();
        for (port, mut groups) in suspects {
            // With fewer connections than this, no rule gives more than *possible*, whatever their
            // readers are.
            let few = self.options.count_min.min(self.options.pool_size.saturating_add(1));
            if groups.values().map(|suspects| suspects.count).sum::<usize>() < few {
                groups.retain(|group, _| alone.contains(group));
            }
            for mut suspects in groups.into_values().filter(|it| !it.to_ask.is_empty()) {
                readers.entry(port.process).or_default().append(&mut suspects.to_ask);
            }
        }
        suspected.extend(readers.keys());
        let processes = self.processes.facts_queue.take(suspected, self.snapshots, PROCESSES_MAX);
        for unanswered in self.asked.keys() {
            self.processes.readers_queue.forget(unanswered);
        }
        let wanted = readers.keys().copied();
        let inspected = self.processes.readers_queue.take(wanted, self.snapshots, INSPECTIONS_MAX);
        readers.retain(|key, _| inspected.contains(key));
        let ids = |asked: &[Asked]| asked.iter().map(|asked| asked.id).collect();
        self.asked = readers.iter().map(|(key, asked)| (*key, ids(asked))).collect();
        let readers = readers.into_iter().map(|(key, asked)| Question::Readers(key, asked));
        let stacks = self.processes.call_sites.ask(&stacks, self.snapshots);
        let call_sites =
            stacks.into_iter().map(|(process, stack)| Question::CallSite(process, stack));
        processes.into_iter().map(Question::Process).chain(readers).chain(call_sites).collect()
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

/// Whether to ask about this connection: no answer is valid for another half of `--idle`, or a rule
/// needs a second answer. The answer that there is no reader is verified each time, because it
/// counts against the process, and because a response that is read from a buffer and closed changes
/// no byte counter of the kernel.
fn needs_answer(view: &ConnectionView<'_>) -> bool {
    let Some(seen) = view.inspected() else { return true };
    let is_old = view.now.ms_since(seen.at) >= view.options.idle_ms / 2;
    is_old || view.reader() == Reader::None || rules::needs_another_inspection(view)
}

/// The connection as its owning process knows it.
fn asked(view: &ConnectionView<'_>) -> Option<Asked> {
    let fd = view.tracked.owner()?.fd;
    Some(Asked { id: view.tracked.id, fd, inode: view.facts.inode })
}
