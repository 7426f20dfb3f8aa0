//! One look into a Go process: what is read in which order, and what of it counts.

use std::{
    collections::{HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use tracer_core::{Asked, Held, HttpConnection, HttpStage, Reader, ReaderFacts};

use super::{
    GoLook,
    areas::Areas,
    follower::{Follower, Wanted},
    goroutine::Goroutine,
    holders::Holders,
    layout::Layout,
    memory::{Memory, Pages},
    poll::{self, PollDescriptor, Waiting},
    program::{GoProgram, Parts},
    read_loop::{self, Connection, ReadLoop, Role},
    responses::Responses,
    slots::Slots,
    survey::Survey,
};
use crate::readers::epoll::Registration;

/// Connections whose memory is read together.
const PREFETCHED: usize = 512;
/// Least time between two looks at the same.
const PAUSE: Duration = Duration::from_millis(2);

/// A process that is looked into.
pub(super) struct Look<'a> {
    pub(super) memory: &'a dyn Memory,
    pub(super) areas: Areas,
    /// How far the program is from where its file says.
    pub(super) bias: u64,
    /// Whether a descriptor still is the socket that was asked about.
    is_same: &'a dyn Fn(&Asked) -> bool,
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
                http = self.prove(&mut parts, layout, &before, &mut survey);
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
        let goroutines = survey.goroutines();
        GoLook { found: found.collect(), goroutines, limits: survey.limits }
    }

    /// The HTTP connections among the descriptors, by their index, each with its goroutine's
    /// address.
    fn prove(
        &self,
        parts: &mut Parts,
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
        let holders = self.held(&first, parts, layout, survey, &mut pages);

        // Everything once more, from the goroutine on.
        let addresses: Vec<u64> = first.iter().map(|(_, it)| it.goroutine.address).collect();
        let goroutines = Goroutine::read_all(self.memory, layout, &addresses);
        let goroutines: Vec<_> = goroutines.into_iter().flatten().collect();
        let mut code = Pages::new(self.memory);
        let again = self.copy(&goroutines).into_iter().filter_map(|stack| {
            match read_loop::role(&stack, parts.functions, &mut code, self.bias) {
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
            let held = holders.held(number, &connection);
            let http = HttpConnection {
                stage: connection.stage,
                transport: connection.transport,
                request: connection.description,
                held,
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

    /// Which of the responses that these connections wait for some goroutine has.
    fn held(
        &self,
        connections: &[(usize, Connection)],
        parts: &mut Parts,
        layout: &Layout,
        survey: &mut Survey,
        pages: &mut Pages,
    ) -> Holders {
        let waiting = connections
            .iter()
            .filter(|(_, connection)| connection.stage == HttpStage::AwaitingBody)
            .filter_map(|(number, it)| Some((*number, it, survey.read_loops.get(*number)?)));
        let responses = Responses::of(waiting, pages, &self.areas, layout);
        if responses.are_none() {
            return Holders::default();
        }
        let held = self.holders(&responses, parts, layout, survey);
        if !held.is_whole && survey.limits.is_none() {
            let limits = "goroutines have too much stack, or move it too often, to tell which \
                          responses are still held";
            survey.limits = Some(limits.to_owned());
        }
        held
    }
}

impl Holders {
    /// Whether somebody has the response of a connection.
    fn held(&self, number: usize, connection: &Connection) -> Held {
        if self.connections.contains(&number) {
            Held::Somebody
        } else if self.is_whole && connection.request.is_some() {
            Held::Nobody
        } else {
            // One that is not known by its request could be held unseen.
            Held::Unknown
        }
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

/// Whether what the runtime's books and the goroutine say agree: an idle connection's `readLoop` is
/// who waits, that of one whose body is waited for is not.
fn fits(stage: HttpStage, goroutine: u64, waiting: Waiting, reader: Reader) -> bool {
    match stage {
        HttpStage::Idle => waiting == Waiting::Goroutine(goroutine) && reader == Reader::Goroutine,
        HttpStage::AwaitingBody => waiting != Waiting::Goroutine(goroutine),
    }
}
