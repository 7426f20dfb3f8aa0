//! Standard output as a pipe.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use crate::support::{Kind, Leak, command};

#[test]
fn a_closed_pipe_is_not_an_error() {
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

/// With findings, so that there is a first line.
#[test]
fn a_closed_pipe_ends_finding_events() {
    let leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = command(&format!("--pid {} -o jsonl --idle 2s --interval 100ms", leak.pid()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    let mut first_line = String::new();
    BufReader::new(tracer.stdout.take().unwrap()).read_line(&mut first_line).unwrap();
    let outcome = tracer.wait_with_output().unwrap();

    assert!(first_line.contains("\"event\":\"appeared\""), "{first_line}");
    assert!(matches!(outcome.status.code(), Some(0 | 1)), "{outcome:?}");
    assert_eq!(outcome.stderr, b"", "{outcome:?}");
}
