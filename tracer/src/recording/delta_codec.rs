//! Converts inputs of the detector to entries and back. Both directions keep the same state of what
//! was written, so unchanged data is not written again.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use tracer_core::{Input as CoreInput, Snapshot, SocketFacts as CoreFacts};

use super::{
    Step,
    list_delta::{self, Joiner},
    wire::{
        Wire,
        entry::{Addresses, Entry, EventEntry, LastRead, LedgerEntry, ReadersEntry, SnapshotEntry},
        event::{Event, EventKind},
        host::{HostFacts, Loss},
        input::Input,
        ledger::{CallSite, OpenResponse},
        note::Note,
        process::{Holder, ProcessFacts, ProcessKey},
        question::{NoAnswer, Subject},
        readers::{Goroutines, ReaderFacts},
        selection::Selection,
        socket::{ConnectionId, SocketFacts},
        socket_change::SocketStep,
        time::Time,
    },
};

/// Number of steps per entry of sockets, so that no block becomes very large.
const PORTION: usize = 4_096;

/// What later entries of a segment refer to in the entries before them.
#[derive(Debug, Default)]
pub(super) struct DeltaCodec {
    /// The sockets of the latest snapshot.
    sockets: Vec<Box<SocketFacts>>,
    holders: Vec<Holder>,
    listeners: BTreeSet<(u32, u16)>,
    not_judged: BTreeMap<String, u64>,
    processes: HashMap<ProcessKey, ProcessFacts>,
    readers: HashMap<ProcessKey, Vec<ReaderFacts>>,
    ledgers: HashMap<ProcessKey, Vec<OpenResponse>>,
    /// Time of the latest event.
    event_at: Time,
    /// Cookie of the latest event's socket; 0 before the first event.
    event_id: u64,
    /// Addresses of the sockets of events since the latest snapshot.
    addresses: HashMap<ConnectionId, Addresses>,
    /// Sockets of the snapshot that is being read.
    next_sockets: Vec<Box<SocketFacts>>,
    joiner: Joiner,
    /// When data was last read from the sockets of the latest snapshot.
    last_reads: HashMap<ConnectionId, Time>,
    /// The changes in `last_reads` that belong to the next snapshot.
    next_reads: Vec<LastRead>,
}

/// An entry that refers to something that was not written before it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidEntry;

/// Writing.
impl DeltaCodec {
    /// The entries that encode an input, in order.
    pub(super) fn encode(&mut self, input: &CoreInput) -> Vec<Entry> {
        let entry = match input {
            CoreInput::Snapshot(snapshot) => return self.encode_snapshot(snapshot),
            CoreInput::Event(event) => Entry::Event(self.encode_event(Event::from_core(event))),
            CoreInput::Process(facts) => self.encode_process(ProcessFacts::from_core(facts)),
            CoreInput::Readers(readers) => {
                let process = ProcessKey::from_core(&readers.process);
                let found = Vec::from_core(&readers.found);
                let before = self.readers.entry(process).or_default();
                let steps = list_delta::split(before, &found);
                *before = found;
                Entry::Readers(ReadersEntry {
                    process,
                    at: Time::from_core(&readers.at),
                    found: steps,
                    goroutines: Option::<Goroutines>::from_core(&readers.goroutines),
                    limits: Vec::from_core(&readers.limits),
                })
            }
            CoreInput::Ledger(ledger) => {
                let process = ProcessKey::from_core(&ledger.process);
                let open = Vec::from_core(&ledger.open);
                let before = self.ledgers.entry(process).or_default();
                let steps = list_delta::split(before, &open);
                *before = open;
                Entry::Ledger(LedgerEntry {
                    process,
                    at: Time::from_core(&ledger.at),
                    open: steps,
                    limits: Vec::from_core(&ledger.limits),
                })
            }
            CoreInput::Host(host) => Entry::Input(Input::Host(HostFacts::from_core(host))),
            CoreInput::ProcessUnreadable(process) => {
                Entry::Input(Input::ProcessUnreadable(ProcessKey::from_core(process)))
            }
            CoreInput::CallSite(call_site) => {
                Entry::Input(Input::CallSite(CallSite::from_core(call_site)))
            }
            CoreInput::Unanswered(count) => Entry::Input(Input::Unanswered(*count)),
            CoreInput::NoAnswer(subject, reason) => Entry::Input(Input::NoAnswer(
                Subject::from_core(subject),
                NoAnswer::from_core(reason),
            )),
            CoreInput::ResponsesAwaited(process) => {
                Entry::Input(Input::ResponsesAwaited(ProcessKey::from_core(process)))
            }
            CoreInput::Selection(selection) => {
                Entry::Input(Input::Selection(Selection::from_core(selection)))
            }
            CoreInput::Note(note) => Entry::Input(Input::Note(Note::from_core(note))),
            CoreInput::Loss(loss) => Entry::Input(Input::Loss(Loss::from_core(loss))),
            CoreInput::Tick(now) => Entry::Input(Input::Tick(Time::from_core(now))),
        };
        vec![entry]
    }

