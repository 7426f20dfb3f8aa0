use alloc::{string::String, vec::Vec};

use crate::{CallSite, Event, Ledger, ProcessFacts, Readers, Snapshot, Timestamp};

/// Everything that can happen to the detector. The ordered stream of these is the recording of a
/// run, and the same stream always gives the same findings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub enum Input {
    /// What this host lets the tool see; the first input of a run.
    Host(HostFacts),
    /// A lifecycle event from a kernel probe.
    Event(Event),
    /// A pass over all open descriptors.
    Snapshot(Snapshot),
    /// An answer to [`Question::Process`](crate::Question::Process).
    Process(ProcessFacts),
    /// A question about a process could not be answered for lack of permission.
    ProcessUnreadable(crate::ProcessKey),
    /// An answer to [`Question::Readers`](crate::Question::Readers).
    Readers(Readers),
    /// What the ledger of a process says now.
    Ledger(Ledger),
    /// An answer to [`Question::CallSite`](crate::Question::CallSite).
    CallSite(CallSite),
    /// So many questions about readers were not answered at the latest look, for lack of time.
    Unanswered(u64),
    /// What else the reader of a report should know: one sentence.
    Note(String),
    /// What the sources have lost in total since the run began. Sent when it changes.
    Loss(Loss),
    /// Judge what is known as of now.
    Tick(Timestamp),
}

/// Fixed facts about the host and the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct HostFacts {
    /// When the run began.
    pub started_at: Timestamp,
    /// How long the host was suspended since it booted, in nanoseconds: by so much
    /// `CLOCK_BOOTTIME`, in which processes start, is ahead of `CLOCK_MONOTONIC`.
    pub suspended_ns: u64,
    /// One entry per hook: `inet_sock_set_state: tp_btf`, `accept: not attached (...)`.
    pub probes: Vec<String>,
    /// What else the reader of a report should know about what this run can see.
    pub notes: Vec<String>,
}

/// Running totals of what the sources could not deliver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Loss {
    /// Events that found the ring buffer full.
    pub ring_full: u64,
    /// Sockets or processes that found a kernel map full.
    pub map_full: u64,
    /// Events lost because a read of kernel memory failed or a record did not decode.
    pub unreadable: u64,
    /// Snapshots that failed.
    pub snapshots_failed: u64,
    /// User stacks that were not kept: where something was asked for is not known, and nothing else
    /// is missing.
    pub stacks_lost: u64,
    /// Responses that found no room in the kernel's ledger: no later look makes up for that.
    pub ledger_full: u64,
}

impl Loss {
    /// Of this, what a later snapshot makes up for.
    pub(crate) const fn healable(self) -> Self {
        Self { stacks_lost: 0, ledger_full: 0, ..self }
    }
}
