//! One look into a Go process: what is read in which order, and what of it counts.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use tracer_core::{Asked, HttpConnection, HttpStage, Reader, ReaderFacts};

use super::{
    GoLook, all_goroutines,
    areas::Areas,
    follower::{Follower, Wanted},
    goroutine::{Goroutine, Stack},
    holders::{References, Responses},
    layout::Layout,
    memory::{Memory, Pages},
    poll::{self, PollDescriptor, Waiting},
    program::{Functions, GoProgram, Parts},
    read_loop::{self, Connection, ReadLoop, Role},
    slots::Slots,
};
use crate::readers::epoll::Registration;

/// Most goroutines that are looked at.
const GOROUTINES_MAX: u64 = 250_000;
/// Most bytes of stacks that are read.
const STACKS_MAX: usize = 512 << 20;
/// Most bytes of one stack.
const STACK_MAX: usize = 1 << 20;
/// Bytes of stacks that are held at a time.
const BATCH: usize = 8 << 20;
/// How often a stack is copied that does not stay where it is.
const COPIES_MAX: usize = 5;
/// Connections whose memory is read together.
const PREFETCHED: usize = 512;
/// More bytes than a `pollDesc` of any version has.
const POLL_DESCRIPTOR: u64 = 256;
/// Least time between two looks at the same.
const PAUSE: Duration = Duration::from_millis(2);

/// A process that is looked into.
pub(super) struct Look<'a> {
    memory: &'a dyn Memory,
    areas: Areas,
    /// How far the program is from where its file says.
    bias: u64,
    /// Whether a descriptor still is the socket that was asked about.
    is_same: &'a dyn Fn(&Asked) -> bool,
}

/// What the stacks of all goroutines say.
#[derive(Default)]
struct Survey {
    read_loops: Vec<ReadLoop>,
    references: References,
    /// A goroutine that is about to run refers to this descriptor's books.
    waking: Vec<usize>,
    limits: Option<String>,
}

impl<'a> Look<'a> {
    pub(super) fn new(
        memory: &'a dyn Memory,
        areas: Areas,
        bias: u64,
        is_same: &'a dyn Fn(&Asked) -> bool,
    ) -> Self {
        Self { memory, areas, bias, is_same }
    }

    /// Looks, and says what held for all of the time that it took.
    pub(super) fn take(
        &self,
        program: &mut GoProgram,
        layout: &Layout,
        registrations: &[Registration],
        asked: &[Asked],
    ) -> GoLook {
        let begin = Instant::now();
        let before = poll::find(self.memory, layout, registrations, asked);
        if before.iter().all(Option::is_none) {
            return GoLook::default();
        }
        let mut survey = Survey::default();
        let mut http = HashMap::new();
        match program.parts(layout, self.memory, &self.areas, self.bias) {
            Ok(mut parts) => {
                survey = self.survey(&mut parts, layout, &before);
                http = self.prove(parts.functions, layout, &before, &mut survey);
            }
            Err(reason) => {
                survey.limits = Some(format!("goroutines cannot be looked at: {reason}"));
                survey.waking = (0..asked.len()).collect();
            }
        }
        if let Some(rest) = PAUSE.checked_sub(begin.elapsed()) {
            thread::sleep(rest);
        }
        let after = poll::again(self.memory, layout, &before);
        let pairs = asked.iter().enumerate().zip(before.iter().zip(&after));
        let found = pairs.filter_map(|((index, asked), (before, after))| {
            let (before, after) = ((*before)?, (*after)?);
            let is_waking = survey.waking.contains(&index);
            let reader = before.waiting.reader(after.waiting, is_waking);
            let http = http.remove(&index).filter(|(goroutine, http): &(u64, HttpConnection)| {
                fits(http.stage, *goroutine, after.waiting, reader)
            });
            let http = http.map(|it| it.1);
            let facts = ReaderFacts { id: asked.id, reader, is_registered: true, http };
            let is_something = facts.reader != Reader::Unknown || facts.http.is_some();
            (is_something && (self.is_same)(asked)).then_some(facts)
        });
        GoLook { found: found.collect(), goroutines: None, limits: survey.limits }
    }

