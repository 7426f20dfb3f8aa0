//! Inspection of a Go process: the order of the steps, and which results are certain.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    thread,
    time::{Duration, Instant},
};

use tracer_core::{
    Asked, Goroutines, HttpConnection, HttpStage, Limit, Reachability, Reader, ReaderFacts,
};

use super::{
    follower::{Follower, WantedFds},
    frame_variables::FrameVariables,
    goroutine::Goroutine,
    goroutine_scan::{self, GoroutineScan},
    heap,
    http_connection::Connection,
    known_responses::Response,
    layout::Layout,
    poll::{self, PollDescriptor, Waiting},
    program::{GoProgram, ScanInputs},
    read_loop::{self, ReadLoop, Role},
    response_references::{self, References},
    responses::ResponseIndex,
    stacks,
    target::Target,
};
use crate::{
    clock,
    process::{epoll::Registration, pages::Pages},
};

/// Number of connections whose memory is read together.
const PREFETCHED: usize = 512;
/// Minimum time between the two readings of the same memory.
const PAUSE: Duration = Duration::from_millis(2);

/// The result of inspecting a Go process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GoInspection {
    /// Certain facts about the connections of the question.
    pub found: Vec<ReaderFacts>,
    /// Number of goroutines, if all of them could be read.
    pub goroutines: Option<Goroutines>,
    /// Why results may be missing; empty if they are complete.
    pub limits: Vec<Limit>,
}

/// Inspects a process. Reports what was true at both readings. `is_same` says whether an fd still
/// refers to the socket of the question.
pub(super) fn inspect(
    target: Target<'_>,
    program: &mut GoProgram,
    layout: &Layout,
    registrations: &[Registration],
    asked: &[Asked],
    is_same: &dyn Fn(&Asked) -> bool,
) -> GoInspection {
    let begin = Instant::now();
    let before = poll::find(target.memory, layout, registrations, asked);
    if before.iter().all(Option::is_none) {
        return GoInspection::default();
    }
    let mut scan = GoroutineScan::default();
    let mut http = HashMap::new();
    match program.scan_inputs(layout, target) {
        Ok(mut inputs) => {
            scan = goroutine_scan::scan(target, &mut inputs, layout, &before);
            http = http_connections(target, &mut inputs, layout, asked, &before, &mut scan);
        }
        Err(limit) => {
            scan.limits.push(limit);
            scan.waking = (0..asked.len()).collect();
        }
    }
    if let Some(rest) = PAUSE.checked_sub(begin.elapsed()) {
        thread::sleep(rest);
    }
    let after = poll::read_again(target.memory, layout, &before);
    let pairs = asked.iter().enumerate().zip(before.iter().zip(&after));
    let found = pairs.filter_map(|((index, asked), (before, after))| {
        let (before, after) = ((*before)?, (*after)?);
        let is_waking = scan.waking.contains(&index);
        let reader = before.waiting.reader(after.waiting, is_waking);
        let http = http.remove(&index).filter(|(goroutine, http): &(u64, HttpConnection)| {
            is_consistent(http.stage, *goroutine, after.waiting, reader)
        });
        let http = http.map(|it| it.1);
        let facts = ReaderFacts { id: asked.id, reader, is_registered: true, http };
        let is_known = facts.reader != Reader::Unknown || facts.http.is_some();
        (is_known && is_same(asked)).then_some(facts)
    });
    let goroutines = scan.goroutines();
    GoInspection { found: found.collect(), goroutines, limits: scan.limits }
}

/// The HTTP client connections among the connections of the question, by index, each with the
/// address of its `readLoop` goroutine.
fn http_connections(
    target: Target<'_>,
    inputs: &mut ScanInputs,
    layout: &Layout,
    asked: &[Asked],
    polls: &[Option<PollDescriptor>],
    scan: &mut GoroutineScan,
) -> HashMap<usize, (u64, HttpConnection)> {
    let wanted: WantedFds = (0..)
        .zip(polls)
        .filter_map(|(index, poll)| Some((poll.as_ref()?, index)))
        .map(|(poll, index)| (poll.fd, (index, vec![poll.address])))
        .collect();
    let mut pages = Pages::new(target.memory);
    let mappings = target.mappings;
    let mut follower = Follower { pages: &mut pages, mappings, layout, wanted: &wanted };
    let variables = FrameVariables::find(&scan.read_loops, &mut follower);
    let first = connections(&scan.read_loops, &variables, &mut follower);
    let mut reachable = reachable(target, asked, &first, inputs, layout, scan);
    let is_known =
        |number: &usize| reachable.get(number).is_some_and(|it| *it != Reachability::Unknown);
    let unknown = first
        .iter()
        .filter(|(number, it)| it.stage == HttpStage::AwaitingBody && !is_known(number));
    let unknown: Vec<_> = unknown.collect();
    let references = references(target, &unknown, inputs, layout, scan, pages);

    // Read everything again, beginning with the goroutine.
    let addresses: Vec<u64> = first.iter().map(|(_, it)| it.goroutine.address).collect();
    let goroutines = Goroutine::read_all(target.memory, layout, &addresses);
    let goroutines: Vec<_> = goroutines.into_iter().flatten().collect();
    let mut code = Pages::new(target.memory);
    let again = stacks::copy(target.memory, &goroutines).into_iter().filter_map(|stack| {
        match read_loop::role(&stack, inputs.functions, &mut code, target.bias) {
            Role::ReadLoop(read_loop) if stack.goroutine.is_waiting() => Some(read_loop),
            _ => None,
        }
    });
    let again: Vec<_> = again.collect();
    let mut fresh = Pages::new(target.memory);
    let mut follower = Follower { pages: &mut fresh, mappings, layout, wanted: &wanted };
    let second = connections(&again, &variables, &mut follower);
    // A stack that was moved while it was copied is discarded: its goroutine has changed.
    let now = Goroutine::read_all(target.memory, layout, &addresses);
    let now: HashSet<Goroutine> = now.into_iter().flatten().collect();
    let mut second: HashMap<u64, Connection> = second
        .into_iter()
        .filter(|(_, connection)| now.contains(&connection.goroutine))
        .map(|(_, connection)| (connection.goroutine.address, connection))
        .collect();

    let mut confirmed = HashMap::new();
    let mut ambiguous = Vec::new();
    for (number, connection) in first {
        let same = second.remove(&connection.goroutine.address);
        let Some(connection) = same.filter(|second| *second == connection) else { continue };
        let reachability = match reachable.remove(&number) {
            Some(known) if known != Reachability::Unknown => known,
            // Without the heap, only the stacks say something.
            _ => references.reachability(number, &connection),
        };
        let http = HttpConnection {
            stage: connection.stage,
            transport: connection.transport,
            request: connection.description,
            reachability,
        };
        let index = connection.index;
        if confirmed.insert(index, (connection.goroutine.address, http)).is_some() {
            ambiguous.push(index);
        }
    }
    for index in ambiguous {
        confirmed.remove(&index);
    }
    confirmed
}

