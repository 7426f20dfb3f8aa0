//! Who can reach a response, by the heap of a real program, `tests/go/heap`.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    time::Instant,
};

use tracer_core::{ConnectionId, Reachability};

use super::{
    super::GoPrograms,
    program::{self, Running},
    toolchain::{self, FORMS, Form, PLAIN, STRIPPED, build_with},
};
use crate::budget::Budget;

const DROPPED: [&str; 9] = [
    "dropped=3",
    "length=2",
    "small=2",
    "gzip=2",
    "header=2",
    "timeout=2",
    "request=2",
    "wrapped=2",
    "reused=1",
];
/// Only what the context of the request refers to leads to these, or other garbage. Before Go 1.23 the
/// transport refers to the request, so they count as held; garbage may count as held.
const UNREACHABLE: [&str; 2] = ["context=2", "garbage=2"];
const HELD: [&str; 17] = [
    "exchange=2",
    "slice=3",
    "channel=3",
    "map=3",
    "global=1",
    "struct=3",
    "list=3",
    "bodies=2",
    "wrapbody=2",
    "buffered=2",
    "closure=2",
    "timer=2",
    "timeronly=2",
    "finalizer=2",
    "stack=2",
    "reading=2",
    "moving=4",
];

/// The result of each connection of each kind. A process whose heap grows while it is inspected may
/// have to be inspected again.
fn inspect(
    running: &Running,
    programs: &mut GoPrograms,
) -> BTreeMap<String, Vec<Option<Reachability>>> {
    let mut limits = Vec::new();
    for _ in 0..5 {
        let (asked, registrations) = (running.asked(), running.registrations());
        let budget = Budget::default();
        programs.forget_responses();
        let inspection =
            programs.inspect(running.process(), registrations.list(), &asked, &budget).unwrap();
        if !inspection.limits.is_empty() || budget.limit().is_some() {
            limits = inspection.limits;
            continue;
        }
        let found: BTreeMap<_, _> = inspection.found.iter().map(|it| (it.id, it)).collect();
        let of = |fd: &u32| {
            let facts = found.get(&ConnectionId((*fd).into()));
            facts.and_then(|it| it.http.as_ref()).map(|it| it.reachability.clone())
        };
        let kinds = running.kinds.iter();
        return kinds.map(|(kind, fds)| (kind.clone(), fds.iter().map(of).collect())).collect();
    }
    panic!("{limits:?}");
}

fn name_of(argument: &str) -> String {
    argument.split_once('=').unwrap().0.to_owned()
}

/// The holders of each kind, as text.
fn holders(found: &BTreeMap<String, Vec<Option<Reachability>>>) -> String {
    let text = |(kind, results): (&String, &Vec<Option<Reachability>>)| {
        let holders = results.iter().map(|it| match it {
            Some(Reachability::Held(Some(it))) => {
                let kind = format!("{:?}", it.kind).to_lowercase();
                format!("{kind} {}", it.name.as_deref().unwrap_or("-"))
            }
            other => format!("{other:?}"),
        });
        let holders: BTreeSet<String> = holders.collect();
        format!("  {kind}: {}\n", holders.into_iter().collect::<Vec<_>>().join("; "))
    };
    found.iter().map(text).collect()
}

fn check(program: &Path, options: &[&str], name: &str) {
    let arguments: Vec<&str> =
        options.iter().chain(&DROPPED).chain(&UNREACHABLE).chain(&HELD).copied().collect();
    let running = Running::start(program, &arguments);
    let mut programs = GoPrograms::default();
    let mut missing = Vec::new();
    for _ in 0..3 {
        let found = inspect(&running, &mut programs);
        for kind in HELD.into_iter().map(name_of) {
            let is_dropped = found[&kind].contains(&Some(Reachability::Dropped));
            assert!(!is_dropped, "{name} {options:?}: {kind}: {:?}", found[&kind]);
        }
        let is_found = |it: &Option<Reachability>| *it == Some(Reachability::Dropped);
        let kinds = DROPPED.into_iter().map(name_of);
        missing = kinds.filter(|kind| !found[kind].iter().all(is_found)).collect();
        println!("{name} {options:?}\n{}", holders(&found));
        if missing.is_empty() {
            break;
        }
    }
    assert_eq!(missing, [""; 0], "{name} {options:?}");
}

fn build(go: &Path, directory: &Path, form: Form) -> std::path::PathBuf {
    build_with(go, directory, form, &program::source("heap"), &[])
}

#[test]
fn dropped_and_held_responses_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    for go in toolchain::toolchains() {
        let program = build(&go, directory.path(), PLAIN);
        for options in
            [&[][..], &["-gc=3"], &["-allocate"], &["-tls", "-gc=1"], &["-off", "-allocate"]]
        {
            check(&program, options, &go.display().to_string());
        }
    }
}

