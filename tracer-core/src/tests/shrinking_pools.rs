//! Pools whose connections are closed one after another, and peers that close one direction.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::check;

/// One connection for each of 30 threads, used until the load dropped; the server closes each once
/// it has been idle for some time.
fn pool(end: &str) -> String {
    let mut timeline = String::from("0s lose-events\n0s open a1..a30 pid=10\n");
    for second in 1..8 {
        writeln!(timeline, "{second}s send a1..a30 bytes=100\n{second}s receive a1..a30 bytes=200")
            .unwrap();
        writeln!(timeline, "{second}s read a1..a30").unwrap();
    }
    for verb in ["send", "receive"] {
        writeln!(timeline, "15s {verb} a1..a30 every=10s bytes=100").unwrap();
    }
    format!("{timeline}\n16s read a1..a30 every=10s\n20s {end} a1..a30 every=10s\n")
}

#[test]
fn a_shrinking_pool_with_a_connection_per_thread_is_only_possible() {
    check(
        &format!("{}\n500s snapshot\n503s snapshot\n503s report", pool("peer-closes")),
        &expect![[r#"
            [8m 23s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x30, oldest >8m 8s, active 3s ~+6.0/min
                 peer-closed count=30 ago=193000..483000ms
                 rising occurrence=PeerClosed times=30 span_ms=290000 since_last_ms=193000
                 but undecided watch_ms=360000
        "#]],
    );
}

#[test]
fn a_dying_pool_with_a_connection_per_thread_is_only_possible() {
    check(
        &format!("{}\n500s snapshot\n503s snapshot\n503s report", pool("peer-resets")),
        &expect![[r#"
            [8m 23s]
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x30, oldest >8m 8s, active 3s ~+6.0/min
                 dead count=30 dead=193000..483000ms is_lower_bound=false
                 rising occurrence=Died times=30 span_ms=290000 since_last_ms=193000
                 death-unnoticed count=30
                 but undecided watch_ms=360000
        "#]],
    );
}

/// Connections that carried one request: a leak, or threads that had one request each.
#[test]
fn as_many_with_one_request_are_likely_with_a_caveat() {
    check(
        "
        0s lose-events
        0s open a1..a25 every=6s pid=10
        0s send a1..a25 every=6s bytes=100
        1s receive a1..a25 every=6s bytes=200
        1s read a1..a25 every=6s
        6s peer-closes a1..a25 every=6s
        300s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 3s, active 3s ~+10.0/min
                 peer-closed count=25 ago=153000..297000ms
                 rising occurrence=PeerClosed times=25 span_ms=144000 since_last_ms=153000
                 but thread-pool-possible
        "#]],
    );
}

/// EOF marks the end of the request, and the response takes a long time.
#[test]
fn clients_that_close_their_side_and_wait_are_only_possible() {
    check(
        "
        0s snapshot
        1s accept a1..a8 every=20s pid=10
        2s receive a1..a8 every=20s bytes=1000
        3s read a1..a8 every=20s
        4s snapshot
        160s snapshot
        161s peer-closes a1..a8
        161s snapshot
        162s read a1..a8
        163s snapshot
        230s snapshot
        230s report
        ",
        &expect![[r#"
            [3m 50s]
              #1 close-wait possible: p10[10] inbound :8080 x8, oldest 3m 49s, active 0s +0.0/min
                 peer-closed count=8 ago=69000..69000ms
                 eof-received count=8 total=8
                 but single-cause-possible
                 but half-close-possible count=8 total=8
        "#]],
    );
}

/// One transport for each of 14 tenants, after the first request to each.
#[test]
fn a_transport_for_each_of_a_dozen_tenants_is_only_possible() {
    check(
        "
        0s snapshot
        0s open a1..a14 every=20s pid=10
        0s send a1..a14 every=20s bytes=100
        0s receive a1..a14 every=20s bytes=500
        0s read a1..a14 every=20s
        300s reader a1..a14 is=goroutine http=idle transport=each
        700s snapshot
        700s report
        ",
        &expect![[r#"
            [11m]
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x14, oldest 11m, active 0s ~+3.0/min, reader goroutine
                 idle-with-reader count=14 idle=440000..700000ms
                 separate-transports transports=14
                 opened-while-others-idle count=13 total=14
                 served-at-most-once count=14 total=14
                 rising occurrence=WentSilent times=14 span_ms=260000 since_last_ms=440000
        "#]],
    );
}

/// Connections are accepted, queued and served in turn by a few workers.
#[test]
fn a_queue_of_a_server_that_serves_is_only_possible() {
    check(
        "
        0s snapshot
        1s accept a1..a12 pid=10
        1s receive a1..a12 bytes=5
        2s snapshot
        80s read a1
        80s send a1 bytes=2
        81s snapshot
        82s snapshot
        82s report
        ",
        &expect![[r#"
            [1m 22s]
              #1 never-read possible: p10[10] inbound :8080 x11, oldest 1m 21s, active 1s +0.0/min
                 never-read count=11 received_bytes=55 waiting=81000..81000ms
                 but single-cause-possible
                 but others-being-served count=1
        "#]],
    );
}
