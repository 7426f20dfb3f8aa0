//! Format 3, frozen: what differs from today's types, and how each entry becomes one of today.

use serde::{Deserialize, Serialize};

use super::{
    entry::{Entry, EventEntry, LedgerEntry, ReadersEntry, SnapshotEntry},
    event::Event,
    head::Head,
    host::{HostFacts, Loss},
    input::Input,
    ledger::CallSite,
    process::{ProcessFacts, ProcessKey},
    socket_change::SocketStep,
    time::Time,
};

wire_enum! {
    /// See [`Entry`].
    EntryV3 {
        Head(head: Box<Head>),
        Restated(input: InputV3),
        Input(input: InputV3),
        Event(event: EventEntry),
        Sockets(steps: Vec<SocketStep>),
        Snapshot(snapshot: SnapshotEntry),
        Readers(readers: ReadersEntry),
        Ledger(ledger: LedgerEntry),
        SameProcess(process: ProcessKey),
        Asked(now: Time),
        Reported,
    }
}

/// See [`Input`]. The format had room for three more variants, which no program wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) enum InputV3 {
    Host(HostFacts),
    Event(Event),
    Snapshot(Never),
    Process(ProcessFacts),
    ProcessUnreadable(ProcessKey),
    Readers(Never),
    Ledger(Never),
    CallSite(CallSite),
    Unanswered(u64),
    Note(String),
    Loss(Loss),
    Tick(Time),
}

/// What no program wrote, and is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) enum Never {}

impl From<EntryV3> for Entry {
    fn from(entry: EntryV3) -> Self {
        match entry {
            EntryV3::Head(head) => Self::Head(head),
            EntryV3::Restated(input) => Self::Restated(input.into()),
            EntryV3::Input(input) => Self::Input(input.into()),
            EntryV3::Event(event) => Self::Event(event),
            EntryV3::Sockets(steps) => Self::Sockets(steps),
            EntryV3::Snapshot(snapshot) => Self::Snapshot(snapshot),
            EntryV3::Readers(readers) => Self::Readers(readers),
            EntryV3::Ledger(ledger) => Self::Ledger(ledger),
            EntryV3::SameProcess(process) => Self::SameProcess(process),
            EntryV3::Asked(now) => Self::Asked(now),
            EntryV3::Reported => Self::Reported,
        }
    }
}

impl From<InputV3> for Input {
    fn from(input: InputV3) -> Self {
        match input {
            InputV3::Host(host) => Self::Host(host),
            InputV3::Event(event) => Self::Event(event),
            InputV3::Process(facts) => Self::Process(facts),
            InputV3::ProcessUnreadable(process) => Self::ProcessUnreadable(process),
            InputV3::CallSite(call_site) => Self::CallSite(call_site),
            InputV3::Unanswered(count) => Self::Unanswered(count),
            InputV3::Note(note) => Self::Note(note),
            InputV3::Loss(loss) => Self::Loss(loss),
            InputV3::Tick(now) => Self::Tick(now),
            InputV3::Snapshot(never) | InputV3::Readers(never) | InputV3::Ledger(never) => {
                match never {}
            }
        }
    }
}
