//! Stopped processes: no confidence rises while they cannot act, nor right after.

use std::string::String;

use expect_test::expect;

use super::{
    check,
    watched::{check_healthy, watch},
};

/// A proxy is stopped while its clients stall; they continue to read while it is stopped.
#[test]
fn a_stopped_proxy_whose_clients_drain_is_never_flagged() {
    check_healthy(
        400,
        "
        0s accept c1..c12 every=1s pid=10
        0s open u1..u12 every=1s pid=10
        1s receive u1..u12 every=1s bytes=300000
        1s stall c1..c12 every=1s bytes=90000
        100s stop pid=10
        102s send c1..c12 every=1s bytes=10
        260s resume pid=10
        264s read u1..u12 every=300ms
        264s close u1..u12 every=300ms
        264s close c1..c12 every=300ms
        ",
    );
}

/// Clients and servers close while a healthy program is stopped. It closes its side once it
/// resumes.
#[test]
fn a_stopped_program_that_closes_later_is_never_flagged() {
    check_healthy(
        400,
        "
        0s open a1..a30 pid=10
        0s accept b1..b30 pid=10
        1s send a1..a30 bytes=100
        50s stop pid=10
        55s peer-closes a1..a30 every=6s
        57s receive b1..b30 every=6s bytes=100
        58s peer-closes b1..b30 every=6s
        300s resume pid=10
        303s close a1..a30 every=100ms
        303s close b1..b30 every=100ms
        ",
    );
}

const LEAK: &str = "
    0s open a1..a25 every=6s pid=10
    1s send a1..a25 every=6s bytes=100
    3s peer-closes a1..a25 every=6s
    220s stop pid=10
    340s resume pid=10
    341s open b1..b15 every=6s pid=10
    342s send b1..b15 every=6s bytes=100
    344s peer-closes b1..b15 every=6s
    ";

/// A leaking process is stopped by SIGSTOP for twice `--idle`: the leak is *likely* before, during
/// and after.
#[test]
fn a_leak_keeps_its_confidence_while_the_process_is_stopped() {
    let reports = watch(60_000, 5, 520, LEAK);
    for report in &reports {
        let expected: &[&str] = match report.at_s {
            215..=400 => &["close-wait likely x25"],
            500.. => &["close-wait likely x40"],
            _ => continue,
        };
        assert_eq!(report.flagged, expected, "at {} s", report.at_s);
    }
}

/// Connections that die while the process is stopped are not added to those that were *likely*
/// before.
#[test]
fn nothing_is_added_to_a_leak_while_the_process_is_stopped() {
    let timeline = [
        LEAK,
        "
        0s open d1..d20 every=5s pid=10
        0s send d1..d20 bytes=100 every=5s
        222s peer-closes d1..d20 every=1s
        343s close d1..d20
        ",
    ];
    for report in watch(60_000, 5, 395, &timeline.concat()) {
        if report.at_s >= 215 {
            assert_eq!(report.flagged, ["close-wait likely x25"], "at {} s", report.at_s);
        }
    }
}

#[test]
fn an_audit_of_a_stopped_process_says_so_and_is_incomplete() {
    let stop: String = "
        0s lose-events
        0s stop pid=10
        1s open a1..a25 every=6s pid=10
        1s send a1..a25 every=6s bytes=100
        3s peer-closes a1..a25 every=6s
        300s snapshot
        303s snapshot
        303s report
        "
    .into();
    check(
        &stop,
        &expect![[r#"
            [5m 3s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 2s, active 3s ~+10.0/min
                 peer-closed count=25 ago=156000..300000ms
                 rising occurrence=PeerClosed times=25 span_ms=144000 since_last_ms=156000
                 but thread-pool-possible
                 but process-stopped
              incomplete
        "#]],
    );
}

/// Whether a peer is dead does not depend on the process.
#[test]
fn what_does_not_depend_on_the_process_is_reported_of_a_stopped_one() {
    check(
        "
        0s open a1..a6 pid=10
        1s snapshot
        10s stop pid=10
        20s retransmit a1..a6 count=3
        100s retransmit a1..a6 count=5
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s]
              #1 orphaned likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 41s, active 0s +0.0/min
                 nothing-acknowledged count=6 silent=101000..101000ms
                 data-retransmitted count=6 total=6 retransmits_max=5
        "#]],
    );
}