    /// Reads the stack of every goroutine.
    fn survey(
        &self,
        parts: &mut Parts,
        layout: &Layout,
        polls: &[Option<PollDescriptor>],
    ) -> Survey {
        let mut survey = Survey::default();
        let list = parts.all_goroutines.wrapping_add(self.bias);
        let Some((start, length)) = all_goroutines::list(self.memory, &self.areas, list) else {
            survey.limits = Some("goroutines cannot be looked at: their list moved".to_owned());
            survey.waking = (0..polls.len()).collect();
            return survey;
        };
        if length > GOROUTINES_MAX {
            survey.limit(format!("{GOROUTINES_MAX} of {length} goroutines were looked at"));
        }
        let count = length.min(GOROUTINES_MAX);
        let all = Goroutine::read_list(self.memory, layout, start, count);
        let goroutines: Vec<_> = all.into_iter().flatten().collect();
        let ready: BTreeMap<u64, usize> = (0..)
            .zip(polls)
            .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
            .filter(|(poll, _)| poll.waiting == Waiting::Ready)
            .map(|(poll, index)| (poll.address, index))
            .collect();

        let mut pages = Pages::new(self.memory);
        let mut total = 0;
        let mut rest = goroutines.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |goroutine: &&Goroutine| {
                bytes += goroutine.used_stack(STACK_MAX).map_or(0, |(_, length)| length);
                bytes <= BATCH
            };
            let count = rest.iter().take_while(fits).count().max(1);
            let (batch, others) = rest.split_at(count.min(rest.len()));
            rest = others;
            total += bytes.min(BATCH);
            if total > STACKS_MAX {
                survey.limit(format!("{} MiB of stacks were looked at", STACKS_MAX >> 20));
                break;
            }
            let (stacks, are_whole) = self.stacks(batch, layout);
            survey.references.is_incomplete |= !are_whole;
            for stack in stacks {
                self.survey_stack(&stack, parts.functions, &mut pages, &ready, &mut survey);
            }
        }
        survey.references.leave_out(&goroutines);
        survey
    }

    fn survey_stack(
        &self,
        stack: &Stack,
        functions: &mut Functions,
        pages: &mut Pages,
        ready: &BTreeMap<u64, usize>,
        survey: &mut Survey,
    ) {
        let goroutine = &stack.goroutine;
        if !goroutine.is_waiting() && !ready.is_empty() {
            let words = stack.words(stack.start, goroutine.stack.high);
            // Addresses of its parts count too.
            survey.waking.extend(words.filter_map(|word| {
                let (address, index) = ready.range(..=word).next_back()?;
                (word - address < POLL_DESCRIPTOR).then_some(index)
            }));
        }
        match read_loop::role(stack, functions, pages, self.bias) {
            Role::ReadLoop(read_loop) if goroutine.is_waiting() => {
                survey.read_loops.push(read_loop);
            }
            Role::ReadLoop(_) | Role::OfConnection => {}
            Role::Other => {
                survey.references.add(stack, &self.areas);
                if goroutine.stack.high - stack.start > stack.bytes.len() as u64 {
                    survey.references.is_incomplete = true;
                }
            }
        }
    }

    /// Copies of the stacks in use, and whether all of them are whole. A goroutine that did
    /// something meanwhile is copied again, with all of its stack, until that stays where it is.
    fn stacks(&self, goroutines: &[Goroutine], layout: &Layout) -> (Vec<Stack>, bool) {
        let mut stacks = Vec::new();
        let mut missing = goroutines.to_vec();
        for _ in 0..COPIES_MAX {
            let copies = self.copy(&missing);
            let addresses: Vec<_> = copies.iter().map(|it| it.goroutine.address).collect();
            let now = Goroutine::read_all(self.memory, layout, &addresses);
            missing.clear();
            for (copy, now) in copies.into_iter().zip(now) {
                match now {
                    Some(now) if copy.goroutine.still_is(&now) => stacks.push(copy),
                    Some(now) => missing.push(now.as_running()),
                    // Goroutines are never freed, so this is the end of the process.
                    None => {}
                }
            }
            if missing.is_empty() {
                return (stacks, true);
            }
        }
        (stacks, false)
    }

    fn copy(&self, goroutines: &[Goroutine]) -> Vec<Stack> {
        let used: Vec<_> = goroutines
            .iter()
            .filter_map(|goroutine| Some((goroutine, goroutine.used_stack(STACK_MAX)?)))
            .collect();
        let ranges: Vec<_> = used.iter().map(|(_, range)| *range).collect();
        let read = self.memory.read(&ranges).into_iter().zip(used);
        // What cannot be read has been given back: its bounds are not what they were.
        read.map(|(bytes, (goroutine, (start, _)))| Stack {
            goroutine: *goroutine,
            start,
            bytes: bytes.unwrap_or_default(),
        })
        .collect()
    }

    /// The HTTP connections among the descriptors, by their index, each with its goroutine's
    /// address.
    fn prove(
        &self,
        functions: &mut Functions,
        layout: &Layout,
        polls: &[Option<PollDescriptor>],
        survey: &mut Survey,
    ) -> HashMap<usize, (u64, HttpConnection)> {
        let wanted: Wanted = (0..)
            .zip(polls)
            .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
            .map(|(poll, index)| (poll.fd, (index, vec![poll.address])))
            .collect();
        let mut pages = Pages::new(self.memory);
        let areas = &self.areas;
        let mut follower = Follower { pages: &mut pages, areas, layout, wanted: &wanted };
        let slots = Slots::find(&survey.read_loops, &mut follower);
        let first = connections(&survey.read_loops, &slots, &mut follower);
        let held = self.held(&first, survey, &mut pages);

        // Everything once more, from the goroutine on.
        let addresses: Vec<u64> = first.iter().map(|(_, it)| it.goroutine.address).collect();
        let goroutines = Goroutine::read_all(self.memory, layout, &addresses);
        let goroutines: Vec<_> = goroutines.into_iter().flatten().collect();
        let mut code = Pages::new(self.memory);
        let again = self.copy(&goroutines).into_iter().filter_map(|stack| {
            match read_loop::role(&stack, functions, &mut code, self.bias) {
                Role::ReadLoop(read_loop) if stack.goroutine.is_waiting() => Some(read_loop),
                _ => None,
            }
        });
        let again: Vec<_> = again.collect();
        let mut fresh = Pages::new(self.memory);
        let mut follower = Follower { pages: &mut fresh, areas, layout, wanted: &wanted };
        let second = connections(&again, &slots, &mut follower);
        // A stack that was moved while it was copied is known by its goroutine.
        let now = Goroutine::read_all(self.memory, layout, &addresses);
        let now: HashSet<Goroutine> = now.into_iter().flatten().collect();
        let mut second: HashMap<u64, Connection> = second
            .into_iter()
            .filter(|(_, connection)| now.contains(&connection.goroutine))
            .map(|(_, connection)| (connection.goroutine.address, connection))
            .collect();

        let mut proved = HashMap::new();
        let mut ambiguous = Vec::new();
        for (number, connection) in first {
            let same = second.remove(&connection.goroutine.address);
            let Some(connection) = same.filter(|second| *second == connection) else { continue };
            let http = HttpConnection {
                stage: connection.stage,
                transport: connection.transport,
                request: connection.description,
                // A response that is not known by its request could be held unseen.
                is_held: survey.references.is_incomplete
                    || held.contains(&number)
                    || (connection.stage == HttpStage::AwaitingBody
                        && connection.request.is_none()),
            };
            let index = connection.index;
            if proved.insert(index, (connection.goroutine.address, http)).is_some() {
                ambiguous.push(index);
            }
        }
        for index in ambiguous {
            proved.remove(&index);
        }
        proved
    }

    /// The numbers of the connections whose responses some goroutine refers to.
    fn held(
        &self,
        connections: &[(usize, Connection)],
        survey: &mut Survey,
        pages: &mut Pages,
    ) -> HashSet<usize> {
        let waiting = connections
            .iter()
            .filter(|(_, connection)| connection.stage == HttpStage::AwaitingBody)
            .filter_map(|(number, it)| Some((*number, it, survey.read_loops.get(*number)?)));
        if survey.references.is_incomplete {
            let limits = "goroutines have too much stack, or move it too often, to tell which \
                          responses are still held";
            if waiting.clone().next().is_some() && survey.limits.is_none() {
                survey.limits = Some(limits.to_owned());
            }
            return HashSet::new();
        }
        let responses = Responses::of(waiting, pages, &self.areas);
        responses.held(&survey.references, pages, &self.areas)
    }
}

/// The connections of these goroutines, with the number of each.
fn connections(
    read_loops: &[ReadLoop],
    slots: &Slots,
    follower: &mut Follower,
) -> Vec<(usize, Connection)> {
    let mut connections = Vec::new();
    for (number, read_loop) in read_loops.iter().enumerate() {
        if number % PREFETCHED == 0 {
            let some = read_loops.iter().skip(number).take(PREFETCHED);
            follower.prefetch(some, slots);
        }
        if let Some(connection) = follower.connection(read_loop, slots) {
            connections.push((number, connection));
        }
    }
    connections
}

impl Survey {
    /// Not all was looked at: so what is not found may yet be there.
    fn limit(&mut self, sentence: String) {
        self.references.is_incomplete = true;
        self.limits = Some(sentence);
    }
}

/// Whether what the runtime's books and the goroutine say agree: an idle connection's `readLoop` is
/// who waits, that of one whose body is waited for is not.
fn fits(stage: HttpStage, goroutine: u64, waiting: Waiting, reader: Reader) -> bool {
    match stage {
        HttpStage::Idle => waiting == Waiting::Goroutine(goroutine) && reader == Reader::Goroutine,
        HttpStage::AwaitingBody => waiting != Waiting::Goroutine(goroutine),
    }
}
