//! From inputs to entries and back. Both ways keep the same memory of what was said, so that what
//! has not changed is not said again.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
};

use tracer_core::{
    ConnectionId, Event, Happening, Holder, Input, Ledger, OpenResponse, ProcessFacts, ProcessKey,
    ReaderFacts, Readers, Snapshot, SocketFacts, Timestamp,
};

use super::{
    Step,
    entry::{Entry, EventEntry, LedgerEntry, ReadersEntry, SnapshotEntry, SocketPiece},
    moments::Span,
    pieces::{self, Joiner},
};

/// Sockets are written in portions of so many pieces, so that a block never is very large.
const PORTION: usize = 4_096;

/// Network namespace, local and remote end.
pub(super) type Place = (u32, SocketAddr, SocketAddr);

/// What was said so far in a segment, as far as later entries refer to it.
#[derive(Debug, Default)]
pub(super) struct Coder {
    /// Of the latest snapshot.
    sockets: Vec<Box<SocketFacts>>,
    holders: Vec<Holder>,
    listeners: BTreeSet<(u32, u16)>,
    not_judged: BTreeMap<String, u64>,
    processes: HashMap<ProcessKey, ProcessFacts>,
    readers: HashMap<ProcessKey, Vec<ReaderFacts>>,
    ledgers: HashMap<ProcessKey, Vec<OpenResponse>>,
    event_at: Timestamp,
    /// 0 before the first event.
    event_id: u64,
    /// Where the sockets are that events since the latest snapshot were about.
    places: HashMap<ConnectionId, Place>,
    /// The next snapshot's sockets.
    coming: Vec<Box<SocketFacts>>,
    joiner: Joiner,
}

