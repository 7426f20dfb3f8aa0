//! A real program leaks exactly 23 connections, and the tracer says exactly that: in an audit of
//! what is there, and live while it happens.

use std::{thread, time::Duration};

use crate::support::{Kind, Leak, Tracer};

const COUNT: usize = 23;

#[track_caller]
fn check_audit(kind: Kind) {
    let leak = Leak::of(kind, COUNT);

    check_audit_of(&leak, "");
    check_audit_of(&leak, "--source sock-diag");
}

/// An audit with these arguments finds it.
#[track_caller]
fn check_audit_of(leak: &Leak, arguments: &str) {
    let outcome = Tracer::run(&format!("audit --pid {} --idle 2s -o json {arguments}", leak.pid()));

    assert_eq!(outcome.code, 1, "{outcome:?}");
    leak.assert_reported_by(&outcome.report());
}

#[track_caller]
fn check_live(kind: Kind) {
    check_live_by(kind, "");
    check_live_by(kind, "--source sock-diag");
}

/// A live run with these arguments finds it.
#[track_caller]
fn check_live_by(kind: Kind, arguments: &str) {
    check_growing(kind, arguments, |leak, _| leak.grow(COUNT));
}

#[track_caller]
fn check_growing(kind: Kind, arguments: &str, grow: impl FnOnce(&mut Leak, &mut Tracer)) {
    let mut leak = Leak::prepare(kind);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json {arguments}", leak.pid()));
    tracer.wait_until_it_looks();

    grow(&mut leak, &mut tracer);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == COUNT as u64);
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 1, "{outcome:?}");
    leak.assert_reported_by(&outcome.report());
}

#[test]
fn audit_finds_connections_that_the_peer_closed() {
    check_audit(Kind::CloseWait { unread: 0 });
}

#[test]
fn audit_finds_connections_that_the_peer_closed_with_unread_bytes() {
    check_audit(Kind::CloseWait { unread: 300 });
}

#[test]
fn audit_finds_connections_with_unread_responses() {
    check_audit(Kind::Undrained);
}

#[test]
fn audit_finds_ghosts() {
    check_audit_of(&Leak::of(Kind::Ghost, COUNT), "");
}

#[test]
fn audit_finds_accepted_connections_that_are_never_read() {
    check_audit(Kind::NeverRead);
}

#[test]
fn live_finds_connections_that_the_peer_closed() {
    check_live(Kind::CloseWait { unread: 0 });
}

#[test]
fn live_finds_connections_that_the_peer_closed_with_unread_bytes() {
    check_live(Kind::CloseWait { unread: 300 });
}

#[test]
fn live_finds_connections_with_unread_responses() {
    check_live(Kind::Undrained);
}

#[test]
fn live_finds_ghosts() {
    check_live_by(Kind::Ghost, "");
    // Without events it takes looks between them to see that they did not die at one time.
    check_growing(Kind::Ghost, "--source sock-diag --interval 100ms", |leak, tracer| {
        for count in [6, 6, 6, COUNT - 18] {
            leak.grow(count);
            // The first may have been looked for before.
            tracer.wait_until_it_looks_again();
            tracer.wait_until_it_looks_again();
            thread::sleep(Duration::from_secs(1));
        }
    });
}

#[test]
fn live_finds_accepted_connections_that_are_never_read() {
    check_live(Kind::NeverRead);
}
