//! Go clients that lose nothing, under the ledger: nothing is said of them.

use std::path::Path;

use crate::support::{Form, Go, Program, Tracer, go_source};

/// What speaks HTTP/1.
const HTTP1: &str = "read close drained shared bodiless http10 single redirect retry dead stale \
    stream silent long-poll upgrade slow held timeout cancelled refused posted proxy";

/// What has a meaning in HTTP/2, too.
/// Not `held`: who has a stream of HTTP/2 in hand is not known.
const HTTP2: &str = "read close drained shared bodiless redirect stale stream silent long-poll slow \
    timeout cancelled posted proxy";

/// Watches all kinds at once from their first request on, long enough to say something of each.
#[track_caller]
fn check(healthy: &Path, arguments: &str) {
    let mut program = Program::start_ready(healthy, arguments);
    let pid = program.pid();
    let mut tracer = Tracer::start(&format!("--pid {pid} --idle 2s --for 15s -o json"));
    tracer.wait_until_it_looks();
    assert_eq!(program.ask("go"), "started");
    let outcome = tracer.finish();

    let report = outcome.report();
    assert!(report.leaks_of(pid).is_empty(), "{arguments}: {report}");
    assert_eq!(outcome.code, 0, "{arguments}: {outcome:?}");
}

#[test]
fn nothing_is_said_of_http1() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        check(&go.build(&go_source("healthy"), directory.path(), Form::Stripped), HTTP1);
    }
}

#[test]
fn nothing_is_said_of_http2() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        let healthy = go.build(&go_source("healthy"), directory.path(), Form::Stripped);
        check(&healthy, &format!("-http2 {HTTP2}"));
    }
}
