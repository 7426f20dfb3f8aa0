//! Who can reach a response, by the heap of a real program, `tests/go/heap`.

use std::{collections::BTreeMap, path::Path};

use tracer_core::{ConnectionId, Held};

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
const HELD: [&str; 16] = [
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

/// The result of each connection of each kind.
fn inspect(running: &Running, programs: &mut GoPrograms) -> BTreeMap<String, Vec<Option<Held>>> {
    let asked = running.asked();
    let registrations = running.registrations();
    let budget = Budget::default();
    let inspection =
        programs.inspect(running.process(), registrations.list(), &asked, &budget).unwrap();
    assert_eq!((inspection.limits, budget.limit()), (Vec::new(), None));
    let found: BTreeMap<_, _> = inspection.found.iter().map(|it| (it.id, it)).collect();
    let of = |fd: &u32| {
        let facts = found.get(&ConnectionId((*fd).into()));
        facts.and_then(|it| it.http.as_ref()).map(|it| it.held)
    };
    let kinds = running.kinds.iter();
    kinds.map(|(kind, fds)| (kind.clone(), fds.iter().map(of).collect())).collect()
}

fn check(program: &Path, options: &[&str], name: &str) {
    let arguments: Vec<&str> = options.iter().chain(&DROPPED).chain(&HELD).copied().collect();
    let running = Running::start(program, &arguments);
    let mut programs = GoPrograms::default();
    let name_of = |it: &&str| it.split_once('=').unwrap().0.to_owned();
    let mut undecided: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..3 {
        let found = inspect(&running, &mut programs);
        for kind in HELD.iter().map(name_of) {
            let is_dropped = found[&kind].contains(&Some(Held::Nobody));
            assert!(!is_dropped, "{name} {options:?}: {kind}: {:?}", found[&kind]);
        }
        undecided = DROPPED
            .iter()
            .map(name_of)
            .map(|kind| {
                let others = found[&kind].iter().filter(|it| **it != Some(Held::Nobody)).count();
                (kind, others)
            })
            .filter(|(_, others)| *others > 0)
            .collect();
        println!("{name} {options:?}: {found:?}");
        if undecided.is_empty() {
            break;
        }
    }
    assert_eq!(undecided, BTreeMap::new(), "{name} {options:?}");
}

fn build(go: &Path, directory: &Path, form: Form) -> std::path::PathBuf {
    build_with(go, directory, form, &program::source("heap"), &[])
}

#[test]
fn dropped_and_held_responses_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    for go in toolchain::toolchains() {
        let program = build(&go, directory.path(), PLAIN);
        for options in [&[][..], &["-gc=3"], &["-allocate"], &["-tls", "-gc=1"]] {
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
