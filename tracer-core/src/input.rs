//! The inputs of the detector.

use alloc::vec::Vec;

use crate::{
    CallSite, Event, Ledger, NoAnswer, Note, Probe, ProcessFacts, ProcessKey, Readers, Selection,
    Snapshot, Subject, Timestamp,
};

/// One input of the detector. The ordered stream of inputs is the recording of a run: the same
/// stream always gives the same findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Facts about this host and run; the first input of a run.
    Host(HostFacts),
    /// What the user selected. Recordings before format 9 do not have it.
    Selection(Selection),
    /// A lifecycle event from a kernel probe.
    Event(Event),
    /// A snapshot of all open sockets.
    Snapshot(Snapshot),
    /// An answer to [`Question::Process`](crate::Question::Process).
    Process(ProcessFacts),
    /// The answer to [`Question::Process`](crate::Question::Process) for a process that cannot be
    /// read without more privileges.
    ProcessUnreadable(ProcessKey),
    /// An answer to [`Question::Readers`](crate::Question::Readers).
    Readers(Readers),
    /// The open HTTP responses of one process.
    Ledger(Ledger),
    /// An answer to [`Question::CallSite`](crate::Question::CallSite).
    CallSite(CallSite),
    /// The question about this subject will not be answered.
    NoAnswer(Subject, NoAnswer),
    /// The open HTTP responses of this process are being read: until [`Ledger`](Self::Ledger)
    /// or [`NoAnswer`](Self::NoAnswer), it is not judged.
    ResponsesAwaited(ProcessKey),
    /// The remaining questions will not be answered. The number is how many questions about readers
    /// were left unanswered after the latest snapshot because there was no time.
    Unanswered(u64),
    /// A remark for the reader of the report.
    Note(Note),
    /// The running totals of what was lost. Sent when they change.
    Loss(Loss),
    /// Judge what is known at this time, and update the findings.
    Tick(Timestamp),
}

/// Facts about the host and the run that do not change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// When the run began.
    pub started_at: Timestamp,
    /// How long the host was suspended since it booted, in nanoseconds: the difference between
    /// `CLOCK_BOOTTIME`, in which processes start, and `CLOCK_MONOTONIC`.
    pub suspended_ns: u64,
    /// How kernel events are observed; empty if the run attaches nothing.
    pub probes: Vec<Probe>,
    /// Remarks for the reader of the report.
    pub notes: Vec<Note>,
}

/// Running totals of records that were lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Events lost because the ring buffer was full.
    pub ring_full: u64,
    /// Sockets or processes lost because a kernel map was full.
    pub map_full: u64,
    /// Events lost because a read of kernel memory failed or a record did not decode.
    pub unreadable: u64,
    /// Snapshots that failed.
    pub snapshots_failed: u64,
    /// User stacks that were not kept. Only their call sites are missing.
    pub stacks_lost: u64,
    /// Open responses lost because the kernel's map of them (the ledger) was full. No later
    /// snapshot corrects them.
    pub ledger_full: u64,
}

impl Loss {
    /// The part of the loss that a later snapshot corrects.
    pub(crate) const fn correctable(self) -> Self {
        Self { stacks_lost: 0, ledger_full: 0, ..self }
    }

    /// What was lost since these totals.
    pub(crate) const fn since(self, before: Self) -> Self {
        Self {
            ring_full: self.ring_full.saturating_sub(before.ring_full),
            map_full: self.map_full.saturating_sub(before.map_full),
            unreadable: self.unreadable.saturating_sub(before.unreadable),
            snapshots_failed: self.snapshots_failed.saturating_sub(before.snapshots_failed),
            stacks_lost: self.stacks_lost.saturating_sub(before.stacks_lost),
            ledger_full: self.ledger_full.saturating_sub(before.ledger_full),
        }
    }

    /// Events lost for any reason.
    pub const fn events(self) -> u64 {
        self.ring_full.saturating_add(self.map_full).saturating_add(self.unreadable)
    }
}