    fn encode_process(&mut self, facts: ProcessFacts) -> Entry {
        if self.processes.get(&facts.key) == Some(&facts) {
            return Entry::SameProcess(facts.key);
        }
        self.processes.insert(facts.key, facts.clone());
        Entry::Input(Input::Process(facts))
    }

    fn encode_event(&mut self, event: Event) -> EventEntry {
        let Event { at, id, netns, local, remote, kind } = event;
        let addresses = (netns, local, remote);
        let is_known = self.addresses.get(&id) == Some(&addresses);
        let (after, id_step) = (at.since(self.event_at), id.0.wrapping_sub(self.event_id));
        self.remember_event(at, id, addresses, &kind);
        EventEntry {
            after,
            id_step: id_step.cast_signed(),
            addresses: (!is_known).then_some(addresses),
            kind,
        }
    }

    fn encode_snapshot(&mut self, snapshot: &Snapshot) -> Vec<Entry> {
        let sockets = snapshot.sockets.iter();
        let sockets =
            sockets.map(|facts| Box::new(SocketFacts::from_core(facts))).collect::<Vec<_>>();
        let holders = Vec::from_core(&snapshot.holders);
        let mut steps = list_delta::split(&self.sockets, &sockets).into_iter();
        let mut entries: Vec<Entry> = Vec::new();
        while steps.len() > 0 {
            entries.push(Entry::Sockets(steps.by_ref().take(PORTION).collect()));
        }
        let mut reads = self.changed_reads(snapshot).into_iter();
        while reads.len() > 0 {
            entries.push(Entry::LastReads(reads.by_ref().take(PORTION).collect()));
        }
        entries.push(Entry::Snapshot(SnapshotEntry {
            started_at: Time::from_core(&snapshot.started_at),
            ended_at: Time::from_core(&snapshot.ended_at),
            holders: list_delta::split(&self.holders, &holders),
            listeners: changed(&self.listeners, &snapshot.listeners),
            not_judged: changed(&self.not_judged, &snapshot.not_judged),
            undecodable: snapshot.undecodable,
            unreadable: snapshot.unreadable,
            unopened: snapshot.unopened,
        }));
        self.holders = holders;
        self.listeners.clone_from(&snapshot.listeners);
        self.not_judged.clone_from(&snapshot.not_judged);
        self.remember_snapshot(sockets);
        self.remember_reads(&snapshot.sockets);
        entries
    }

    fn changed_reads(&self, snapshot: &Snapshot) -> Vec<LastRead> {
        let mut reads = Vec::new();
        let mut skip = 0;
        for facts in &snapshot.sockets {
            let before = self.last_reads.get(&ConnectionId::from_core(&facts.id)).copied();
            let at = Option::<Time>::from_core(&facts.last_read_at);
            if at == before {
                skip += 1;
            } else {
                reads.push(LastRead { skip, at });
                skip = 0;
            }
        }
        reads
    }
}

/// Reading.
impl DeltaCodec {
    /// The step that an entry encodes; `None` if further entries are required.
    ///
    /// # Errors
    /// The entry refers to something that was not written before it.
    pub(super) fn decode(&mut self, entry: Entry) -> Result<Option<Step>, InvalidEntry> {
        let input = match entry {
            Entry::Head(_) | Entry::Restated(_) => return Ok(None),
            Entry::Asked(now) => return Ok(Some(Step::Asked(now.to_core()))),
            Entry::Reported => return Ok(Some(Step::Reported)),
            Entry::Sockets(steps) => {
                self.take_sockets(steps)?;
                return Ok(None);
            }
            Entry::LastReads(mut reads) => {
                self.next_reads.append(&mut reads);
                return Ok(None);
            }
            Entry::Snapshot(entry) => CoreInput::Snapshot(self.decode_snapshot(entry)?),
            Entry::Event(entry) => CoreInput::Event(self.decode_event(entry)?.to_core()),
            Entry::SameProcess(process) => {
                let facts = self.processes.get(&process).ok_or(InvalidEntry)?;
                CoreInput::Process(facts.to_core())
            }
            Entry::Readers(entry) => {
                let before = self.readers.entry(entry.process).or_default();
                *before = list_delta::join(before, entry.found).ok_or(InvalidEntry)?;
                CoreInput::Readers(tracer_core::Readers {
                    process: entry.process.to_core(),
                    at: entry.at.to_core(),
                    found: before.to_core(),
                    goroutines: entry.goroutines.to_core(),
                    limits: entry.limits.to_core(),
                })
            }
            Entry::Ledger(entry) => {
                let before = self.ledgers.entry(entry.process).or_default();
                *before = list_delta::join(before, entry.open).ok_or(InvalidEntry)?;
                CoreInput::Ledger(tracer_core::Ledger {
                    process: entry.process.to_core(),
                    at: entry.at.to_core(),
                    open: before.to_core(),
                    limits: entry.limits.to_core(),
                })
            }
            Entry::Input(input) => {
                if let Input::Process(facts) = &input {
                    self.processes.insert(facts.key, facts.clone());
                }
                input.to_core()
            }
        };
        Ok(Some(Step::Input(input)))
    }

