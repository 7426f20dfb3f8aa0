//! Questions that have been asked and not answered yet.
//!
//! Answers may take seconds, and a judgment does not wait for them. *Asked and not answered* is not
//! *unknown*: while an answer about a process is awaited, the process is not judged. Its findings
//! stay as they are, without the connections that were closed or used meanwhile, so the confidence
//! of none rises or falls. Every question gets an answer or a reason why there is none; the
//! observer limits how long that takes.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::{
    ConnectionId, NoAnswer, ProcessKey, QuestionKind, StackId, Subject, Timestamp, tracked::Tracked,
};

/// The questions that have been asked.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    /// Questions whose answer is awaited.
    awaited: BTreeSet<Subject>,
    /// The processes that were asked about, each with the end of the snapshot after which it was
    /// asked about.
    processes: BTreeMap<ProcessKey, Timestamp>,
    /// The connections whose readers were asked for, as the latest snapshot had shown them.
    readers: BTreeMap<ProcessKey, Vec<(ConnectionId, Mark)>>,
    /// The questions without an answer. They are removed when they are answered or no longer asked.
    unanswered: BTreeMap<Subject, NoAnswer>,
}

/// The state of a connection on which the answer depends. If it has changed when the answer
/// arrives, the answer may be outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    read_sequence: u32,
    write_sequence: u32,
    rx_bytes: u64,
    owners: usize,
    accountable: Option<(ProcessKey, u32)>,
}

impl Mark {
    /// The state of a connection in the latest snapshot; `None` if no snapshot has shown it.
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
    /// Notes a question about a process, asked after a snapshot that ended at `snapshot_at`.
    pub(super) fn ask_process(&mut self, process: ProcessKey, snapshot_at: Timestamp) {
        self.awaited.insert(Subject::Process(process));
        self.processes.insert(process, snapshot_at);
    }

    /// Notes a question about the readers of these connections.
    pub(super) fn ask_readers(
        &mut self,
        process: ProcessKey,
        connections: Vec<(ConnectionId, Mark)>,
    ) {
        self.awaited.insert(Subject::Readers(process));
        self.readers.insert(process, connections);
    }

    /// Notes a question about a stack.
    pub(super) fn ask_call_site(&mut self, process: ProcessKey, stack: StackId) {
        self.awaited.insert(Subject::CallSite(process, stack));
    }

    /// Notes that the open responses of a process are being read.
    pub(super) fn await_responses(&mut self, process: ProcessKey) {
        self.awaited.insert(Subject::Responses(process));
    }

    /// Whether the answer is awaited.
    pub(super) fn is_awaited(&self, subject: Subject) -> bool {
        self.awaited.contains(&subject)
    }

    /// The processes about which an answer is awaited.
    pub(super) fn processes(&self) -> BTreeSet<ProcessKey> {
        self.awaited.iter().map(|subject| subject.process()).collect()
    }

    /// The answer about a process has arrived. Returns the end of the snapshot after which it was
    /// asked for.
    pub(super) fn take_process(&mut self, process: ProcessKey) -> Option<Timestamp> {
        self.answered(Subject::Process(process));
        self.processes.remove(&process)
    }

    /// The answer about readers has arrived. Returns the connections that were asked about.
    pub(super) fn take_readers(&mut self, process: ProcessKey) -> Vec<(ConnectionId, Mark)> {
        self.answered(Subject::Readers(process));
        self.readers.remove(&process).unwrap_or_default()
    }

    /// The answer has arrived.
    pub(super) fn answered(&mut self, subject: Subject) {
        self.awaited.remove(&subject);
        self.unanswered.remove(&subject);
    }

    /// Takes that a question will not be answered. If the process has ended or executed another
    /// program, an earlier question without an answer no longer matters either.
    pub(super) fn give_up(&mut self, subject: Subject, reason: NoAnswer) {
        self.answered(subject);
        if reason != NoAnswer::Ended {
            self.unanswered.insert(subject, reason);
        }
    }

    /// Forgets the questions without an answer that are no longer asked.
    pub(super) fn forget_unanswered(&mut self, is_asked: impl Fn(Subject) -> bool) {
        self.unanswered.retain(|subject, _| is_asked(*subject));
    }

    /// Number of questions without an answer, by kind and reason.
    pub(super) fn unanswered(&self) -> BTreeMap<(QuestionKind, NoAnswer), u64> {
        let mut counts = BTreeMap::new();
        for (subject, reason) in &self.unanswered {
            *counts.entry((subject.kind(), *reason)).or_default() += 1;
        }
        counts
    }

    /// Stops waiting for answers to questions of the detector. Returns the processes whose readers
    /// were asked for.
    pub(super) fn give_up_all(&mut self) -> Vec<ProcessKey> {
        let is_question = |subject: &Subject| !matches!(subject, Subject::Responses(_));
        let given_up = self.awaited.extract_if(.., is_question);
        let readers = given_up.filter_map(|subject| match subject {
            Subject::Readers(process) => Some(process),
            Subject::Process(_) | Subject::CallSite(..) | Subject::Responses(_) => None,
        });
        readers.collect()
    }

    /// Forgets processes that have exited.
    pub(super) fn retain(&mut self, exists: impl Fn(&ProcessKey) -> bool) {
        self.awaited.retain(|subject| exists(&subject.process()));
        self.processes.retain(|process, _| exists(process));
        self.readers.retain(|process, _| exists(process));
        self.unanswered.retain(|subject, _| exists(&subject.process()));
    }
}
