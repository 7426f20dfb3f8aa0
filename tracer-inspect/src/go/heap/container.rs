//! Names an object without a type by what refers to it: the array of a slice, the buffer of a
//! channel, the buckets of a map.

use std::collections::BTreeMap;

use tracer_core::{HolderKind, Reachability, ResponseHolder};

use super::{
    super::allocator::metadata::Span,
    holder::shortened,
    pass::{Match, span_at},
    search::Search,
    targets::Targets,
};
use crate::{go::executable::symbol_at, process::pages::Pages};

/// Number of bytes searched up to which a further pass for the names is made.
const NAMED_MAX: u64 = 64 << 20;
/// Maximum number of symbols that are looked up in one search.
const SYMBOLS_MAX: usize = 64;
/// Offset in `runtime.hchan`, in both kinds of maps and in `maps.table` of the buffer.
const BUFFER: u64 = 16;
/// Sizes of these, rounded up to those of the allocator.
const CHANNELS: [u64; 2] = [96, 112];
const MAP: u64 = 48;
const MAP_TABLE: u64 = 32;

impl Search<'_> {
    /// The name of the variable at an address.
    pub(super) fn global_name(&mut self, address: u64) -> Option<String> {
        let start = address.wrapping_sub(self.target.bias);
        if self.symbols.len() >= SYMBOLS_MAX && !self.symbols.contains_key(&start) {
            return None;
        }
        let (file, budget) = (self.target.file, self.target.memory.budget());
        let find = || shortened(symbol_at(file.try_clone().ok()?, start, budget)?);
        self.symbols.entry(start).or_insert_with(find).clone()
    }

    /// One more pass for what refers to the objects that hold a response and have no name.
    pub(super) fn name_containers(&mut self) {
        let first_of = |it: &Reachability| match it {
            Reachability::Held(Some(holder)) => Some(holder.kind),
            _ => None,
        };
        let found = &self.found;
        self.unnamed
            .retain(|number, _| found.get(number).and_then(first_of) == Some(HolderKind::Object));
        if self.unnamed.is_empty() || self.bytes > NAMED_MAX {
            return;
        }
        let objects =
            self.unnamed.iter().map(|(number, range)| (*number, BTreeMap::from([*range])));
        let objects: BTreeMap<_, _> = objects.collect();
        let budget = self.target.memory.budget();
        let all = objects.iter().map(|(number, objects)| (*number, objects));
        let Some(targets) = Targets::of(all, budget) else { return };
        let mut names: BTreeMap<usize, ResponseHolder> = BTreeMap::new();
        let resident = self.resident;
        if let Some(ranges) = self.globals() {
            let _ = resident.search(ranges.into_iter(), &targets, |matches| {
                for it in matches {
                    let name = self.global_name(it.place);
                    let kind = self.kind(*it, None);
                    let holder = ResponseHolder { kind: kind.unwrap_or(HolderKind::Global), name };
                    add(&mut names, &targets, it.word, &holder);
                }
                Ok(())
            });
        }
        let _ = self.each_arena(|this, spans| {
            let ranges = spans.iter().filter(|span| span.has_pointers());
            let ranges = ranges.map(|span| (span.start, span.size()));
            resident.search(ranges, &targets, |matches| {
                for it in matches {
                    if let Some(span) = span_at(spans, it.place)
                        && let Some(kind) = this.kind(*it, Some(span))
                    {
                        let holder = ResponseHolder { kind, name: None };
                        add(&mut names, &targets, it.word, &holder);
                    }
                }
                Ok(())
            })
        });
        for (number, holder) in names {
            self.found.insert(number, Reachability::Held(Some(Box::new(holder))));
        }
    }

    /// What a word refers to, by the words beside it; `None` if that is not known.
    fn kind(&self, Match { place, word }: Match, span: Option<&Span>) -> Option<HolderKind> {
        let mut pages = Pages::new(self.target.memory);
        let (start, end) = self.unnamed.values().find(|(start, _)| *start == word)?;
        if let Some(span) = span {
            let object = span.object(place)?;
            let mut is_data =
                |offset| !self.heap.is_pointer(span, object.saturating_add(offset), &mut pages);
            if place - object == BUFFER && is_data(0) && is_data(8) {
                let is_channel = CHANNELS.contains(&span.element) && is_data(24);
                let is_map = span.element == MAP || span.element == MAP_TABLE && is_data(24);
                if is_map {
                    return Some(HolderKind::Map);
                }
                return if is_channel { self.channel(object, end - start) } else { None };
            }
        }
        let length = pages.word(place.checked_add(8)?)?;
        let capacity = pages.word(place.checked_add(16)?)?;
        let is_slice = (1..=capacity).contains(&length)
            && capacity.checked_mul(8).is_some_and(|it| it <= end - start);
        is_slice.then_some(HolderKind::Slice)
    }

    /// Whether a channel is at an address, with a buffer of at most this size.
    fn channel(&self, address: u64, size: u64) -> Option<HolderKind> {
        let mut pages = Pages::new(self.target.memory);
        let (count, capacity) = (pages.word(address)?, pages.word(address.checked_add(8)?)?);
        let state = pages.word(address.checked_add(24)?)?;
        let element = state & 0xffff;
        let is_channel = count <= capacity
            && element > 0
            && capacity.checked_mul(element).is_some_and(|it| it <= size)
            && state >> 32 <= 1;
        is_channel.then_some(HolderKind::Channel)
    }
}

/// Adds a name for all responses that an object holds, unless they have one.
fn add(
    names: &mut BTreeMap<usize, ResponseHolder>,
    targets: &Targets,
    word: u64,
    holder: &ResponseHolder,
) {
    for number in targets.owners(word).into_iter().flatten() {
        names.entry(*number).or_insert_with(|| holder.clone());
    }
}
