//! One search of the whole heap for whatever refers to a number of responses.

use std::collections::{BTreeMap, HashSet};

use super::{
    super::{
        goroutine_scan::{GoroutineScan, Listed, goroutines},
        layout::{
            Layout,
            heap::{MODULE_DATA, MODULE_DATA_END, MODULE_ZEROED, MODULE_ZEROED_END, SPAN},
        },
        program::ScanInputs,
        stacks::{Batches, stacks},
        target::Target,
    },
    HeapRoots, Waiting,
    family::Families,
    holder::{Holder, HolderKind, Names, Reachability},
    metadata::{Heap, Slot, Span},
    pass::{Ended, Match, Resident, arenas, span_at, spans},
    targets::Targets,
};
use crate::{
    frames::rules::Rules,
    process::{memory::u64_at, pages::Pages},
};

/// Maximum number of bytes searched: 16 GiB.
const SEARCHED_MAX: u64 = 16 << 30;
/// Size of `bodyEOFSignal`, and the largest size of a function that captured its channel, in bytes.
const BODY: u64 = 64;
const CLOSURE_MAX: u64 = 128;

/// The objects of each response, by start, with their ends.
type Objects = BTreeMap<usize, BTreeMap<u64, u64>>;

/// A search.
pub(super) struct Search<'a> {
    target: Target<'a>,
    heap: Heap<'a>,
    roots: HeapRoots,
    layout: &'a Layout,
    /// The goroutines of connections that wait: their stacks hold no responses for the program.
    machinery: HashSet<(u64, u64)>,
    resident: Resident<'a>,
    /// Number of bytes searched so far.
    pub(super) bytes: u64,
    found: BTreeMap<usize, Reachability>,
    /// Responses to which something refers that may or may not be alive.
    doubtful: HashSet<usize>,
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
            doubtful: HashSet::new(),
        }
    }

    /// Searches for these responses. A response without a result is unknown.
    pub(super) fn run(
        &mut self,
        waiting: &Waiting,
        inputs: &mut ScanInputs,
    ) -> BTreeMap<usize, Reachability> {
        let objects = self.objects(waiting, inputs);
        let ended = self.search(&objects, inputs);
        let is_complete = ended.is_ok() && !self.target.memory.budget().is_exceeded();
        for (number, objects) in &objects {
            if self.found.contains_key(number) {
                continue;
            }
            let is_dropped =
                is_complete && !self.doubtful.contains(number) && !self.has_specials(objects);
            let result = if is_dropped { Reachability::Dropped } else { Reachability::Unknown };
            self.found.insert(*number, result);
        }
        std::mem::take(&mut self.found)
    }

    /// The objects of each response that has not been collected.
    fn objects(&mut self, waiting: &Waiting, inputs: &mut ScanInputs) -> Objects {
        let mut objects = Objects::new();
        let mut missing = BTreeMap::new();
        let mut pages = Pages::new(self.target.memory);
        let mut families = Families {
            heap: self.heap,
            mappings: self.target.mappings,
            functions: inputs.functions,
            pages: &mut pages,
            bias: self.target.bias,
        };
        for (number, _, read_loop) in waiting {
            let Some(channel) = families.channel(read_loop) else {
                log::debug!("heap: no channel of goroutine {}", read_loop.goroutine.id);
                continue;
            };
            match families.body_in_frame(read_loop, channel) {
                Some(body) => {
                    let own = || families.objects(read_loop, body);
                    self.found.extend(add(&self.heap, body, *number, own, &mut objects));
                }
                None => {
                    missing.insert(channel, (*number, *read_loop));
                }
            }
        }
        // With the sanitizer, objects are larger, so a body could be overlooked.
        if missing.is_empty() || self.roots.has_sanitizer {
            return objects;
        }
        let channels: Vec<u64> = missing.keys().copied().collect();
        let Ok(bodies) = self.bodies(&channels, inputs) else { return objects };
        let mut pages = Pages::new(self.target.memory);
        let mut families = Families {
            heap: self.heap,
            mappings: self.target.mappings,
            functions: inputs.functions,
            pages: &mut pages,
            bias: self.target.bias,
        };
        for (channel, (number, read_loop)) in missing {
            let own = bodies.iter().copied().filter(|it| families.is_body_of(*it, channel));
            let own: Vec<u64> = own.collect();
            let mut is_known = true;
            let mut alive = Vec::new();
            for body in own {
                match self.heap.slot(body).0 {
                    Slot::Unknown => is_known = false,
                    slot if slot.is_alive() => alive.push(body),
                    _ => {}
                }
            }
            match *alive {
                // No object of the heap is its body.
                [] if is_known => {
                    self.found.insert(number, Reachability::Dropped);
                }
                [body] if is_known => {
                    objects.extend(families.objects(read_loop, body).map(|it| (number, it)));
                }
                _ => {}
            }
        }
        objects
    }

    /// The addresses at which there is a `bodyEOFSignal` for one of these channels, or what is left
    /// of one.
    ///
    /// # Errors
    /// Not all of the heap could be searched.
    fn bodies(&mut self, channels: &[u64], inputs: &mut ScanInputs) -> Result<Vec<u64>, Ended> {
        let ends = |addresses: &[u64], size: u64| {
            addresses.iter().map(|it| (*it, it.saturating_add(size))).collect()
        };
        let closures =
            self.referrers(&ends(channels, 8), |span| span.element <= CLOSURE_MAX, inputs)?;
        if closures.is_empty() {
            return Ok(Vec::new());
        }
        self.referrers(&ends(&closures, 8), |span| span.element == BODY, inputs)
    }

    /// The objects of some spans that refer to one of these, alive or not.
    fn referrers(
        &mut self,
        objects: &BTreeMap<u64, u64>,
        is_searched: impl Fn(&Span) -> bool,
        inputs: &ScanInputs,
    ) -> Result<Vec<u64>, Ended> {
        let _ = inputs;
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

    /// Calls a function with the spans in use of each arena.
    fn each_arena(
        &mut self,
        mut call: impl FnMut(&mut Self, &[Span]) -> Result<(), Ended>,
    ) -> Result<(), Ended> {
        let budget = self.target.memory.budget();
        let mut pages = Pages::new(self.target.memory);
        let arenas =
            arenas(&self.heap, self.target.mappings, &mut pages).ok_or(Ended::Incomplete)?;
        for arena in arenas {
            let spans = spans(&self.heap, arena, &mut pages)?;
            let size = spans.len().saturating_mul(size_of::<Span>() + SPAN);
            let _reservation = budget.reserve(size).ok_or(Ended::Incomplete)?;
            call(self, &spans)?;
        }
        Ok(())
    }

    /// Counts the bytes of these ranges.
    fn count(&mut self, ranges: &[(u64, u64)]) -> Result<(), Ended> {
        self.bytes += ranges.iter().map(|(_, length)| length).sum::<u64>();
        if self.bytes > SEARCHED_MAX { Err(Ended::Incomplete) } else { Ok(()) }
    }

    /// Searches for references to these objects. Once each response is held by something, the
    /// search ends.
    ///
    /// # Errors
    /// The search ended early.
    fn search(&mut self, objects: &Objects, inputs: &mut ScanInputs) -> Result<(), Ended> {
        if objects.is_empty() {
            return Ok(());
        }
        let budget = self.target.memory.budget();
        let all = objects.iter().map(|(number, objects)| (*number, objects));
        let targets = Targets::of(all, budget).ok_or(Ended::Incomplete)?;
        let resident = self.resident;
        self.search_globals(&targets, objects, inputs)?;
        self.search_stacks(&targets, objects, inputs)?;
        self.each_arena(|this, spans| {
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

    /// An error if each response is held.
    fn is_open(&self, objects: &Objects) -> Result<(), Ended> {
        let is_open = objects.keys().any(|it| !self.found.contains_key(it));
        if is_open { Ok(()) } else { Err(Ended::Enough) }
    }

    /// Adds what holds a response, unless something else is known to.
    fn add(&mut self, numbers: impl Iterator<Item = usize>, holder: &Holder) {
        for number in numbers {
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
        let others = owners.iter().copied();
        let others = others
            .filter(|number| !targets.is_of(object, *number) && !self.found.contains_key(number));
        let others: Vec<usize> = others.collect();
        if others.is_empty() {
            return;
        }
        // Both may have changed since it was cached.
        let mut pages = Pages::new(self.target.memory);
        if !self.heap.is_pointer(span, place, &mut pages) {
            return;
        }
        let (slot, now) = self.heap.slot(object);
        match (slot, now) {
            (slot, Some(span)) if slot.is_alive() => {
                let bias = self.target.bias;
                let mut names = Names { functions: inputs.functions, pages: &mut pages, bias };
                let holder = names.object(&self.heap, &span, object);
                self.add(others.into_iter(), &holder);
            }
            (slot, _) if slot.is_gone() => {}
            _ => self.doubtful.extend(others),
        }
    }

    /// Searches the variables of packages.
    fn search_globals(
        &mut self,
        targets: &Targets,
        objects: &Objects,
        inputs: &ScanInputs,
    ) -> Result<(), Ended> {
        let _ = inputs;
        let ranges = self.globals().ok_or(Ended::Incomplete)?;
        self.count(&ranges)?;
        let resident = self.resident;
        resident.search(ranges.into_iter(), targets, |matches| {
            for it in matches {
                let holder = Holder { kind: HolderKind::Global, name: None };
                let owners = targets.owners(it.word).into_iter().flatten().copied();
                self.add(owners, &holder);
            }
            self.is_open(objects)
        })
    }

    /// The addresses and lengths of the variables with pointers. `None` if the program has several
    /// modules (plugins, shared libraries), whose variables are not known.
    fn globals(&self) -> Option<Vec<(u64, u64)>> {
        let module = self.roots.module.wrapping_add(self.target.bias);
        let next = module.checked_add(self.layout.heap.module_next)?;
        if u64_at(&self.target.memory.read_one(next, 8)?, 0)? != 0 {
            return None;
        }
        let bytes = self.target.memory.read_one(module, MODULE_ZEROED_END + 8)?;
        let range = |start: usize, end: usize| {
            let (start, end) = (u64_at(&bytes, start)?, u64_at(&bytes, end)?);
            let start = start.checked_next_multiple_of(8)?;
            Some((start, end.checked_sub(start)?))
        };
        Some(vec![range(MODULE_DATA, MODULE_DATA_END)?, range(MODULE_ZEROED, MODULE_ZEROED_END)?])
    }

    /// Searches the stacks of all goroutines except those of connections that wait.
    fn search_stacks(
        &mut self,
        targets: &Targets,
        objects: &Objects,
        inputs: &mut ScanInputs,
    ) -> Result<(), Ended> {
        let Target { memory, bias, .. } = self.target;
        let mut listed =
            goroutines(self.target, inputs.all_goroutines, self.layout).ok_or(Ended::Incomplete)?;
        let Listed { goroutines: all, length, .. } = &mut listed;
        if all.len() as u64 != *length {
            return Err(Ended::Incomplete);
        }
        all.retain(|it| !self.machinery.contains(&(it.address, it.id)));
        let mut code = Pages::new(memory);
        let mut rules = None;
        let mut batches = Batches::of(all);
        for batch in batches.by_ref() {
            let (copies, are_consistent) = stacks(memory, batch, self.layout);
            if !are_consistent {
                return Err(Ended::Incomplete);
            }
            for stack in copies {
                if stack.goroutine.stack.high - stack.start > stack.bytes.len() as u64 {
                    return Err(Ended::Incomplete);
                }
                self.bytes += stack.bytes.len() as u64;
                let words = inputs.functions.words_in_use(&mut code, bias, &stack);
                memory.budget().step(words.len() as u64).ok_or(Ended::Incomplete)?;
                let words = words.into_iter().filter(|word| targets.may_contain(*word));
                let owners = words.filter_map(|word| targets.owners(word)).flatten().copied();
                let owners: Vec<usize> = owners.filter(|it| !self.found.contains_key(it)).collect();
                if owners.is_empty() {
                    continue;
                }
                let rules =
                    rules.get_or_insert_with(|| Rules::with_user_rules("").unwrap_or_default());
                let mut names = Names { functions: inputs.functions, pages: &mut code, bias };
                let holder = names.goroutine(&stack, rules);
                self.add(owners.into_iter(), &holder);
            }
            self.is_open(objects)?;
        }
        if batches.is_truncated() { Err(Ended::Incomplete) } else { Ok(()) }
    }

    /// Whether something is attached to one of these objects by which it may be used again.
    fn has_specials(&self, objects: &BTreeMap<u64, u64>) -> bool {
        let mut pages = Pages::new(self.target.memory);
        objects.keys().any(|object| {
            let span = self.heap.span(*object, &mut pages);
            span.is_some_and(|span| self.heap.has_special(&span, *object))
        })
    }
}

/// Adds the objects of a response to the list, or returns its result: its body was collected.
fn add(
    heap: &Heap,
    body: u64,
    number: usize,
    own: impl FnOnce() -> Option<BTreeMap<u64, u64>>,
    objects: &mut Objects,
) -> Option<(usize, Reachability)> {
    let (slot, span) = heap.slot(body);
    match slot {
        Slot::Unknown => None,
        // What was not swept yet may have a finalizer, which uses it again.
        Slot::Dead if span.is_none_or(|it| heap.has_special(&it, body)) => None,
        Slot::Dead | Slot::Free => Some((number, Reachability::Dropped)),
        Slot::Marked | Slot::New => {
            objects.extend(own().map(|own| (number, own)));
            None
        }
    }
}
