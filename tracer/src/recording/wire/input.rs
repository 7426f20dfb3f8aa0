//! Inputs of the detector that are written in full.

use super::{
    Wire,
    event::Event,
    host::{HostFacts, Loss},
    ledger::CallSite,
    note::Note,
    process::{ProcessFacts, ProcessKey},
    question::{NoAnswer, Subject},
    selection::Selection,
    time::Time,
};

wire_enum! {
    /// Snapshots, readers and ledgers are not among these: they are written as differences
    /// ([`Entry`](super::entry::Entry)). Events are for the state with which a segment begins.
    Input {
        Host(host: HostFacts),
        Event(event: Event),
        Process(facts: ProcessFacts),
        ProcessUnreadable(process: ProcessKey),
        CallSite(call_site: CallSite),
        Unanswered(count: u64),
        Note(note: Note),
        Loss(loss: Loss),
        Tick(now: Time),
        NoAnswer(subject: Subject, reason: NoAnswer),
        ResponsesAwaited(process: ProcessKey),
        /// Since format 9.
        Selection(selection: Selection),
    }
}

impl Input {
    /// The input that was written.
    pub(in crate::recording) fn to_core(&self) -> tracer_core::Input {
        use tracer_core::Input as Core;
        match self {
            Self::Host(host) => Core::Host(host.to_core()),
            Self::Event(event) => Core::Event(event.to_core()),
            Self::Process(facts) => Core::Process(facts.to_core()),
            Self::ProcessUnreadable(process) => Core::ProcessUnreadable(process.to_core()),
            Self::CallSite(call_site) => Core::CallSite(call_site.to_core()),
            Self::Unanswered(count) => Core::Unanswered(*count),
            Self::Note(note) => Core::Note(note.to_core()),
            Self::Loss(loss) => Core::Loss(loss.to_core()),
            Self::Tick(now) => Core::Tick(now.to_core()),
            Self::NoAnswer(subject, reason) => Core::NoAnswer(subject.to_core(), reason.to_core()),
            Self::ResponsesAwaited(process) => Core::ResponsesAwaited(process.to_core()),
            Self::Selection(selection) => Core::Selection(selection.to_core()),
        }
    }
}
