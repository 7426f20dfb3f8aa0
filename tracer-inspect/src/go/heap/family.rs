//! The objects by which a program can read a response: the response, its body, and what is between
//! them.
//!
//! While `readLoop` waits until a body has been read or closed, it waits on a channel that was made
//! for this one response (`waitForBodyRead`). The body is the `bodyEOFSignal` whose function
//! `earlyCloseFn` or `fn` has captured this channel. The frame of `readLoop` usually still has its
//! address, but the word is not live in versions of Go whose `readLoop` does not use the body any
//! more, so the object may have been freed and the memory reused.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    super::allocator::metadata::Heap,
    super::{
        functions::Functions,
        layout::{self, heap::HeapLayout},
        read_loop::ReadLoop,
    },
};
use crate::process::{maps::Mappings, pages::Pages};

/// Prefix of the names of the functions within `readLoop`.
const READ_LOOP_FUNCTIONS: &str = "net/http.(*persistConn).readLoop.";
/// Capacity and element size of `waitForBodyRead`: `chan bool` with room for two, and `chan error`
/// with room for one since 1.27.
const BODY_CHANNELS: [(u64, u64); 2] = [(2, 1), (1, 16)];
/// Maximum number of channels that a `readLoop` waits on. It waits on up to four.
const CHANNELS_MAX: usize = 16;
/// `bodyEOFSignal`: `fn`, `earlyCloseFn`.
const BODY_FUNCTIONS: [u64; 2] = [56, 48];
/// Number of captured variables of such a function that are compared with the channel.
const CAPTURED: u64 = 3;
/// Limits of the search from a response for its body: objects, depth, bytes of an object.
const OBJECTS_MAX: usize = 256;
const DEPTH_MAX: usize = 6;
const OBJECT_MAX: u64 = 512;
/// Maximum number of objects that are followed from a response to what refers to it.
const REACHED_MAX: usize = 512;

/// Finds the objects of responses.
pub(super) struct Families<'a, 'memory> {
    pub(super) heap: Heap<'a>,
    pub(super) mappings: &'a Mappings,
    pub(super) functions: &'a mut Functions,
    pub(super) pages: &'a mut Pages<'memory>,
    pub(super) bias: u64,
}

impl Families<'_, '_> {
    /// The channel on which a `readLoop` waits for its body to be read; `None` if it does not.
    pub(super) fn channel(&mut self, read_loop: &ReadLoop) -> Option<u64> {
        let HeapLayout { goroutine_waiting, waiter_next, .. } = *self.heap.layout;
        let channel_at = self.heap.layout.waiter_channel + self.heap.layout.waiter_channel_word;
        let mut next =
            self.pages.word(read_loop.goroutine.address.checked_add(goroutine_waiting)?)?;
        let mut found = None;
        for _ in 0..CHANNELS_MAX {
            if next == 0 {
                return found;
            }
            let channel = self.pages.word(next.checked_add(channel_at)?)?;
            let capacity = self.pages.word(channel.checked_add(layout::CHANNEL_CAPACITY)?)?;
            let size =
                self.pages.word(channel.checked_add(layout::CHANNEL_ELEMENT_SIZE)?)? & 0xffff;
            if BODY_CHANNELS.contains(&(capacity, size)) && found.replace(channel).is_some() {
                return None;
            }
            next = self.pages.word(next.checked_add(waiter_next)?)?;
        }
        None
    }

    /// Whether a word is the address of a `bodyEOFSignal` of the response of this channel.
    pub(super) fn is_body_of(&mut self, address: u64, channel: u64) -> bool {
        self.mappings.is_heap(address) && self.channels_of_body(address).any(|it| it == channel)
    }

    /// The words that the functions of a `bodyEOFSignal` have captured, if it is one.
    pub(super) fn channels_of_body(&mut self, address: u64) -> impl Iterator<Item = u64> + use<> {
        let mut captured = Vec::new();
        for offset in BODY_FUNCTIONS {
            let word = address.checked_add(offset).and_then(|it| self.pages.word(it));
            let Some(closure) = word.filter(|it| self.mappings.is_heap(*it)) else { continue };
            let Some(code) = self.pages.word(closure) else { continue };
            let is_read_loops = self.functions.is_entry_with_prefix(
                self.pages,
                self.bias,
                code,
                READ_LOOP_FUNCTIONS,
            );
            if is_read_loops {
                let words = (1..=CAPTURED).map(|number| closure.saturating_add(8 * number));
                captured.extend(words.filter_map(|it| self.pages.word(it)));
            }
        }
        captured.into_iter()
    }

