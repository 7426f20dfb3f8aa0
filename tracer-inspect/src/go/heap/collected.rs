//! The objects of each response, or that its body was collected.

use std::collections::BTreeMap;

use tracer_core::Reachability;

use super::{
    super::allocator::metadata::{Heap, Slot, Span},
    Waiting,
    family::Families,
    pass::{Ended, span_at},
    search::{Objects, Search},
    specials::has_special,
    targets::Targets,
};
use crate::{go::program::ScanInputs, process::pages::Pages};

/// Size of `bodyEOFSignal`, and the largest size of a function that captured its channel, in bytes.
const BODY: u64 = 64;
const CLOSURE_MAX: u64 = 128;

impl Search<'_> {
    /// The objects of each response that has not been collected. Those that have been are dropped.
    pub(super) fn objects(&mut self, waiting: &Waiting, inputs: &mut ScanInputs) -> Objects {
        let mut objects = Objects::new();
        let mut missing = BTreeMap::new();
        let mut pages = Pages::new(self.target.memory);
        let mut families = self.families(inputs, &mut pages);
        let mut results = Vec::new();
        for (number, _, read_loop) in waiting {
            let Some(channel) = families.channel(read_loop) else { continue };
            let Some(body) = families.body_in_frame(read_loop, channel) else {
                missing.insert(channel, (*number, *read_loop));
                continue;
            };
            match state(&self.heap, body) {
                State::Unknown => {}
                State::Collected => results.push(*number),
                State::Alive => {
                    objects.extend(families.objects(read_loop, body).map(|it| (*number, it)));
                }
            }
        }
        objects.retain(|_, own| self.reserve(own.len()));
        // With the sanitizer, objects are larger, so a body could be overlooked.
        if !missing.is_empty()
            && !self.roots.has_sanitizer
            && let Ok(bodies) = self.bodies(missing.keys().copied())
        {
            let mut pages = Pages::new(self.target.memory);
            let mut families = self.families(inputs, &mut pages);
            for (channel, (number, read_loop)) in missing {
                let own = bodies.iter().copied().filter(|it| families.is_body_of(*it, channel));
                let own: Vec<u64> = own.collect();
                let states: Vec<_> = own.iter().map(|it| state(&self.heap, *it)).collect();
                let alive = own.iter().zip(&states).filter(|(_, it)| **it == State::Alive);
                let alive: Vec<u64> = alive.map(|(body, _)| *body).collect();
                if states.contains(&State::Unknown) {
                    continue;
                }
                match *alive {
                    [] => results.push(number),
                    [body] => {
                        objects.extend(families.objects(read_loop, body).map(|it| (number, it)));
                    }
                    _ => {}
                }
            }
            objects.retain(|_, own| self.reserve(own.len()));
        }
        if !self.target.memory.budget().is_exceeded() {
            self.found.extend(results.into_iter().map(|it| (it, Reachability::Dropped)));
        }
        objects
    }

    fn families<'b, 'memory>(
        &self,
        inputs: &'b mut ScanInputs,
        pages: &'b mut Pages<'memory>,
    ) -> Families<'b, 'memory>
    where
        Self: 'b,
        'memory: 'b,
    {
        let (mappings, bias) = (self.target.mappings, self.target.bias);
        Families { heap: self.heap, mappings, functions: inputs.functions, pages, bias }
    }

    /// The addresses at which there is a `bodyEOFSignal` for one of these channels, or what is left
    /// of one. Objects do not move, and its functions do not change, so one that is alive is among
    /// them.
    ///
    /// # Errors
    /// Not all of the heap could be searched.
    fn bodies(&mut self, channels: impl Iterator<Item = u64>) -> Result<Vec<u64>, Ended> {
        let words = |it: u64| (it, it.saturating_add(8));
        let channels = channels.map(words).collect();
        let closures = self.referrers(&channels, |span| span.element <= CLOSURE_MAX)?;
        if closures.is_empty() {
            return Ok(Vec::new());
        }
        let closures = closures.into_iter().map(words).collect();
        self.referrers(&closures, |span| span.element == BODY)
    }

    /// The objects of some spans that refer to one of these, alive or not.
    fn referrers(
        &mut self,
        objects: &BTreeMap<u64, u64>,
        is_searched: impl Fn(&Span) -> bool,
    ) -> Result<Vec<u64>, Ended> {
        let budget = self.target.memory.budget();
        let targets = Targets::of([(0, objects)].into_iter(), budget).ok_or(Ended::Incomplete)?;
        let mut found = Vec::new();
        let resident = self.resident;
        self.each_arena(|this, spans| {
            let some = spans.iter().filter(|span| span.has_pointers() && is_searched(span));
            let ranges: Vec<_> = some.map(|span| (span.start, span.size())).collect();
            this.count(&ranges)?;
            resident.search(ranges.into_iter(), &targets, |matches| {
                for it in matches {
                    let object = span_at(spans, it.place).and_then(|span| span.object(it.place));
                    budget.spend_bytes(16).ok_or(Ended::Incomplete)?;
                    found.extend(object);
                }
                Ok(())
            })
        })?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

/// What is known about a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unknown,
    Collected,
    Alive,
}

fn state(heap: &Heap, body: u64) -> State {
    let mut pages = Pages::new(heap.memory);
    match heap.slot(body) {
        (Slot::Unknown, _) => State::Unknown,
        // What has not been swept yet may have a finalizer, which uses it again.
        (Slot::Dead, span)
            if span.is_none_or(|it| has_special(heap.layout, &it, body, &mut pages)) =>
        {
            State::Unknown
        }
        (Slot::Free | Slot::Dead, _) => State::Collected,
        (Slot::Marked | Slot::New, _) => State::Alive,
    }
}
