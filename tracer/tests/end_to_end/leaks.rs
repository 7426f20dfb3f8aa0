//! A real program leaks exactly 23 connections, and the tracer reports exactly these: in an audit
//! afterwards, and live.

use std::{process::Command, thread, time::Duration};

use crate::support::{Kind, Leak, Puppet, Tracer, is_slow_host, run_in};

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
        assert!(outcome.code == 1 || is_slow_host(), "{outcome:?}");
        leak.assert_reported_by(&outcome.report());
    }
}

#[track_caller]
fn check_live(kind: Kind) {
    check_live_with(kind, &["", "--source sock-diag"]);
}

/// Live runs with each of these arguments, at the same time, find the leak.
#[track_caller]
fn check_live_with(kind: Kind, arguments: &[&str]) {
    let mut leak = Leak::prepare(kind);
    let watch = format!("--pid {} --idle 2s -o json", leak.pid());
    let start = |arguments: &&str| Tracer::start(&format!("{watch} {arguments}"));
    let mut tracers: Vec<_> = arguments.iter().map(start).collect();
    for tracer in &mut tracers {
        tracer.wait_for_first_report();
    }

    leak.grow(COUNT);
    for mut tracer in tracers {
        tracer.wait_until(|report| report.leaked_by(leak.pid()) == COUNT as u64);
        let outcome = tracer.interrupt();
        assert!(outcome.code == 1 || is_slow_host(), "{outcome:?}");
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
    check_live_with(Kind::Ghost, &[""]);
}

/// Five bursts must be watched, and a group is watched once it has `--min-count` connections.
const BURSTS: u64 = 9;

/// Without events, only snapshots show when connections died. In namespaces with few processes and
/// sockets they are cheap, and therefore frequent.
#[test]
fn live_finds_ghosts_by_sock_diag() {
    let mut leaker = Puppet::start_in_own_processes();
    leaker.ask("own-network");
    let enter = |kinds: &str| format!("nsenter --target {} {kinds}", leaker.pid());
    let mut peer = Command::new("nsenter");
    peer.args(enter("--net").split(' ').skip(1)).arg(Puppet::executable());
    let (peer, enter) = (Puppet::start_by(&mut peer), enter("--pid --mount --net"));
    let mut leak = Leak::prepare_between(leaker, peer, Kind::Ghost);
    let watch = "--pid 1 --idle 2s --interval 100ms -o json --source sock-diag";
    let mut tracer = Tracer::spawn(run_in(&enter, watch));
    tracer.wait_for_first_report();

    for _ in 0..BURSTS {
        leak.grow(2);
        // A time of death is known only to lie between two snapshots. If these are far apart, two
        // deaths count as separate only if `--idle` lies between them.
        tracer.wait_for_next_report();
        tracer.wait_for_next_report();
        thread::sleep(Duration::from_millis(2_300));
    }
    let report = tracer.wait_until(|report| report.leaked_by(1) == 2 * BURSTS);

    let finding = report.leak_of(1);
    assert_eq!((finding.text("verdict"), finding.fds()), ("ghost", leak.fds.clone()));
}

#[test]
fn live_finds_accepted_connections_that_are_never_read() {
    check_live(Kind::NeverRead);
}
