//! Compares the functions found in running programs with the symbol table, also after stripping.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use object::{Object as _, ObjectSegment as _, ObjectSymbol as _};

use super::{
    program::{self, Running, process},
    toolchain::{self, FORMS, Form, PLAIN, build_with},
};
use crate::budget::Budget;
use crate::go::{Entries, GoPrograms, LedgerHook};

/// The functions of HTTP/1 and those of HTTP/2, newest names first.
const HOOKS: [(LedgerHook, &[&str]); 7] = [
    (LedgerHook::RoundTrip, &["net/http.(*persistConn).roundTrip"]),
    (LedgerHook::PutIdle, &["net/http.(*Transport).tryPutIdleConn"]),
    (LedgerHook::Close, &["net/http.(*persistConn).closeLocked"]),
    (LedgerHook::Close, &["net/http.(*persistConn).mapRoundTripError"]),
    (
        LedgerHook::StreamRoundTrip,
        &[
            "net/http/internal/http2.(*ClientConn).roundTrip",
            "net/http.(*http2ClientConn).roundTrip",
            "net/http.(*http2ClientConn).RoundTrip",
        ],
    ),
    (
        LedgerHook::StreamStart,
        &[
            "net/http/internal/http2.(*clientStream).doRequest",
            "net/http.(*http2clientStream).doRequest",
        ],
    ),
    (
        LedgerHook::StreamEnd,
        &[
            "net/http/internal/http2.(*clientStream).cleanupWriteRequest",
            "net/http.(*http2clientStream).cleanupWriteRequest",
        ],
    ),
];

/// The expected hooks, by the symbol table and the program headers.
fn by_symbols(program: &Path) -> Vec<(LedgerHook, u64)> {
    let bytes = fs::read(program).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbols: BTreeMap<_, _> =
        file.symbols().filter_map(|it| Some((it.name().ok()?, it.address()))).collect();
    let offset = |names: &[&str]| {
        let address = *names.iter().find_map(|name| symbols.get(name)).unwrap();
        let contains = |start: u64, length: u64| (start..start + length).contains(&address);
        let mut segments = file.segments();
        let segment = segments.find(|it| contains(it.address(), it.file_range().1)).unwrap();
        address - segment.address() + segment.file_range().0
    };
    HOOKS.iter().map(|(hook, names)| (*hook, offset(names))).collect()
}

fn find(program: &Path) -> Entries {
    let connections = Running::start(program, &[]);
    let mut programs = GoPrograms::default();
    let mut entries =
        || programs.entries(connections.process(), &Budget::default()).unwrap().unwrap().0;
    let begin = Instant::now();
    let first = entries();
    println!("{}: {:?}", program.display(), begin.elapsed());
    assert_eq!(entries(), first, "cached");
    first
}

/// Checks one version of Go.
fn check(go: &Path) {
    let directory = tempfile::tempdir().unwrap();
    for form in FORMS {
        let source = program::source("connections");
        let build = |form| build_with(go, directory.path(), form, &source, &[]);
        let whole = build(Form { stripping: "", ..form });
        let expected = Entries { hooks: by_symbols(&whole), limits: Vec::new() };
        assert_eq!(find(&whole), expected, "{form:?}");
        let stripped = directory.path().join("without-symbols");
        let status = Command::new("strip").arg("-o").arg(&stripped).arg(&whole).status();
        assert!(status.unwrap().success());
        assert_eq!(find(&stripped), expected, "{form:?}, by strip");
        // The linker omits symbols after it has laid out the code, so the offsets are the same.
        let linked = build(Form { name: "linked-without-symbols", stripping: "-s -w", ..form });
        assert_eq!(find(&linked), expected, "{form:?}, by the linker");
    }
}

#[test]
fn functions_are_where_the_symbol_table_has_them() {
    for go in toolchain::toolchains() {
        check(&go);
    }
}

#[test]
fn a_program_without_a_client_has_no_hooks() {
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("main.go");
    let text = "package main\nimport \"time\"\nfunc main() { time.Sleep(time.Hour) }\n";
    fs::write(&source, text).unwrap();
    let program = build_with(&toolchain::go(), directory.path(), PLAIN, &source, &[]);
    let mut child = Command::new(&program).spawn().unwrap();
    // The process may not be initialized yet.
    let deadline = Instant::now() + Duration::from_mins(1);
    let find = |process| {
        let found = GoPrograms::default().entries(process, &Budget::default())?;
        Some(found.map(|(entries, _)| entries))
    };
    let find_child = || find(process(child.id()));
    let mut entries = find_child();
    while entries.as_ref().is_none_or(Result::is_err) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
        entries = find_child();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(entries, Some(Ok(Entries::default())));
    let own = process(std::process::id());
    assert_eq!(find(own), None, "not a Go program");
}