    /// The body in the frame of a `readLoop`.
    pub(super) fn body_in_frame(&mut self, read_loop: &ReadLoop, channel: u64) -> Option<u64> {
        let words = read_loop.pointers(self.mappings);
        words.into_iter().find(|&word| self.is_body_of(word, channel))
    }

    /// All objects of the response with this body, by address, with their ends.
    pub(super) fn objects(
        &mut self,
        read_loop: &ReadLoop,
        body: u64,
    ) -> Option<BTreeMap<u64, u64>> {
        let mut found = BTreeMap::new();
        let inner = self.pages.word(body.checked_add(layout::BODY_INNER + 8)?);
        let mut all: Vec<u64> = [Some(body), inner].into_iter().flatten().collect();
        for word in read_loop.pointers(self.mappings) {
            if let Some(between) = self.response(word, body) {
                all.push(word);
                all.extend(between);
            }
        }
        for address in all {
            // An object outside of the heap is constant.
            let Some(span) = self.heap.span(address, self.pages) else { continue };
            let Some(object) = span.object(address) else { continue };
            found.insert(object, object.saturating_add(span.element));
        }
        // At least the body itself.
        (!found.is_empty() && !self.pages.budget().is_exceeded()).then_some(found)
    }

    /// The objects between an `http.Response` and its body; `None` if this is not the response.
    fn response(&mut self, address: u64, body: u64) -> Option<BTreeSet<u64>> {
        let word = |pages: &mut Pages, offset| pages.word(address.checked_add(offset)?);
        let is_response = (100..1000).contains(&word(self.pages, layout::RESPONSE_STATUS)?)
            && word(self.pages, layout::RESPONSE_MAJOR)? == 1;
        if !is_response {
            return None;
        }
        let first = word(self.pages, layout::RESPONSE_BODY + 8)?;
        if first == body {
            return Some(BTreeSet::new());
        }
        self.between(first, body)
    }

    /// The objects on all ways from one object to another, up to the limits; `None` if there is no
    /// way. What is beyond the limits counts as holding the response, if it refers to it.
    fn between(&mut self, first: u64, last: u64) -> Option<BTreeSet<u64>> {
        // The objects by their references, breadth first.
        let mut edges: Vec<(u64, u64)> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut layer = vec![first];
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for address in layer {
                let Some(object) = self.heap.object(address, self.mappings, self.pages) else {
                    continue;
                };
                if object == last || seen.len() >= OBJECTS_MAX || !seen.insert(object) {
                    continue;
                }
                for word in self.heap.words(object, self.pages) {
                    if let Some(target) = self.heap.object(word, self.mappings, self.pages) {
                        edges.push((object, target));
                        next.push(target);
                    }
                }
            }
            self.pages.budget().step(u64::try_from(edges.len()).ok()?)?;
            layer = next;
        }
        let mut between = BTreeSet::from([last]);
        loop {
            let before = between.len();
            self.pages.budget().step(u64::try_from(edges.len()).ok()?)?;
            for (from, to) in &edges {
                if between.contains(to) {
                    between.insert(*from);
                }
            }
            if between.len() == before {
                break;
            }
        }
        let starts_there = self
            .heap
            .object(first, self.mappings, self.pages)
            .is_some_and(|it| between.contains(&it));
        between.remove(&last);
        starts_there.then_some(between)
    }
}

impl Heap<'_> {
    /// The start of the object with pointers at an address.
    fn object(&self, address: u64, mappings: &Mappings, pages: &mut Pages) -> Option<u64> {
        if !address.is_multiple_of(8) || !mappings.is_heap(address) {
            return None;
        }
        let span = self.span(address, pages)?;
        if span.has_pointers() { span.object(address) } else { None }
    }

    /// The first words of an object.
    fn words(&self, object: u64, pages: &mut Pages) -> Vec<u64> {
        let size = self.span(object, pages).map_or(0, |span| span.element);
        let places = (0..size.min(OBJECT_MAX)).step_by(8);
        places.filter_map(|offset| pages.word(object.checked_add(offset)?)).collect()
    }

    /// Whether some objects lead to another one, within the limits.
    pub(super) fn leads_to(
        &self,
        from: &BTreeSet<u64>,
        to: u64,
        mappings: &Mappings,
        pages: &mut Pages,
    ) -> bool {
        let mut seen = from.clone();
        let mut layer: Vec<u64> = from.iter().copied().collect();
        for _ in 0..DEPTH_MAX {
            let mut next = Vec::new();
            for object in layer {
                for word in self.words(object, pages) {
                    let Some(target) = self.object(word, mappings, pages) else { continue };
                    if target == to {
                        return true;
                    }
                    if seen.len() < REACHED_MAX && seen.insert(target) {
                        next.push(target);
                    }
                }
            }
            layer = next;
        }
        false
    }
}
