//! Inspections of a real Go program, `tests/go/connections`, whose connections are in known states.

#![expect(clippy::print_stdout, reason = "measurements are printed with --nocapture")]

mod entries;
mod heap;
mod http_objects;
mod offsets;
mod program;
#[path = "../../../tracer/tests/go/toolchain.rs"]
mod toolchain;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use tracer_core::{ConnectionId, Goroutines, HttpStage, Limit, Reachability, Reader, ReaderFacts};

use self::{
    program::{Running, build},
    toolchain::{FORMS, PLAIN, STRIPPED, build_with},
};
use super::*;

/// Inspects all sockets of a program.
fn inspect_all(
    connections: &Running,
    programs: &mut GoPrograms,
) -> (BTreeMap<u32, ReaderFacts>, Vec<Limit>, Duration) {
    let (process, asked) = (connections.process(), connections.asked());
    let registrations = connections.registrations();
    programs.forget_responses();
    let begin = Instant::now();
    let inspection =
        programs.inspect(process, registrations.list(), &asked, &Budget::default()).unwrap();
    let took = begin.elapsed();
    let fd = |id: ConnectionId| u32::try_from(id.0).unwrap();
    (
        inspection.found.into_iter().map(|facts| (fd(facts.id), facts)).collect(),
        inspection.limits,
        took,
    )
}

/// The result for one connection as text: reader, stage, references.
fn text(facts: Option<&ReaderFacts>) -> String {
    let Some(facts) = facts else { return "nothing".to_owned() };
    let http = facts.http.as_ref().map_or("no http".to_owned(), |http| {
        let stage = match http.stage {
            HttpStage::AwaitingBody => "awaiting",
            HttpStage::Idle => "idle",
        };
        let request = http.request.as_deref().and_then(|it| {
            let (method, url) = it.split_once(' ')?;
            Some(format!(" {method} {}", url.splitn(4, '/').nth(3)?))
        });
        let held = match http.reachability {
            _ if http.stage == HttpStage::Idle => "",
            Reachability::NotOnStack | Reachability::Dropped => "",
            Reachability::Held(_) => " held",
            Reachability::Unknown => " perhaps held",
        };
        format!("{stage}{}{held}", request.unwrap_or_default())
    });
    format!("{}, {http}", facts.reader.name())
}

/// The expected result for each kind. Kinds with goroutines that stay come first, so that their stacks
/// contain no stale pointers to responses.
const EXPECTED: [(&str, &str); 20] = [
    ("idle=4", "goroutine, idle"),
    ("streaming=3", "goroutine, awaiting GET stream held"),
    ("held=2", "none, awaiting GET large held"),
    ("gzipheld=2", "none, awaiting GET gzip held"),
    ("boxed=2", "none, awaiting GET large held"),
    ("again=2", "none, awaiting GET small held"),
    ("deferred=2", "none, awaiting GET small held"),
    ("deferring=2", "none, awaiting GET small held"),
    ("sending=2", "none, awaiting GET small held"),
    ("offering=2", "none, awaiting GET small held"),
    ("dropped=20", "none, awaiting GET small"),
    ("leaked=5", "none, awaiting GET small"),
    ("chunked=2", "none, awaiting GET chunked"),
    ("large=2", "none, awaiting GET large"),
    ("gzip=2", "none, awaiting GET gzip"),
    ("reused=4", "none, awaiting GET small"),
    ("posted=2", "none, awaiting POST small"),
    ("wrapped=2", "none, awaiting GET small"),
    ("closed=3", "none, awaiting GET closing"),
    ("collected=6", "none, awaiting GET small"),
];

#[track_caller]
fn check(program: &Path, is_tls: bool, form: &str) {
    let mut arguments: Vec<&str> = EXPECTED.iter().map(|(kind, _)| *kind).collect();
    if is_tls {
        arguments.insert(0, "-tls");
    }
    let connections = Running::start(program, &arguments);
    let (found, limits, _) = inspect_all(&connections, &mut GoPrograms::default());
    assert_eq!(limits, [], "{form}");
    let mut stale_pointers = 0;
    for (kind, expected) in EXPECTED {
        let (name, count) = kind.split_once('=').unwrap();
        let fds = &connections.kinds[name];
        assert_eq!(fds.len().to_string(), count, "{form} {kind}");
        let results: Vec<_> = fds.iter().map(|fd| text(found.get(fd))).collect();
        // A stale pointer on a stack can refer to any response.
        let stale = format!("{expected} held");
        stale_pointers += results.iter().filter(|result| **result == stale).count();
        let is_as_expected = |result: &String| *result == expected || *result == stale;
        assert!(results.iter().all(is_as_expected), "{form} {kind} tls={is_tls}: {results:?}");
    }
    assert!(stale_pointers <= 1, "{form} tls={is_tls}: {stale_pointers} stale pointers");
    let transports = |name: &str| {
        let of = |fd| found.get(fd).and_then(|it| it.http.as_ref()).map(|it| it.transport);
        connections.kinds[name].iter().map(of).collect::<BTreeSet<_>>()
    };
    assert_eq!(transports("leaked").len(), 1);
    assert!(transports("leaked").is_disjoint(&transports("idle")));
}

