use std::collections::{BTreeMap, HashMap, HashSet};

use tracer_core::{
    CallSite, ConnectionId, Event, Happening, HostFacts, Input, Loss, ProcessKey, Snapshot,
    StackId, Timestamp,
};

/// Connections of which more is known than a look shows; of further ones, how old they are is only
/// bounded for whoever begins to read in a later segment.
const CONNECTIONS_MAX: usize = 1 << 20;
/// More than a connection has between its opening and its end.
const EVENTS_MAX: usize = 8;

/// What was said once and still holds, for whoever begins to read in a later segment.
#[derive(Debug, Default)]
pub(super) struct Carried {
    host: Option<HostFacts>,
    notes: Vec<String>,
    loss: Option<Loss>,
    call_sites: BTreeMap<(ProcessKey, StackId), CallSite>,
    /// How the connections that are open came to be.
    events: HashMap<ConnectionId, Vec<Event>>,
    /// When the latest look began.
    looked_at: Timestamp,
}

impl Carried {
    pub(super) fn note(&mut self, input: &Input) {
        match input {
            Input::Host(host) => self.host = Some(host.clone()),
            Input::Note(note) if !self.notes.contains(note) => self.notes.push(note.clone()),
            Input::Loss(loss) => self.loss = Some(*loss),
            Input::CallSite(answer) => {
                self.call_sites.insert((answer.process, answer.stack), answer.clone());
            }
            Input::Event(event) => self.note_event(event),
            Input::Snapshot(snapshot) => {
                self.looked_at = snapshot.started_at;
                let holders: HashSet<ProcessKey> =
                    snapshot.holders.iter().map(|holder| holder.key).collect();
                self.call_sites.retain(|(process, _), _| holders.contains(process));
            }
            // These are said anew at every look.
            Input::Process(_)
            | Input::ProcessUnreadable(_)
            | Input::Readers(_)
            | Input::Ledger(_)
            | Input::Unanswered(_)
            | Input::Note(_)
            | Input::Tick(_) => {}
        }
    }

    fn note_event(&mut self, event: &Event) {
        if event.happening == Happening::Destroyed {
            self.events.remove(&event.id);
            return;
        }
        let is_full = self.events.len() >= CONNECTIONS_MAX;
        if is_full && !self.events.contains_key(&event.id) {
            return;
        }
        let events = self.events.entry(event.id).or_default();
        if matches!(event.happening, Happening::Connected(_)) {
            events.clear();
        }
        if events.len() < EVENTS_MAX {
            events.push(event.clone());
        }
    }

    /// What is to be said again before `snapshot`, in the order in which it happened.
    pub(super) fn inputs(&mut self, snapshot: &Snapshot) -> Vec<Input> {
        let open: HashSet<ConnectionId> = snapshot.sockets.iter().map(|facts| facts.id).collect();
        let looked_at = self.looked_at;
        // One that was just opened may be on its way to a descriptor.
        self.events.retain(|id, events| {
            open.contains(id) || events.last().is_some_and(|event| event.at >= looked_at)
        });
        let mut events: Vec<&Event> = self.events.values().flatten().collect();
        events.sort_by_key(|event| (event.at, event.id));
        let host = self.host.iter().cloned().map(Input::Host);
        let notes = self.notes.iter().cloned().map(Input::Note);
        let loss = self.loss.map(Input::Loss);
        let call_sites = self.call_sites.values().cloned().map(Input::CallSite);
        let events = events.into_iter().cloned().map(Input::Event);
        host.chain(notes).chain(loss).chain(call_sites).chain(events).collect()
    }
}
