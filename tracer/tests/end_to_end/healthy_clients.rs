//! Healthy Go clients with uprobes attached: they have no finding.

use std::path::Path;

use crate::support::{Form, Go, Program, Tracer, go_source};

/// Clients that use HTTP/1.
const HTTP1: &str = "read close drained shared bodiless http10 single redirect retry dead stale \
    stream silent long-poll upgrade slow held timeout canceled refused posted proxy";

/// Clients that use HTTP/2. Not `held`: which goroutine references an HTTP/2 stream is unknown.
const HTTP2: &str = "read close drained shared bodiless redirect stale stream silent long-poll slow \
    timeout canceled posted proxy";

/// Watches all clients at once from their first request on, long enough for a finding of each.
#[track_caller]
fn check(healthy: &Path, arguments: &str) {
    let mut program = Program::start_ready(healthy, arguments);
    let pid = program.pid();
    let mut tracer = Tracer::start(&format!("--pid {pid} --idle 2s --for 15s -o json"));
    tracer.wait_for_first_report();
    assert_eq!(program.ask("go"), "started");
    let outcome = tracer.finish();

    let report = outcome.report();
    assert!(report.leaks_of(pid).is_empty(), "{arguments}: {report}");
    assert_eq!(outcome.code, 0, "{arguments}: {outcome:?}");
}

#[test]
fn healthy_http1_clients_have_no_finding() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        check(&go.build(&go_source("healthy"), directory.path(), Form::Stripped), HTTP1);
    }
}

#[test]
fn healthy_http2_clients_have_no_finding() {
    for go in Go::all() {
        let directory = tempfile::tempdir().unwrap();
        let healthy = go.build(&go_source("healthy"), directory.path(), Form::Stripped);
        check(&healthy, &format!("-http2 {HTTP2}"));
    }
}
