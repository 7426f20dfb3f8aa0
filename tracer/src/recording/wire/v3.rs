//! Format 3, frozen: the types that differ from the current ones, and the conversion of its entries
//! to current ones.
//!
//! Format 3 stored notes, limits and reasons as sentences. These become `Recorded` variants, which
//! carry a text.

use serde::{Deserialize, Serialize};

use super::{
    call_site_reason::CallSiteReason,
    entry::{Entry, EventEntry, LedgerEntry, ReadersEntry, SnapshotEntry},
    event::Event,
    head::Head,
    host::{HostFacts, Loss},
    input::Input,
    ledger::{CallSite, OpenResponse, StackId},
    limit::Limit,
    note::Note,
    probe::{AttachState, Hook, Probe},
    process::{Container, ProcessFacts, ProcessKey},
    readers::{Goroutines, ReaderFacts},
    socket_change::SocketStep,
    time::Time,
};
use crate::recording::list_delta::ListStep;

wire_enum! {
    EntryV3 {
        Head(head: Box<Head>),
        Restated(input: InputV3),
        Input(input: InputV3),
        Event(event: EventEntry),
        Sockets(steps: Vec<SocketStep>),
        Snapshot(snapshot: SnapshotEntry),
        Readers(readers: ReadersEntryV3),
        Ledger(ledger: LedgerEntryV3),
        SameProcess(process: ProcessKey),
        Asked(now: Time),
        Reported,
    }
}

/// The format had room for three more variants, which no program wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) enum InputV3 {
    Host(HostFactsV3),
    Event(Event),
    Snapshot(Never),
    Process(ProcessFactsV3),
    ProcessUnreadable(ProcessKey),
    Readers(Never),
    Ledger(Never),
    CallSite(CallSiteV3),
    Unanswered(u64),
    Note(String),
    Loss(Loss),
    Tick(Time),
}

/// Variants that no program wrote. Reading one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::recording) enum Never {}

wire_struct! {
    HostFactsV3 {
        started_at: Time,
        suspended_ns: u64,
        probes: Vec<String>,
        notes: Vec<String>,
    }
}

wire_struct! {
    ProcessFactsV3 {
        key: ProcessKey,
        exe: Option<String>,
        cmdline: Option<String>,
        uid: Option<u32>,
        container: Option<Container>,
        inner_pid: Option<u32>,
        open_fds: Option<u64>,
        fd_limit: Option<u64>,
        stopped: bool,
        has_executed: Option<bool>,
    }
}

wire_struct! {
    CallSiteV3 {
        process: ProcessKey,
        stack: StackId,
        location: Option<String>,
        limits: Option<String>,
    }
}

wire_struct! {
    ReadersEntryV3 {
        process: ProcessKey,
        at: Time,
        found: Vec<ListStep<ReaderFacts, ReaderFacts>>,
        goroutines: Option<Goroutines>,
        limits: Option<String>,
    }
}

wire_struct! {
    LedgerEntryV3 {
        process: ProcessKey,
        at: Time,
        open: Vec<ListStep<OpenResponse, OpenResponse>>,
        limits: Option<String>,
    }
}

impl From<EntryV3> for Entry {
    fn from(entry: EntryV3) -> Self {
        match entry {
            EntryV3::Head(head) => Self::Head(head),
            EntryV3::Restated(input) => Self::Restated(input.into()),
            EntryV3::Input(input) => Self::Input(input.into()),
            EntryV3::Event(event) => Self::Event(event),
            EntryV3::Sockets(steps) => Self::Sockets(steps),
            EntryV3::Snapshot(snapshot) => Self::Snapshot(snapshot),
            EntryV3::Readers(readers) => {
                let ReadersEntryV3 { process, at, found, goroutines, limits } = readers;
                let limits = recorded_limits(limits);
                Self::Readers(ReadersEntry { process, at, found, goroutines, limits })
            }
            EntryV3::Ledger(ledger) => {
                let LedgerEntryV3 { process, at, open, limits } = ledger;
                let limits = recorded_limits(limits);
                Self::Ledger(LedgerEntry { process, at, open, limits })
            }
            EntryV3::SameProcess(process) => Self::SameProcess(process),
            EntryV3::Asked(now) => Self::Asked(now),
            EntryV3::Reported => Self::Reported,
        }
    }
}

impl From<InputV3> for Input {
    fn from(input: InputV3) -> Self {
        match input {
            InputV3::Host(host) => Self::Host(host.into()),
            InputV3::Event(event) => Self::Event(event),
            InputV3::Process(facts) => Self::Process(facts.into()),
            InputV3::ProcessUnreadable(process) => Self::ProcessUnreadable(process),
            InputV3::CallSite(call_site) => Self::CallSite(call_site.into()),
            InputV3::Unanswered(count) => Self::Unanswered(count),
            InputV3::Note(text) => Self::Note(Note::Recorded { text }),
            InputV3::Loss(loss) => Self::Loss(loss),
            InputV3::Tick(now) => Self::Tick(now),
            InputV3::Snapshot(never) | InputV3::Readers(never) | InputV3::Ledger(never) => {
                match never {}
            }
        }
    }
}

impl From<HostFactsV3> for HostFacts {
    fn from(host: HostFactsV3) -> Self {
        let HostFactsV3 { started_at, suspended_ns, probes: lines, notes } = host;
        let mut probes = Vec::new();
        let mut notes: Vec<Note> = notes.into_iter().map(|text| Note::Recorded { text }).collect();
        for line in lines {
            match recorded_probe(&line) {
                Some(probe) => probes.push(probe),
                None => notes.push(Note::Recorded { text: line }),
            }
        }
        Self { started_at, suspended_ns, probes, notes }
    }
}

/// A line such as `accept: not attached (tracepoint: Permission denied)`; `None` if it begins with
/// no hook of format 3.
fn recorded_probe(line: &str) -> Option<Probe> {
    let (hook, text) = line.split_once(": ")?;
    let hook = match hook {
        "inet_sock_set_state" => Hook::InetSockSetState,
        "tcp_destroy_sock" => Hook::TcpDestroySock,
        "accept" => Hook::Accept,
        "accept4" => Hook::Accept4,
        "snapshot" => Hook::Snapshot,
        _ => return None,
    };
    let is_attached = !text.starts_with("not attached");
    Some(Probe { hook, state: AttachState::Recorded { is_attached, text: text.to_owned() } })
}

impl From<ProcessFactsV3> for ProcessFacts {
    fn from(facts: ProcessFactsV3) -> Self {
        let ProcessFactsV3 {
            key,
            exe,
            cmdline,
            uid,
            container,
            inner_pid,
            open_fds,
            fd_limit,
            stopped,
            has_executed,
        } = facts;
        Self {
            key,
            exe,
            cmdline,
            script: None,
            uid,
            container,
            inner_pid,
            open_fds,
            fd_limit,
            stopped,
            has_executed,
        }
    }
}

impl From<CallSiteV3> for CallSite {
    fn from(call_site: CallSiteV3) -> Self {
        let CallSiteV3 { process, stack, location, limits } = call_site;
        let reason = limits.map(|text| CallSiteReason::Recorded { text });
        Self { process, stack, location, reason }
    }
}

fn recorded_limits(text: Option<String>) -> Vec<Limit> {
    text.map(|text| Limit::Recorded { text }).into_iter().collect()
}
