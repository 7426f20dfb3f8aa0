//! Resolves the HTTP client objects of a real Go program, `tests/go/http_objects`, which reports the
//! connection of each.

use std::path::Path;

use tracer_common::LedgerKind;
use tracer_core::HttpStream;

use super::{
    program::{self, Running},
    toolchain::{self, FORMS, Form, PLAIN, STRIPPED, build_with},
};
use crate::budget::Budget;
use crate::go::{GoPrograms, HttpObject, ResolvedConnection};

/// Parses a line of the program: `object label kind address fd stream held unread`.
fn parse(line: &str) -> Option<(&str, HttpObject, Option<ResolvedConnection>)> {
    let words: Vec<&str> = line.strip_prefix("object ")?.split(' ').collect();
    let [label, kind, address, fd, id, held_bytes, read_mark] = *words else { panic!("{line}") };
    let (id, held_bytes) = (id.parse().unwrap(), held_bytes.parse().unwrap());
    let read_mark = read_mark.parse().unwrap();
    let (kind, stream) = match kind {
        "connection" => (LedgerKind::Connection, None),
        "stream" => (LedgerKind::Stream, Some(HttpStream { id, held_bytes, read_mark })),
        _ => panic!("{line}"),
    };
    let object = HttpObject { kind, address: address.parse().unwrap() };
    // An object that must not be resolved has no fd.
    let fd: Option<u32> = fd.parse().ok();
    let is_awaited = label == "awaited";
    Some((label, object, fd.map(|fd| ResolvedConnection { fd, stream, is_awaited })))
}

#[track_caller]
fn check(program: &Path, form: Form) {
    let running = Running::start(program, &[]);
    let mut programs = GoPrograms::default();
    let all: Vec<_> = running.lines.iter().filter_map(|line| parse(line)).collect();
    let objects: Vec<HttpObject> = all.iter().map(|it| it.1).collect();
    let resolved = programs.resolve(running.process(), &objects, &Budget::default()).unwrap();
    for ((label, object, expected), found) in all.iter().zip(&resolved) {
        assert_eq!(found, expected, "{form:?}: {label} {object:?}");
    }
    assert_eq!(resolved.iter().flatten().filter(|it| it.stream.is_some()).count(), 10);
    assert_eq!(resolved.iter().flatten().filter(|it| it.stream.is_none()).count(), 18);

    // Wrong addresses and kinds resolve to nothing.
    let other = |it: &HttpObject| match it.kind {
        LedgerKind::Connection => HttpObject { kind: LedgerKind::Stream, ..*it },
        _ => HttpObject { kind: LedgerKind::Connection, ..*it },
    };
    let shifted = |by: i64| {
        move |it: &HttpObject| HttpObject { address: it.address.wrapping_add_signed(by), ..*it }
    };
    let mut wrong: Vec<HttpObject> = objects.iter().map(other).collect();
    for by in (-128..=128).filter(|by| *by != 0) {
        wrong.extend(objects.iter().map(shifted(by)));
    }
    wrong.extend(
        [0, 8, 1, u64::MAX, u64::MAX - 7, 0xc000_0000_0000_0000]
            .map(|address| HttpObject { kind: LedgerKind::Stream, address }),
    );
    let found = programs.resolve(running.process(), &wrong, &Budget::default()).unwrap();
    for (wrong, found) in wrong.iter().zip(found) {
        // Streams have the same size and are adjacent.
        let is_object = objects.iter().any(|it| it.address == wrong.address);
        assert!(found.is_none() || is_object, "{form:?}: {wrong:?} {found:?}");
    }
}

fn check_all(go: &Path, forms: &[Form]) {
    let directory = tempfile::tempdir().unwrap();
    for form in forms {
        let program =
            build_with(go, directory.path(), *form, &program::source("http_objects"), &[]);
        check(&program, *form);
    }
}

#[test]
fn objects_are_resolved_to_their_fds() {
    let debuggable = FORMS.map(|form| Form { stripping: "", ..form });
    check_all(&toolchain::go(), &[FORMS.as_slice(), &debuggable[2..]].concat());
    for go in toolchain::toolchains().iter().skip(1) {
        check_all(go, &[PLAIN, STRIPPED]);
    }
}