impl Coder {
    /// The entries that say an input, in order.
    pub(super) fn encode<'a>(&mut self, input: &'a Input) -> Vec<Entry<'a>> {
        let one = |entry| vec![entry];
        match input {
            Input::Event(event) => one(Entry::Event(self.encode_event(event))),
            Input::Snapshot(snapshot) => self.encode_snapshot(snapshot),
            Input::Process(facts) => {
                if self.processes.get(&facts.key) == Some(facts) {
                    return one(Entry::SameProcess(facts.key));
                }
                self.processes.insert(facts.key, facts.clone());
                one(Entry::Input(Cow::Borrowed(input)))
            }
            Input::Readers(readers) => {
                let Readers { process, at, ref found, goroutines, ref limits } = *readers;
                let before = self.readers.entry(process).or_default();
                let pieces = pieces::split(before, found);
                before.clone_from(found);
                let limits = limits.clone();
                one(Entry::Readers(ReadersEntry { process, at, found: pieces, goroutines, limits }))
            }
            Input::Ledger(ledger) => {
                let Ledger { process, at, ref open, ref limits } = *ledger;
                let before = self.ledgers.entry(process).or_default();
                let pieces = pieces::split(before, open);
                before.clone_from(open);
                one(Entry::Ledger(LedgerEntry {
                    process,
                    at,
                    open: pieces,
                    limits: limits.clone(),
                }))
            }
            Input::Host(_)
            | Input::ProcessUnreadable(_)
            | Input::CallSite(_)
            | Input::Unanswered(_)
            | Input::Note(_)
            | Input::Loss(_)
            | Input::Tick(_) => one(Entry::Input(Cow::Borrowed(input))),
        }
    }

    fn encode_event<'a>(&mut self, event: &'a Event) -> EventEntry<'a> {
        let Event { at, id, netns, local, remote, happening } = event;
        let place = (*netns, *local, *remote);
        let entry = EventEntry {
            after: Span::between(self.event_at, *at),
            id_step: id.0.wrapping_sub(self.event_id).cast_signed(),
            place: (self.places.get(id) != Some(&place)).then_some(place),
            happening: Cow::Borrowed(happening),
        };
        self.note_event(*at, *id, place, happening);
        entry
    }

    fn note_event(&mut self, at: Timestamp, id: ConnectionId, place: Place, what: &Happening) {
        (self.event_at, self.event_id) = (at, id.0);
        match what {
            Happening::Destroyed => drop(self.places.remove(&id)),
            _ => drop(self.places.insert(id, place)),
        }
    }

    fn encode_snapshot<'a>(&mut self, snapshot: &Snapshot) -> Vec<Entry<'a>> {
        let mut pieces = pieces::split(&self.sockets, &snapshot.sockets).into_iter();
        let mut entries: Vec<Entry<'a>> = Vec::new();
        while pieces.len() > 0 {
            entries.push(Entry::Sockets(pieces.by_ref().take(PORTION).collect()));
        }
        entries.push(Entry::Snapshot(SnapshotEntry {
            started_at: snapshot.started_at,
            ended_at: snapshot.ended_at,
            holders: pieces::split(&self.holders, &snapshot.holders),
            listeners: changed(&self.listeners, &snapshot.listeners),
            not_judged: changed(&self.not_judged, &snapshot.not_judged),
            undecodable: snapshot.undecodable,
            unreadable: snapshot.unreadable,
            unopened: snapshot.unopened,
        }));
        self.holders.clone_from(&snapshot.holders);
        self.listeners.clone_from(&snapshot.listeners);
        self.not_judged.clone_from(&snapshot.not_judged);
        self.note_snapshot(snapshot.sockets.clone());
        entries
    }

    /// Forgets what is of processes without sockets; else memory would grow with a host's history.
    fn note_snapshot(&mut self, sockets: Vec<Box<SocketFacts>>) {
        self.sockets = sockets;
        self.places.clear();
        self.joiner = Joiner::new(&self.sockets);
        let holders: std::collections::HashSet<ProcessKey> =
            self.holders.iter().map(|holder| holder.key).collect();
        self.processes.retain(|key, _| holders.contains(key));
        self.readers.retain(|key, _| holders.contains(key));
        self.ledgers.retain(|key, _| holders.contains(key));
    }

    /// What an entry says, if it says something by itself.
    ///
    /// # Errors
    /// It refers to something that was not said.
    pub(super) fn decode(&mut self, entry: Entry<'_>) -> Result<Option<Step>, Nonsense> {
        let input = match entry {
            Entry::Head(_) | Entry::Carried(_) => return Ok(None),
            Entry::Asked(at) => return Ok(Some(Step::Asked(at))),
            Entry::Reported => return Ok(Some(Step::Reported)),
            Entry::Sockets(pieces) => {
                self.take_sockets(pieces)?;
                return Ok(None);
            }
            Entry::Snapshot(entry) => Input::Snapshot(self.decode_snapshot(entry)?),
            Entry::Event(entry) => Input::Event(self.decode_event(entry)?),
            Entry::SameProcess(key) => {
                Input::Process(self.processes.get(&key).ok_or(Nonsense)?.clone())
            }
            Entry::Readers(entry) => {
                let ReadersEntry { process, at, found, goroutines, limits } = entry;
                let before = self.readers.entry(process).or_default();
                *before = pieces::join(before, found).ok_or(Nonsense)?;
                let found = before.clone();
                Input::Readers(Readers { process, at, found, goroutines, limits })
            }
            Entry::Ledger(LedgerEntry { process, at, open, limits }) => {
                let before = self.ledgers.entry(process).or_default();
                *before = pieces::join(before, open).ok_or(Nonsense)?;
                Input::Ledger(Ledger { process, at, open: before.clone(), limits })
            }
            Entry::Input(input) => {
                let input = input.into_owned();
                if let Input::Process(facts) = &input {
                    self.processes.insert(facts.key, facts.clone());
                }
                input
            }
        };
        Ok(Some(Step::Input(input)))
    }

    fn decode_event(&mut self, entry: EventEntry<'_>) -> Result<Event, Nonsense> {
        let EventEntry { after, id_step, place, happening } = entry;
        let at = after.after(self.event_at);
        let id = ConnectionId(self.event_id.wrapping_add_signed(id_step));
        let place = place.or_else(|| self.places.get(&id).copied()).ok_or(Nonsense)?;
        self.note_event(at, id, place, &happening);
        let (netns, local, remote) = place;
        Ok(Event { at, id, netns, local, remote, happening: happening.into_owned() })
    }

    fn take_sockets(&mut self, pieces: Vec<SocketPiece>) -> Result<(), Nonsense> {
        let Self { sockets, coming, joiner, .. } = self;
        let mut join = |piece| joiner.join(sockets, piece, coming);
        pieces.into_iter().try_for_each(|piece| join(piece).ok_or(Nonsense))
    }

    fn decode_snapshot(&mut self, entry: SnapshotEntry) -> Result<Snapshot, Nonsense> {
        let sockets = std::mem::take(&mut self.coming);
        self.holders = pieces::join(&self.holders, entry.holders).ok_or(Nonsense)?;
        if let Some(listeners) = entry.listeners {
            self.listeners = listeners;
        }
        if let Some(not_judged) = entry.not_judged {
            self.not_judged = not_judged;
        }
        let snapshot = Snapshot {
            started_at: entry.started_at,
            ended_at: entry.ended_at,
            sockets: sockets.clone(),
            holders: self.holders.clone(),
            listeners: self.listeners.clone(),
            not_judged: self.not_judged.clone(),
            undecodable: entry.undecodable,
            unreadable: entry.unreadable,
            unopened: entry.unopened,
        };
        self.note_snapshot(sockets);
        Ok(snapshot)
    }
}

/// An entry that nobody wrote so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nonsense;

fn changed<T: Clone + PartialEq>(before: &T, now: &T) -> Option<T> {
    (before != now).then(|| now.clone())
}