/// Who can reach the responses of connections waiting for their body to be read, by the heap.
fn reachable(
    target: Target<'_>,
    asked: &[Asked],
    connections: &[(usize, Connection)],
    inputs: &mut ScanInputs,
    layout: &Layout,
    scan: &GoroutineScan,
) -> BTreeMap<usize, Reachability> {
    let response = |it: &Connection| Some(Response::of(asked.get(it.index)?.id, it));
    let may_search = inputs.known_responses.may_search(target.pid, Instant::now());
    let mut results = BTreeMap::new();
    let mut waiting = Vec::new();
    for (number, connection) in connections {
        let read_loop = scan.read_loops.get(*number);
        let (Some(read_loop), Some(response)) = (read_loop, response(connection)) else { continue };
        if connection.stage != HttpStage::AwaitingBody {
            continue;
        }
        let known = &inputs.known_responses;
        let result =
            if may_search { known.final_result(&response) } else { known.latest_result(&response) };
        match result {
            Some(result) => drop(results.insert(*number, result)),
            None => waiting.push((*number, connection, read_loop)),
        }
    }
    if waiting.is_empty() || !may_search {
        return results;
    }
    let before = clock::cpu_time();
    let found = heap::find(target, &waiting, inputs, layout, scan);
    let cpu_time = clock::cpu_time().saturating_sub(before);
    inputs.known_responses.searched(target.pid, cpu_time, Instant::now());
    for (number, connection, _) in &waiting {
        if let Some((result, response)) = found.get(number).zip(response(connection)) {
            inputs.known_responses.found(response, result.clone());
        }
    }
    results.extend(found);
    results
}

/// The goroutines that refer to the responses of these connections, which are waiting for their body
/// to be read.
fn references(
    target: Target<'_>,
    connections: &[&(usize, Connection)],
    inputs: &mut ScanInputs,
    layout: &Layout,
    scan: &mut GoroutineScan,
    mut pages: Pages,
) -> References {
    let waiting = connections
        .iter()
        .filter_map(|(number, it)| Some((*number, it, scan.read_loops.get(*number)?)));
    let responses = ResponseIndex::of(waiting, &mut pages, target.mappings, layout);
    // The search has a cache of its own.
    drop(pages);
    let Some(responses) = responses.filter(|responses| !responses.is_empty()) else {
        return References::default();
    };
    let references = response_references::find(target, &responses, inputs, layout, scan);
    if !references.is_complete && scan.limits.is_empty() {
        scan.limits.push(Limit::ReferencesIncomplete);
    }
    references
}

/// The connections of these goroutines, each with the index of its goroutine.
fn connections(
    read_loops: &[ReadLoop],
    variables: &FrameVariables,
    follower: &mut Follower,
) -> Vec<(usize, Connection)> {
    let mut connections = Vec::new();
    for (number, read_loop) in read_loops.iter().enumerate() {
        if number % PREFETCHED == 0 {
            let some = read_loops.iter().skip(number).take(PREFETCHED);
            follower.prefetch(some, variables);
        }
        if let Some(connection) = follower.connection(read_loop, variables) {
            if follower.pages.budget().spend_bytes(connection.size()).is_none() {
                break;
            }
            connections.push((number, connection));
        }
    }
    connections
}

/// Whether `pollDesc` and the stage agree: the `readLoop` of an idle connection is waiting for the
/// fd; one that is waiting for its body to be read is not.
fn is_consistent(stage: HttpStage, goroutine: u64, waiting: Waiting, reader: Reader) -> bool {
    match stage {
        HttpStage::Idle => waiting == Waiting::Goroutine(goroutine) && reader == Reader::Goroutine,
        HttpStage::AwaitingBody => waiting != Waiting::Goroutine(goroutine),
    }
}