#[test]
fn connections_are_classified_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    for form in FORMS {
        let program = build(directory.path(), form);
        check(&program, false, form.name);
        check(&program, true, form.name);
    }
}

#[test]
fn a_healthy_connection_is_never_reported_as_leaked() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), PLAIN);
    let arguments = ["leaked=5", "idle=5", "collector=1", "busy=8"];
    let connections = Running::start(&program, &arguments);
    let mut programs = GoPrograms::default();
    let (mut leaks, mut healthy, mut held) = (0, 0, 0);
    for _ in 0..100 {
        let (found, ..) = inspect_all(&connections, &mut programs);
        for (fd, facts) in &found {
            let awaits_body =
                facts.http.as_ref().is_some_and(|it| it.stage == HttpStage::AwaitingBody);
            if !awaits_body || facts.reader != Reader::None {
                healthy += 1;
            } else if connections.kinds["leaked"].contains(fd) {
                leaks += 1;
            } else {
                let reachability = &facts.http.as_ref().unwrap().reachability;
                let is_free =
                    |it: &_| matches!(it, Reachability::NotOnStack | Reachability::Dropped);
                assert!(!is_free(reachability), "{fd}: {facts:?}");
                held += 1;
            }
        }
    }
    println!("leaks {leaks} of 500, healthy {healthy}, in use {held}");
    assert!(leaks > 400 && healthy > 400, "{leaks} {healthy}");
}

/// Compares with `runtime.NumGoroutine` and with the loops that the program counts itself.
#[test]
fn goroutines_are_counted_as_go_counts_them() {
    let directory = tempfile::tempdir().unwrap();
    let source = program::source("http_objects");
    for go in toolchain::toolchains() {
        let program = build_with(&go, directory.path(), STRIPPED, &source, &[]);
        let running = Running::start(&program, &[]);
        let [total, read_loops, write_loops] = *running.kinds["goroutines"] else { panic!() };
        let counted = Goroutines {
            total: total.into(),
            read_loops: read_loops.into(),
            write_loops: write_loops.into(),
        };
        let (process, asked) = (running.process(), running.asked());
        let registrations = running.registrations();
        let mut programs = GoPrograms::default();
        let inspection =
            programs.inspect(process, registrations.list(), &asked, &Budget::default()).unwrap();
        let found = (inspection.goroutines, inspection.limits);
        assert_eq!(found, (Some(counted), Vec::new()), "{}", go.display());
    }
}

#[test]
fn thousands_of_goroutines_take_milliseconds() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), STRIPPED);
    for (arguments, leaks) in
        [(["parked=3000", "leaked=1000"], 1000), (["parked=10000", "leaked=2000"], 2000)]
    {
        let connections = Running::start(&program, &arguments);
        let mut programs = GoPrograms::default();
        for _ in 0..3 {
            let (found, limits, took) = inspect_all(&connections, &mut programs);
            println!("{arguments:?}: {took:?}");
            assert_eq!(limits, []);
            let results = connections.kinds["leaked"].iter().map(|fd| text(found.get(fd)));
            let (exact, others): (Vec<_>, Vec<_>) =
                results.partition(|it| it == "none, awaiting GET small");
            println!("{} {others:?}", exact.len());
            // A stale pointer on a stack counts as a reference.
            assert_eq!(exact.len() + others.len(), leaks);
            assert!(others.iter().all(|it| it == "none, awaiting GET small held"), "{others:?}");
            assert!(others.len() <= leaks / 20, "{}", others.len());
        }
    }
}

/// The most goroutines that are scanned, within the bytes and steps of one question.
#[test]
fn a_quarter_of_a_million_goroutines_are_searched_within_the_budget() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), STRIPPED);
    let connections = Running::start(&program, &["parked=245000", "leaked=1000"]);
    let (process, asked) = (connections.process(), connections.asked());
    let (registrations, budget) = (connections.registrations(), Budget::default());
    let begin = Instant::now();
    let inspection =
        GoPrograms::default().inspect(process, registrations.list(), &asked, &budget).unwrap();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    println!("{:?}, {} steps, {peak}", begin.elapsed(), budget.steps());
    assert_eq!((inspection.limits, budget.limit()), (Vec::new(), None));
    let found = inspection.found.iter().filter_map(|it| Some(&it.http.as_ref()?.reachability));
    let is_free = |it: &&_| matches!(it, Reachability::NotOnStack | Reachability::Dropped);
    let dropped = found.filter(is_free).count();
    assert!(dropped > 950, "{dropped}");
}

/// As with a severe goroutine leak: hundreds of thousands of different addresses on stacks.
#[test]
fn a_leak_is_confirmed_among_very_many_goroutines() {
    let directory = tempfile::tempdir().unwrap();
    let program = build(directory.path(), STRIPPED);
    let connections = Running::start(&program, &["owners=20000", "again=2", "leaked=8"]);
    let (found, limits, took) = inspect_all(&connections, &mut GoPrograms::default());
    println!("{took:?}");
    assert_eq!(limits, []);
    let results = |kind: &str| {
        let fds = connections.kinds[kind].iter();
        fds.map(|fd| text(found.get(fd))).collect::<Vec<_>>()
    };
    assert_eq!(results("leaked"), ["none, awaiting GET small"; 8]);
    assert_eq!(results("again"), ["none, awaiting GET small held"; 2]);
}
