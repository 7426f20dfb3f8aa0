//! Tests of the check itself, on synthetic trees.

use std::path::Path;

use super::graph;
use super::module_tree::Tree;

/// Checks a crate of these files, of which `lib.rs` is the first.
#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let tree = Tree::read(Path::new(files[0].0), &|wanted| {
        let file = files.iter().find(|(name, _)| Path::new(name) == wanted);
        file.map(|(_, text)| (*text).to_owned())
    });
    assert_eq!(graph::cycles(&tree), expected);
}

#[test]
fn two_files_that_import_each_other() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "//! A.\nuse std::fmt;\nuse crate::b::B;\nuse crate::b::Other;\n"),
            ("b.rs", "use std::fmt;\nfn f() -> u8 { super::a::f() }\n"),
            ("c.rs", "use crate::{a, b};\n"),
        ],
        &["crate: a -> b -> a\n    a -> b: a.rs:3 and 1 more\n    b -> a: b.rs:2"],
    );
}

#[test]
fn a_longer_cycle_is_reported_once() {
    check(
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use super::{b::{self, B}, Item};"),
            ("b.rs", "\nuse crate::c as other;"),
            ("c.rs", "\n\nfn f() { println!(\"{}\", crate::a::X); }"),
        ],
        &["crate: a -> b -> c -> a\n    a -> b: a.rs:1 and 1 more\n    \
           b -> c: b.rs:2\n    c -> a: c.rs:3"],
    );
}

#[test]
fn imports_count_for_the_siblings_that_they_are_below() {
    check(
        &[
            ("lib.rs", "mod go; mod readers;"),
            ("go.rs", "mod deep;"),
            ("go/deep.rs", "use crate::readers::epoll::Epoll;"),
            ("readers.rs", "mod epoll { use super::super::go::Go; }"),
        ],
        &["crate: go -> readers -> go\n    go -> readers: go/deep.rs:1\n    \
           readers -> go: readers.rs:1"],
    );
}

#[test]
fn modules_of_a_folder_are_siblings_too() {
    check(
        &[
            ("src/lib.rs", "pub mod go;"),
            ("src/go.rs", "mod look; mod stacks;"),
            ("src/go/look.rs", "use super::stacks::walk;"),
            ("src/go/stacks.rs", "use crate::go::look::Look;"),
        ],
        &["crate::go: look -> stacks -> look\n    look -> stacks: src/go/look.rs:1\n    \
           stacks -> look: src/go/stacks.rs:1"],
    );
}

#[test]
fn a_parent_hides_nothing() {
    check(
        &[
            ("lib.rs", "mod a; mod b; use a::A; use b::{Long as Short};"),
            ("a.rs", "use super::Short;"),
            ("b.rs", "use crate::A;"),
        ],
        &["crate: a -> b -> a\n    a -> b: a.rs:1\n    b -> a: b.rs:1"],
    );
    check(
        &[
            ("lib.rs", "mod top;"),
            ("top.rs", "mod a; mod b;"),
            ("top/a.rs", "use crate::top;\nfn f() { top::b::f() }"),
            ("top/b.rs", "use super::a;"),
        ],
        &["crate::top: a -> b -> a\n    a -> b: top/a.rs:2\n    b -> a: top/b.rs:1"],
    );
}

#[test]
fn what_is_no_cycle() {
    // Between a module and those below it.
    check(&[("lib.rs", "mod a; struct S; use a::f;"), ("a.rs", "use super::S;")], &[]);
    // Only in one direction.
    check(&[("lib.rs", "mod a; mod b;"), ("a.rs", "use crate::b;"), ("b.rs", "")], &[]);
    // A crate or an item with the name of a module.
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::a;\nfn f() { ::b::f(); x::b::f(); Vec::<u8>::b::f() }"),
            ("b.rs", "use a::A; enum E { A }\nfn f() { E::A; a::f() }"),
        ],
        &[],
    );
    // In comments and strings.
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "//! See [`crate::a::A`].\n// crate::a::f()\nconst A: &str = \"crate::a\";"),
        ],
        &[],
    );
}

#[test]
fn code_for_tests_does_not_count() {
    let a = ("a.rs", "use crate::b::B;");
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            a,
            (
                "b.rs",
                "#[cfg(test)]\nmod tests;\n#[cfg(test)] mod more { use crate::a::A; }\n\
                 #[cfg(any(fuzzing, test))]\npub(crate) fn f<T, U>(t: T) -> U { crate::a::f() }\n\
                 #[cfg(test)] use crate::a;\n\
                 struct S { #[cfg(test)] a: crate::a::A, b: u8 }\n",
            ),
        ],
        &[],
    );
    check(&[("lib.rs", "mod a; mod b;"), a, ("b.rs", "#![cfg(test)]\nuse crate::a::A;")], &[]);
    check(
        &[
            ("lib.rs", "mod a; mod b;"),
            a,
            ("b.rs", "struct S { #[cfg(test)] x: u8, a: crate::a::A }"),
        ],
        &["crate: a -> b -> a\n    a -> b: a.rs:1\n    b -> a: b.rs:1"],
    );
}

#[test]
fn a_file_may_be_elsewhere() {
    check(
        &[
            ("x/main.rs", "#[path = \"../y/host.rs\"]\nmod host;\nmod own;"),
            ("y/host.rs", "use crate::own;"),
            ("x/own.rs", "\nuse super::host;"),
        ],
        &["crate: host -> own -> host\n    host -> own: y/host.rs:1\n    own -> host: x/own.rs:2"],
    );
}
