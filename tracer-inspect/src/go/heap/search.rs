//! One search of the whole heap for whatever refers to a number of responses.
//!
//! An object that refers to a response may itself be garbage, or be reachable only through the
//! response. So what refers to such an object is searched as well, in a further pass for all
//! responses together, up to a number of passes.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tracer_core::{HolderKind, Reachability, ResponseHolder};

use super::{
    Waiting,
    holder::Names,
    pass::{Ended, Match, Resident, arenas, span_at, spans},
    targets::Targets,
};
use crate::{
    budget::Reservation,
    go::{
        allocator::{
            metadata::{Heap, Slot, Span},
            roots::HeapRoots,
        },
        goroutine_scan::GoroutineScan,
        layout::{Layout, heap::SPAN},
        program::ScanInputs,
        target::Target,
    },
    process::pages::Pages,
};

/// Maximum number of bytes searched: 16 GiB.
const SEARCHED_MAX: u64 = 16 << 30;
/// Number of bytes searched after which there is no further pass.
const FURTHER_MAX: u64 = 2 << 30;
/// Number of bytes that are read and searched with one step at least, and the number of steps that are
/// left for the rest of the inspection.
const BYTES_PER_STEP: u64 = 6;
const STEPS_RESERVED: u64 = 1 << 28;
/// Bytes that an object takes in the lists.
const OBJECT: usize = 160;
/// Maximum number of passes.
const PASSES: usize = 5;
/// Maximum number of objects of which is found out whether a response leads to them, and the largest
/// size of such an object.
const REACHED_MAX: usize = 256;
const REACHED_SIZE: u64 = 512;

/// The objects of each response, by start, with their ends.
pub(super) type Objects = BTreeMap<usize, BTreeMap<u64, u64>>;

/// An object that refers to a response and may be garbage.
#[derive(Clone, Debug)]
struct Doubtful {
    /// The objects by which it refers to the response: their ends by their starts.
    objects: BTreeMap<u64, u64>,
    /// The first one.
    holder: ResponseHolder,
}