    fn decode_event(&mut self, entry: EventEntry) -> Result<Event, InvalidEntry> {
        let EventEntry { after, id_step, addresses, kind } = entry;
        let at = self.event_at.plus(after);
        let id = ConnectionId(self.event_id.wrapping_add_signed(id_step));
        let known = || self.addresses.get(&id).copied();
        let addresses = addresses.or_else(known).ok_or(InvalidEntry)?;
        self.remember_event(at, id, addresses, &kind);
        let (netns, local, remote) = addresses;
        Ok(Event { at, id, netns, local, remote, kind })
    }

    fn take_sockets(&mut self, steps: Vec<SocketStep>) -> Result<(), InvalidEntry> {
        let Self { sockets, next_sockets, joiner, .. } = self;
        let mut join = |step| joiner.join(sockets, step, next_sockets);
        steps.into_iter().try_for_each(|step| join(step).ok_or(InvalidEntry))
    }

    fn decode_snapshot(&mut self, entry: SnapshotEntry) -> Result<Snapshot, InvalidEntry> {
        let sockets = std::mem::take(&mut self.next_sockets);
        self.holders = list_delta::join(&self.holders, entry.holders).ok_or(InvalidEntry)?;
        if let Some(listeners) = entry.listeners {
            self.listeners = listeners;
        }
        if let Some(not_judged) = entry.not_judged {
            self.not_judged = not_judged;
        }
        let mut facts = sockets.to_core();
        self.restore_reads(&mut facts)?;
        let snapshot = Snapshot {
            started_at: entry.started_at.to_core(),
            ended_at: entry.ended_at.to_core(),
            sockets: facts.into_iter().map(Arc::from).collect(),
            holders: self.holders.to_core(),
            listeners: self.listeners.clone(),
            not_judged: self.not_judged.clone(),
            undecodable: entry.undecodable,
            unreadable: entry.unreadable,
            unopened: entry.unopened,
        };
        self.remember_snapshot(sockets);
        self.remember_reads(&snapshot.sockets);
        Ok(snapshot)
    }

    fn restore_reads(&mut self, sockets: &mut [Box<CoreFacts>]) -> Result<(), InvalidEntry> {
        for facts in &mut *sockets {
            let before = self.last_reads.get(&ConnectionId::from_core(&facts.id));
            facts.last_read_at = before.map(Time::to_core);
        }
        let mut rest = sockets.iter_mut();
        for LastRead { skip, at } in std::mem::take(&mut self.next_reads) {
            let skip = usize::try_from(skip).map_err(|_| InvalidEntry)?;
            rest.nth(skip).ok_or(InvalidEntry)?.last_read_at = at.to_core();
        }
        Ok(())
    }
}

/// Both.
impl DeltaCodec {
    fn remember_event(
        &mut self,
        at: Time,
        id: ConnectionId,
        addresses: Addresses,
        kind: &EventKind,
    ) {
        (self.event_at, self.event_id) = (at, id.0);
        match kind {
            EventKind::Destroyed => drop(self.addresses.remove(&id)),
            _ => drop(self.addresses.insert(id, addresses)),
        }
    }

    /// Forgets processes without sockets; otherwise memory would grow with the history of the host.
    fn remember_snapshot(&mut self, sockets: Vec<Box<SocketFacts>>) {
        self.sockets = sockets;
        self.joiner = Joiner::new(&self.sockets);
        self.addresses.clear();
        let holders: HashSet<ProcessKey> = self.holders.iter().map(|holder| holder.key).collect();
        self.processes.retain(|key, _| holders.contains(key));
        self.readers.retain(|key, _| holders.contains(key));
        self.ledgers.retain(|key, _| holders.contains(key));
    }

    fn remember_reads(&mut self, sockets: &[Arc<CoreFacts>]) {
        let read = |facts: &CoreFacts| {
            Some((ConnectionId::from_core(&facts.id), Time::from_core(&facts.last_read_at?)))
        };
        self.last_reads = sockets.iter().filter_map(|facts| read(facts)).collect();
    }
}

fn changed<T: Clone + PartialEq>(before: &T, now: &T) -> Option<T> {
    (before != now).then(|| now.clone())
}
