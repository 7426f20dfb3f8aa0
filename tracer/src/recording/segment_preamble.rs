//! The state with which a new segment begins, so that earlier segments can be deleted.

use std::collections::{BTreeMap, HashMap, HashSet};

use tracer_core::{
    CallSite, ConnectionId, Event, EventKind, HostFacts, Input as CoreInput, Loss, Note,
    ProcessKey, Selection, Snapshot, StackId, Timestamp,
};

use super::wire::{self, Wire as _, input::Input};

/// The maximum number of connections whose events are kept. The age of further ones is only a lower
/// bound for a reader that begins with a later segment.
const CONNECTIONS_MAX: usize = 1 << 20;
/// Maximum number of events kept for a connection: more than it has between `connect` and its
/// destruction.
const EVENTS_MAX: usize = 8;

/// Inputs that are still in effect and that no later input repeats.
#[derive(Debug, Default)]
pub(super) struct SegmentPreamble {
    host: Option<HostFacts>,
    selection: Option<Selection>,
    notes: Vec<Note>,
    loss: Option<Loss>,
    call_sites: BTreeMap<(ProcessKey, StackId), CallSite>,
    /// How the open connections were opened.
    events: HashMap<ConnectionId, Vec<Event>>,
    /// When the latest snapshot began.
    snapshot_at: Timestamp,
}

impl SegmentPreamble {
    /// Updates the state with the next input of the run.
    pub(super) fn update(&mut self, input: &CoreInput) {
        match input {
            CoreInput::Host(host) => self.host = Some(host.clone()),
            CoreInput::Selection(selection) => self.selection = Some(selection.clone()),
            CoreInput::Note(note) if !self.notes.contains(note) => self.notes.push(note.clone()),
            CoreInput::Loss(loss) => self.loss = Some(*loss),
            CoreInput::CallSite(answer) => {
                self.call_sites.insert((answer.process, answer.stack), answer.clone());
            }
            CoreInput::Event(event) => self.remember_event(event),
            CoreInput::Snapshot(snapshot) => {
                self.snapshot_at = snapshot.started_at;
                let holders: HashSet<ProcessKey> =
                    snapshot.holders.iter().map(|holder| holder.key).collect();
                self.call_sites.retain(|(process, _), _| holders.contains(process));
            }
            // These are repeated after every snapshot.
            CoreInput::Process(_)
            | CoreInput::ProcessUnreadable(_)
            | CoreInput::Readers(_)
            | CoreInput::Ledger(_)
            | CoreInput::Unanswered(_)
            | CoreInput::NoAnswer(..)
            | CoreInput::ResponsesAwaited(_)
            | CoreInput::Note(_)
            | CoreInput::Tick(_) => {}
        }
    }

    fn remember_event(&mut self, event: &Event) {
        if event.kind == EventKind::Destroyed {
            self.events.remove(&event.id);
            return;
        }
        let is_full = self.events.len() >= CONNECTIONS_MAX;
        if is_full && !self.events.contains_key(&event.id) {
            return;
        }
        let events = self.events.entry(event.id).or_default();
        if matches!(event.kind, EventKind::Connected(_)) {
            events.clear();
        }
        if events.len() < EVENTS_MAX {
            events.push(event.clone());
        }
    }

    /// The inputs with which a segment begins whose first snapshot is this, in the order in which
    /// they happened.
    pub(super) fn inputs(&mut self, snapshot: &Snapshot) -> Vec<Input> {
        let open: HashSet<ConnectionId> = snapshot.sockets.iter().map(|facts| facts.id).collect();
        let snapshot_at = self.snapshot_at;
        // A connection that was just opened may have no file descriptor yet.
        self.events.retain(|id, events| {
            open.contains(id) || events.last().is_some_and(|event| event.at >= snapshot_at)
        });
        let mut events: Vec<&Event> = self.events.values().flatten().collect();
        events.sort_by_key(|event| (event.at, event.id));
        let host = self.host.iter().map(|host| Input::Host(wire::host::HostFacts::from_core(host)));
        let selection = self.selection.iter();
        let selection =
            selection.map(|it| Input::Selection(wire::selection::Selection::from_core(it)));
        let notes = self.notes.iter().map(|note| Input::Note(wire::note::Note::from_core(note)));
        let loss = self.loss.iter().map(|loss| Input::Loss(wire::host::Loss::from_core(loss)));
        let call_sites = self.call_sites.values();
        let call_sites =
            call_sites.map(|it| Input::CallSite(wire::ledger::CallSite::from_core(it)));
        let events = events.into_iter().map(|it| Input::Event(wire::event::Event::from_core(it)));
        host.chain(selection).chain(notes).chain(loss).chain(call_sites).chain(events).collect()
    }
}
