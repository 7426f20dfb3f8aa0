//! What reaches a pipe or a terminal: no control sequence, whatever a process calls itself.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use crate::support::{Kind, Leak, Tracer, command};

#[test]
fn a_table_in_a_pipe_has_no_escape_sequences() {
    let mut leak = Leak::of(Kind::Undrained, 6);
    leak.leaker.rename("\x1b[31mred\nline\r");

    let outcome = Tracer::run(&format!("audit --pid {} --idle 1s", leak.pid()));

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let unwanted = |character: char| character.is_control() && character != '\n';
    assert!(!outcome.stdout.contains(unwanted), "{:?}", outcome.stdout);
    assert!(!outcome.stdout.contains("red\nline"), "{:?}", outcome.stdout);
    assert!(outcome.stdout.contains("undrained"), "{}", outcome.stdout);
}

#[test]
fn live_tables_in_a_pipe_are_appended_plainly() {
    let leak = Leak::of(Kind::Undrained, 6);

    let outcome = Tracer::run(&format!("--pid {} --idle 1s --for 4s", leak.pid()));

    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert!(!outcome.stdout.contains('\x1b'), "{:?}", outcome.stdout);
    assert!(outcome.stdout.contains("undrained"), "{}", outcome.stdout);
}

#[test]
fn a_name_cannot_be_a_formula_or_break_a_row() {
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "a\"b,c\r\nd"] {
        let mut leak = Leak::of(Kind::Undrained, 1);
        leak.leaker.rename(name);

        let pid = leak.pid();
        let rows = Tracer::run(&format!("audit --pid {pid} --for 0s --all -o csv")).rows();

        let rows = rows.of(pid);
        assert_eq!(rows.len(), 1, "{name:?}");
        let comm = &rows[0]["COMM"];
        assert!(!comm.starts_with(['=', '+', '-', '@']), "{comm:?}");
    }
}

#[test]
fn a_name_is_whole_in_json() {
    let mut leak = Leak::of(Kind::Undrained, 6);
    leak.leaker.rename("\x1b[31mred\nline");

    let pid = leak.pid();
    let outcome = Tracer::run(&format!("audit --pid {pid} --idle 1s -o json"));

    assert!(!outcome.stdout.contains('\x1b'));
    assert_eq!(outcome.report().leak_of(pid).text("comm"), "\x1b[31mred\nline");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let leak = Leak::prepare(Kind::Undrained);
    let mut tracer = command(&format!("--pid {} -o json --interval 100ms", leak.pid()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let mut first_line = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let outcome = tracer.wait_with_output().unwrap();

    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    assert_eq!(outcome.stderr, b"", "{outcome:?}");
}
