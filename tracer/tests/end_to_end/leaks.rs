//! A real program leaks exactly 23 connections, and the tracer reports exactly these: in an audit
//! afterwards, and live.

use std::{thread, time::Duration};

use crate::support::{Kind, Leak, Tracer};

const COUNT: usize = 23;

#[track_caller]
fn check_audit(kind: Kind) {
    check_audit_with(kind, &["", "--source sock-diag"]);
}

/// Audits with each of these arguments, at the same time, find the leak.
#[track_caller]
fn check_audit_with(kind: Kind, arguments: &[&str]) {
    let leak = Leak::of(kind, COUNT);
    let audit = format!("audit --pid {} --idle 2s -o json", leak.pid());
    let start = |arguments: &&str| Tracer::start(&format!("{audit} {arguments}"));
    let tracers: Vec<_> = arguments.iter().map(start).collect();

    for tracer in tracers {
        let outcome = tracer.finish();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        leak.assert_reported_by(&outcome.report());
    }
}

#[track_caller]
fn check_live(kind: Kind) {
    check_live_with(kind, &["", "--source sock-diag"], |leak, _| leak.grow(COUNT));
}

/// Live runs with each of these arguments, at the same time, find the leak.
#[track_caller]
fn check_live_with(kind: Kind, arguments: &[&str], grow: impl FnOnce(&mut Leak, &mut [Tracer])) {
    let mut leak = Leak::prepare(kind);
    let watch = format!("--pid {} --idle 2s -o json", leak.pid());
    let start = |arguments: &&str| Tracer::start(&format!("{watch} {arguments}"));
    let mut tracers: Vec<_> = arguments.iter().map(start).collect();
    for tracer in &mut tracers {
        tracer.wait_for_first_report();
    }

    grow(&mut leak, &mut tracers);
    for mut tracer in tracers {
        tracer.wait_until(|report| report.leaked_by(leak.pid()) == COUNT as u64);
        let outcome = tracer.interrupt();
        assert_eq!(outcome.code, 1, "{outcome:?}");
        leak.assert_reported_by(&outcome.report());
    }
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
    check_audit_with(Kind::Ghost, &[""]);
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
    check_live_with(Kind::Ghost, &["", "--source sock-diag --interval 100ms"], |leak, tracers| {
        for count in [8, 8, COUNT - 16] {
            leak.grow(count);
            // Without events, only snapshots between them show that they died at separate times, more
            // than a twelfth of `--idle` apart. The second report from now on is of a snapshot after
            // the last death.
            tracers[1].wait_for_next_report();
            tracers[1].wait_for_next_report();
            thread::sleep(Duration::from_millis(300));
            tracers[1].wait_for_next_report();
        }
    });
}

#[test]
fn live_finds_accepted_connections_that_are_never_read() {
    check_live(Kind::NeverRead);
}
