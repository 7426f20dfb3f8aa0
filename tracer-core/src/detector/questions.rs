//! What the core would like to know.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use super::Detector;
use crate::{
    ConnectionId, ProcessKey, StackId, Timestamp,
    group::GroupKey,
    rules::{self, Suspicion},
    sighting::Sighting,
};

/// Most processes that are asked about after one snapshot.
const QUESTIONS_MAX: usize = 1_024;
/// Most processes that are looked into for readers after one snapshot; whoever answers may answer
/// for fewer, and is asked for the others next time.
const LOOKS_MAX: usize = 256;

/// Something the core would like to know; the answer comes as an [`Input`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// What `/proc` says of this process: `Input::Process` or `Input::ProcessUnreadable`.
    /// No answer means that it is gone.
    Process(ProcessKey),
    /// Who in this process would notice something on these connections: `Input::Readers`.
    /// No answer means that nothing is known.
    Readers(ProcessKey, Vec<Asked>),
    /// Which line of the application's code a stack of this process is about:
    /// `Input::CallSite`. No answer means that the process is gone.
    CallSite(ProcessKey, StackId),
}

/// A connection that is asked about, as its process knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Asked {
    /// Which socket.
    pub id: ConnectionId,
    /// A descriptor of it in the process that is asked about.
    pub fd: u32,
    /// Inode number of its file, to tell whether the descriptor still is the same.
    pub inode: u64,
}

impl Detector {
    /// What the core would like to know before the next `Input::Tick`: of the processes that some
    /// rule suspects, and those the user asked for, what they are; who reads from suspicious
    /// connections; and where in the code those came to be. At most 1,024 and 256 processes and 64
    /// stacks at a time.
    pub fn questions(&mut self, now: Timestamp) -> Vec<Question> {
        let mut suspected: BTreeSet<ProcessKey> = BTreeSet::new();
        // By port, and by group there: what leaks to many addresses may be too few of each.
        let mut suspects: BTreeMap<GroupKey, BTreeMap<GroupKey, Vec<Asked>>> = BTreeMap::new();
        let mut alone: BTreeSet<GroupKey> = BTreeSet::new();
        let mut stacks: BTreeSet<(ProcessKey, StackId)> = BTreeSet::new();
        for (group, sighting, suspicion) in self.case(now).suspects() {
            if suspicion == Suspicion::Claimed {
                suspected.insert(group.process);
                stacks.extend(sighting.call_stack());
                let responses = rules::leaked(&sighting);
                stacks.extend(responses.filter_map(|it| Some((group.process, it.stack?))));
            }
            let of_port = suspects.entry(group.of_port()).or_default();
            of_port.entry(group).or_default().extend(asked(&sighting));
            if rules::asks_alone(&sighting) {
                alone.insert(group);
            }
        }
        suspected.extend(self.of_interest());
        let mut readers: BTreeMap<ProcessKey, Vec<Asked>> = BTreeMap::new();
        for (port, mut groups) in suspects {
            // Of fewer, whoever reads, no rule makes more than *possible*.
            if groups.values().map(Vec::len).sum::<usize>() < self.options.count_min {
                groups.retain(|group, _| alone.contains(group));
            }
            for mut asked in groups.into_values().filter(|asked| !asked.is_empty()) {
                readers.entry(port.process).or_default().append(&mut asked);
            }
        }
        suspected.extend(readers.keys());
        let processes = self.processes.turns.take(suspected, self.snapshots, QUESTIONS_MAX);
        for unanswered in self.asked.keys() {
            self.processes.looks.forget(unanswered);
        }
        let looks = self.processes.looks.take(readers.keys().copied(), self.snapshots, LOOKS_MAX);
        readers.retain(|key, _| looks.contains(key));
        let ids = |asked: &[Asked]| asked.iter().map(|asked| asked.id).collect();
        self.asked = readers.iter().map(|(key, asked)| (*key, ids(asked))).collect();
        let readers = readers.into_iter().map(|(key, asked)| Question::Readers(key, asked));
        let stacks = self.processes.sites.ask(&stacks, self.snapshots);
        let sites = stacks.into_iter().map(|(process, stack)| Question::CallSite(process, stack));
        processes.into_iter().map(Question::Process).chain(readers).chain(sites).collect()
    }
}

/// The connection as its accountable process knows it.
fn asked(sighting: &Sighting<'_>) -> Option<Asked> {
    let fd = sighting.tracked.accountable()?.fd;
    Some(Asked { id: sighting.tracked.id, fd, inode: sighting.facts.inode })
}