#[test]
fn the_heap_is_found_in_every_form() {
    let directory = tempfile::tempdir().unwrap();
    for form in FORMS {
        check(&build(&toolchain::go(), directory.path(), form), &["-gc=2"], form.name);
    }
    for go in toolchain::toolchains() {
        check(&build(&go, directory.path(), STRIPPED), &[], &go.display().to_string());
    }
}

/// Responses that are always somewhere, and never for long.
#[test]
fn a_moving_response_is_never_dropped() {
    let directory = tempfile::tempdir().unwrap();
    let rounds = number("TRACER_TEST_ROUNDS", 100);
    for go in toolchain::toolchains() {
        let program = build(&go, directory.path(), STRIPPED);
        let running = Running::start(&program, &["-allocate", "moving=6", "dropped=3"]);
        let mut programs = GoPrograms::default();
        let (mut looks, mut held, mut dropped) = (0, 0, 0);
        for _ in 0..rounds {
            let found = inspect(&running, &mut programs);
            for result in &found["moving"] {
                assert_ne!(*result, Some(Reachability::Dropped), "{}", go.display());
                held += usize::from(matches!(result, Some(Reachability::Held(_))));
                looks += 1;
            }
            let is_dropped = |it: &&Option<Reachability>| **it == Some(Reachability::Dropped);
            dropped += found["dropped"].iter().filter(is_dropped).count();
        }
        println!("{}: held {held} of {looks}, dropped {dropped} of {}", go.display(), 3 * rounds);
        assert!(held * 2 > looks && dropped > 2 * rounds, "{}", go.display());
    }
}

fn number(variable: &str, default: usize) -> usize {
    env::var(variable).map_or(default, |it| it.parse().unwrap())
}

/// `TRACER_TEST_HEAP_OBJECTS=60000000` makes a heap of 4 GB.
#[test]
fn a_large_heap_is_searched_within_the_budget() {
    let directory = tempfile::tempdir().unwrap();
    let objects = format!("-objects={}", number("TRACER_TEST_HEAP_OBJECTS", 4_000_000));
    for go in toolchain::toolchains() {
        let program = build(&go, directory.path(), STRIPPED);
        let arguments =
            [&*objects, "-goroutines=50000", "-gc=1", "dropped=20", "length=20", "slice=20"];
        let running = Running::start(&program, &arguments);
        let (asked, registrations) = (running.asked(), running.registrations());
        let budget = Budget::default();
        let (begin, cpu) = (Instant::now(), crate::clock::cpu_time());
        let inspection = GoPrograms::default()
            .inspect(running.process(), registrations.list(), &asked, &budget)
            .unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        println!(
            "{}: {:?}, {:?} of CPU time, {} steps, {peak}",
            go.display(),
            begin.elapsed(),
            crate::clock::cpu_time().saturating_sub(cpu),
            budget.steps()
        );
        assert_eq!((inspection.limits, budget.limit()), (Vec::new(), None));
        let found = inspection.found.iter().filter_map(|it| Some(&it.http.as_ref()?.reachability));
        let found: Vec<_> = found.collect();
        let dropped = found.iter().filter(|it| ***it == Reachability::Dropped).count();
        let held = found.iter().filter(|it| matches!(it, Reachability::Held(_))).count();
        assert_eq!((dropped, held), (40, 20), "{}", go.display());
    }
}

/// Also after the memory of collected responses was used again.
#[test]
fn thousands_of_responses_side_by_side_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    for go in toolchain::toolchains() {
        let program = build(&go, directory.path(), STRIPPED);
        for options in [&[][..], &["-gc=2", "-allocate"]] {
            let arguments = [&["-tls"], options, &["slice=1000", "length=1000"]].concat();
            let running = Running::start(&program, &arguments);
            let mut programs = GoPrograms::default();
            // What was changing is found by one of three inspections.
            let (mut dropped, mut held) = (BTreeSet::new(), 0);
            for _ in 0..3 {
                let begin = Instant::now();
                let found = inspect(&running, &mut programs);
                println!("{} {options:?}: {:?}", go.display(), begin.elapsed());
                let is_held =
                    |it: &&Option<Reachability>| matches!(it, Some(Reachability::Held(_)));
                let is_dropped = |it: &Option<Reachability>| *it == Some(Reachability::Dropped);
                assert!(!found["slice"].iter().any(is_dropped), "{} {options:?}", go.display());
                held = held.max(found["slice"].iter().filter(is_held).count());
                let found = (0..).zip(&found["length"]).filter(|(_, it)| is_dropped(it));
                dropped.extend(found.map(|(number, _): (usize, _)| number));
                if dropped.len() == 1000 {
                    break;
                }
            }
            let dropped = dropped.len();
            assert_eq!((held, dropped), (1000, 1000), "{} {options:?}", go.display());
        }
    }
}
