//! Questions that were asked, and the answers that are still to come.
//!
//! Answers may take seconds, and a judgement does not wait for them. *Asked and not answered* is not
//! *unknown*: while an answer about a process is awaited, the process is not judged. Its findings stay
//! as they are, without the connections that were closed or used meanwhile, so none rises and none
//! falls. Every question is answered, or it is said that no answer will come, within a time that is
//! not the detector's concern.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ConnectionId, NoAnswer, ProcessKey, QuestionKind, StackId, Subject, Timestamp, tracked::Tracked,
};

/// The questions that were asked.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Those whose answer is awaited.
    awaited: BTreeSet<Subject>,
    /// The processes that were asked about, and when the snapshot ended that the answer is as of.
    processes: BTreeMap<ProcessKey, Timestamp>,
    /// The connections whose readers were asked for, as the latest snapshot showed them.
    readers: BTreeMap<ProcessKey, Vec<(ConnectionId, Mark)>>,
    /// The questions to which no answer came, until one does or they are not asked any more.
    unanswered: BTreeMap<Subject, NoAnswer>,
}

/// What an answer about a connection depends on. If it has changed when the answer arrives, the answer
/// may be about the state before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    read_sequence: u32,
    write_sequence: u32,
    rx_bytes: u64,
    owners: usize,
    accountable: Option<(ProcessKey, u32)>,
}

impl Mark {
    /// That of a connection as of the latest snapshot; `None` if none has shown it.
    pub(super) fn of(tracked: &Tracked) -> Option<Self> {
        let facts = tracked.facts.as_deref()?;
        Some(Self {
            read_sequence: facts.read_sequence,
            write_sequence: facts.write_sequence,
            rx_bytes: facts.rx_bytes,
            owners: facts.owners.len(),
            accountable: tracked.owner().map(|owner| (owner.key, owner.fd)),
        })
    }
}

impl Outstanding {
    /// A question about a process is asked after a snapshot that ended at `snapshot_at`.
    pub(super) fn ask_process(&mut self, process: ProcessKey, snapshot_at: Timestamp) {
        self.awaited.insert(Subject::Process(process));
        self.processes.insert(process, snapshot_at);
    }

    /// A question about the readers of these connections is asked.
    pub(super) fn ask_readers(
        &mut self,
        process: ProcessKey,
        connections: Vec<(ConnectionId, Mark)>,
    ) {
        self.awaited.insert(Subject::Readers(process));
        self.readers.insert(process, connections);
    }

    /// A question about a stack is asked.
    pub(super) fn ask_call_site(&mut self, process: ProcessKey, stack: StackId) {
        self.awaited.insert(Subject::CallSite(process, stack));
    }

    /// The answer is awaited.
    pub(super) fn is_awaited(&self, subject: Subject) -> bool {
        self.awaited.contains(&subject)
    }

    /// The processes of which an answer is awaited.
    pub(super) fn processes(&self) -> BTreeSet<ProcessKey> {
        self.awaited.iter().map(|subject| subject.process()).collect()
    }

    /// The answer about a process has come. Returns when the snapshot ended that it is as of.
    pub(super) fn take_process(&mut self, process: ProcessKey) -> Option<Timestamp> {
        self.answered(Subject::Process(process));
        self.processes.remove(&process)
    }

    /// The answer about readers has come. Returns the connections that were asked about.
    pub(super) fn take_readers(&mut self, process: ProcessKey) -> Vec<(ConnectionId, Mark)> {
        self.answered(Subject::Readers(process));
        self.readers.remove(&process).unwrap_or_default()
    }

    /// The answer has come.
    pub(super) fn answered(&mut self, subject: Subject) {
        self.awaited.remove(&subject);
        self.unanswered.remove(&subject);
    }

    /// The answer will not come.
    pub(super) fn give_up(&mut self, subject: Subject, reason: NoAnswer) {
        self.awaited.remove(&subject);
        if reason != NoAnswer::Ended {
            self.unanswered.insert(subject, reason);
        }
    }

    /// Forgets the questions without an answer that are not asked any more.
    pub(super) fn forget_unanswered(&mut self, is_asked: impl Fn(Subject) -> bool) {
        self.unanswered.retain(|subject, _| is_asked(*subject));
    }

    /// How many questions of each kind have no answer, and why.
    pub(super) fn unanswered(&self) -> BTreeMap<(QuestionKind, NoAnswer), u64> {
        let mut counts = BTreeMap::new();
        for (subject, reason) in &self.unanswered {
            *counts.entry((subject.kind(), *reason)).or_default() += 1;
        }
        counts
    }

    /// No answer is awaited any more. Returns the processes whose readers were.
    pub(super) fn give_up_all(&mut self) -> Vec<ProcessKey> {
        let awaited = core::mem::take(&mut self.awaited);
        let readers = awaited.into_iter().filter_map(|subject| match subject {
            Subject::Readers(process) => Some(process),
            Subject::Process(_) | Subject::CallSite(..) => None,
        });
        readers.collect()
    }

    /// Forgets the processes that are gone.
    pub(super) fn retain(&mut self, exists: impl Fn(&ProcessKey) -> bool) {
        self.awaited.retain(|subject| exists(&subject.process()));
        self.processes.retain(|process, _| exists(process));
        self.readers.retain(|process, _| exists(process));
        self.unanswered.retain(|subject, _| exists(&subject.process()));
    }
}