/// A search.
pub(super) struct Search<'a> {
    pub(super) target: Target<'a>,
    pub(super) heap: Heap<'a>,
    pub(super) roots: HeapRoots,
    pub(super) layout: &'a Layout,
    /// The goroutines of connections that wait: their stacks hold no responses for the program.
    pub(super) machinery: HashSet<(u64, u64)>,
    pub(super) resident: Resident<'a>,
    /// Number of bytes searched so far.
    pub(super) bytes: u64,
    pub(super) found: BTreeMap<usize, Reachability>,
    /// Responses to which something refers that was changing.
    changing: HashSet<usize>,
    /// The objects of each response, and those that refer to them and may be garbage.
    own: BTreeMap<usize, BTreeSet<u64>>,
    /// What was added to these in the current pass.
    doubtful: BTreeMap<usize, Doubtful>,
    /// The first holder of a response that may be garbage.
    first: BTreeMap<usize, ResponseHolder>,
    /// The object of the heap that holds a response and has no name: its start and end.
    pub(super) unnamed: BTreeMap<usize, (u64, u64)>,
    /// The names of variables by their addresses, as in the file.
    pub(super) symbols: BTreeMap<u64, Option<String>>,
    /// For the objects above.
    reserved: Option<Reservation<'a>>,
    /// Whether there may be another pass.
    may_continue: bool,
    reached: usize,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        target: Target<'a>,
        heap: Heap<'a>,
        roots: HeapRoots,
        layout: &'a Layout,
        scan: &GoroutineScan,
    ) -> Self {
        let machinery = scan.read_loops.iter();
        let machinery = machinery.map(|it| (it.goroutine.address, it.goroutine.id)).collect();
        Self {
            target,
            heap,
            roots,
            layout,
            machinery,
            resident: Resident { memory: target.memory, page_map: target.page_map },
            bytes: 0,
            found: BTreeMap::new(),
            changing: HashSet::new(),
            own: BTreeMap::new(),
            doubtful: BTreeMap::new(),
            first: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            symbols: BTreeMap::new(),
            reserved: target.memory.budget().try_reserve(0),
            may_continue: true,
            reached: 0,
        }
    }

    /// Searches for these responses. A response without a result is unknown.
    pub(super) fn run(
        &mut self,
        waiting: &Waiting,
        inputs: &mut ScanInputs,
    ) -> BTreeMap<usize, Reachability> {
        let objects = self.objects(waiting, inputs);
        for (number, objects) in &objects {
            self.own.insert(*number, objects.keys().copied().collect());
        }
        let mut wanted = objects.clone();
        for number in 1..=PASSES {
            self.may_continue = number < PASSES && self.bytes < FURTHER_MAX;
            let ended = self.pass(&wanted, inputs);
            if ended == Err(Ended::Incomplete) || self.target.memory.budget().is_exceeded() {
                self.changing.extend(wanted.keys());
            }
            let doubtful = std::mem::take(&mut self.doubtful);
            wanted.clear();
            for (number, doubtful) in doubtful {
                if self.is_wanted(number) && !self.changing.contains(&number) {
                    self.own.entry(number).or_default().extend(doubtful.objects.keys());
                    self.first.entry(number).or_insert(doubtful.holder);
                    wanted.insert(number, doubtful.objects);
                }
            }
            if wanted.is_empty() {
                break;
            }
        }
        let mut pages = Pages::new(self.target.memory);
        for (number, objects) in &objects {
            if !self.is_wanted(*number) {
                continue;
            }
            let result = if self.changing.contains(number) {
                Reachability::Unknown
            } else if self.heap.have_specials(objects.keys(), &mut pages) {
                Reachability::Held(None)
            } else {
                Reachability::Dropped
            };
            self.found.insert(*number, result);
        }
        self.name_containers();
        std::mem::take(&mut self.found)
    }

    /// One pass for references to these objects. Once each response is held by something, it ends.
    ///
    /// # Errors
    /// The pass ended early.
    fn pass(&mut self, objects: &Objects, inputs: &mut ScanInputs) -> Result<(), Ended> {
        if objects.is_empty() {
            return Ok(());
        }
        let budget = self.target.memory.budget();
        let all = objects.iter().map(|(number, objects)| (*number, objects));
        let targets = Targets::of(all, budget).ok_or(Ended::Incomplete)?;
        let resident = self.resident;
        self.search_globals(&targets, objects)?;
        self.search_stacks(&targets, objects, inputs)?;
        self.each_arena(|this, spans| {
            this.search_specials(&targets, spans)?;
            let some = spans.iter().filter(|span| span.has_pointers());
            let ranges: Vec<_> = some.map(|span| (span.start, span.size())).collect();
            this.count(&ranges)?;
            resident.search(ranges.into_iter(), &targets, |matches| {
                for it in matches {
                    this.add_object(*it, spans, &targets, inputs);
                }
                this.is_open(objects)
            })
        })
    }

    /// Searches what is attached to objects.
    ///
    /// # Errors
    /// It could not be searched completely.
    fn search_specials(&mut self, targets: &Targets, spans: &[Span]) -> Result<(), Ended> {
        let mut numbers = BTreeSet::new();
        self.heap.words_of_specials(spans, |word| {
            if targets.may_contain(word) {
                numbers.extend(targets.owners(word).into_iter().flatten());
            }
        })?;
        let holder = ResponseHolder { kind: HolderKind::Object, name: None };
        self.add_held(numbers.into_iter(), &holder);
        Ok(())
    }

    /// Calls a function with the spans in use of each arena.
    ///
    /// # Errors
    /// The metadata could not be read, or the function ended the search.
    pub(super) fn each_arena(
        &mut self,
        mut call: impl FnMut(&mut Self, &[Span]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let budget = self.target.memory.budget();
        let mut pages = Pages::new(self.target.memory);
        let arenas = arenas(&self.heap, self.target.mappings, &self.resident, &mut pages)?;
        for arena in arenas {
            let spans = spans(&self.heap, arena, &mut pages)?;
            let size = spans.len().saturating_mul(size_of::<Span>() + SPAN);
            let _reservation = budget.reserve(size).ok_or(Ended::Incomplete)?;
            call(self, &spans)?;
        }
        Ok(())
    }

    /// Counts the bytes of these ranges.
    ///
    /// # Errors
    /// Too many were searched.
    pub(super) fn count(&mut self, ranges: &[(u64, u64)]) -> Result<(), Ended> {
        let added = ranges.iter().fold(0_u64, |sum, (_, length)| sum.saturating_add(*length));
        self.bytes = self.bytes.saturating_add(added);
        // A budget that is exceeded would take the other results with it.
        let needed = (added / BYTES_PER_STEP).saturating_add(STEPS_RESERVED);
        let is_too_long = needed > self.target.memory.budget().steps_left();
        if self.bytes > SEARCHED_MAX || is_too_long { Err(Ended::Incomplete) } else { Ok(()) }
    }

    /// Makes room for objects in the lists, if the budget has it.
    pub(super) fn reserve(&mut self, objects: usize) -> bool {
        let bytes = objects.saturating_mul(OBJECT);
        self.reserved.as_mut().is_some_and(|reserved| reserved.grow(bytes))
    }

    /// Whether it is not known yet what holds a response.
    pub(super) fn is_wanted(&self, number: usize) -> bool {
        !self.found.contains_key(&number)
    }

    /// An error if each response is held.
    ///
    /// # Errors
    /// That is so.
    pub(super) fn is_open(&self, objects: &Objects) -> Result<(), Ended> {
        let is_open = objects.keys().any(|it| self.is_wanted(*it));
        if is_open { Ok(()) } else { Err(Ended::Enough) }
    }

    /// Adds what holds a response, unless something else is known to. If the reference is to an
    /// object that holds the response, that one is named.
    pub(super) fn add_held(
        &mut self,
        numbers: impl Iterator<Item = usize>,
        holder: &ResponseHolder,
    ) {
        for number in numbers {
            let holder = self.first.get(&number).unwrap_or(holder);
            let held = || Reachability::Held(Some(Box::new(holder.clone())));
            self.found.entry(number).or_insert_with(held);
        }
    }

    /// Adds the object of the heap with a word that refers to a response, if it is alive.
    fn add_object(
        &mut self,
        Match { place, word }: Match,
        spans: &[Span],
        targets: &Targets,
        inputs: &mut ScanInputs,
    ) {
        let Some(span) = span_at(spans, place) else { return };
        let (Some(object), Some(owners)) = (span.object(place), targets.owners(word)) else {
            return;
        };
        let is_own = |number: &usize| {
            let is_in = |own: &BTreeSet<u64>| own.contains(&object);
            let doubtful = self.doubtful.get(number);
            self.own.get(number).is_some_and(is_in)
                || doubtful.is_some_and(|it| it.objects.contains_key(&object))
        };
        let others = owners.iter().copied();
        let others = others.filter(|number| self.is_wanted(*number) && !is_own(number));
        let others: Vec<usize> = others.collect();
        if others.is_empty() {
            return;
        }
        // Both may have changed since the span was read.
        let mut pages = Pages::new(self.target.memory);
        if !self.heap.is_pointer(span, place, &mut pages) {
            return;
        }
        let (slot, now) = self.heap.slot(object);
        let now = match (slot, now) {
            (Slot::Marked | Slot::New, Some(now)) => now,
            (Slot::Free | Slot::Dead, _) => return,
            _ => {
                self.changing.extend(others);
                return;
            }
        };
        let bias = self.target.bias;
        let mut names = Names { functions: inputs.functions, pages: &mut pages, bias };
        let holder = names.object(&self.heap, &now, object);
        for number in others {
            if holder.name.is_none() && !self.first.contains_key(&number) {
                let range = (object, object.saturating_add(now.element));
                self.unnamed.entry(number).or_insert(range);
            }
            let may_be_garbage = slot == Slot::New || self.leads_to(number, &now, object);
            if !self.may_continue || !may_be_garbage {
                self.add_held([number].into_iter(), &holder);
                continue;
            }
            if !self.reserve(1) {
                self.changing.insert(number);
                continue;
            }
            let new = || Doubtful { objects: BTreeMap::new(), holder: holder.clone() };
            let doubtful = self.doubtful.entry(number).or_insert_with(new);
            doubtful.objects.insert(object, object.saturating_add(now.element));
        }
    }

    /// Whether a response leads to an object, so that the object may be reachable only through the
    /// response. `false` also if that is not found out, so that the object counts as a holder.
    fn leads_to(&mut self, number: usize, span: &Span, object: u64) -> bool {
        if span.element > REACHED_SIZE || self.reached >= REACHED_MAX {
            return false;
        }
        self.reached += 1;
        let Some(own) = self.own.get(&number) else { return false };
        let mut pages = Pages::new(self.target.memory);
        self.heap.leads_to(own, object, self.target.mappings, &mut pages)
    }
}
