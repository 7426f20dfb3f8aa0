//! Healthy programs that look like leaks, and leaks that are masked by something else.

use expect_test::expect;

use super::check;

/// The FIN arrives with the answer and is consumed by the read of exactly the answer: the pool does
/// not know that its connections are stale.
#[test]
fn a_pool_that_missed_the_fin_of_its_connections() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s receive a1..a6 bytes=500
        2s peer-closes a1..a6
        2s read a1..a6
        70s snapshot
        70s report
        80s peer-resets a1..a6
        150s snapshot
        150s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 9s, active 0s
                 peer-closed count=6 ago=68000..68000ms
                 but single-cause-possible
                 but eof-unconfirmed count=6 total=6
            [2m 30s]
              #2 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest 2m 29s, active 0s +0.0/min
                 dead count=6 dead=70000..70000ms is_lower_bound=false
                 death-unnoticed count=6
                 but single-cause-possible
        "#]],
    );
}

/// A pool of twelve connections that go stale one by one looks like a leak in the meantime, but no
/// longer after hours without another event.
#[test]
fn a_rise_that_ceased_long_ago() {
    check(
        "
        0s snapshot
        1s open a1..a12 pid=10
        60s peer-closes a1..a12 every=10s
        200s snapshot
        200s report
        240s snapshot
        240s report
        8h snapshot
        8h report
        ",
        &expect![[r#"
            [3m 20s]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x9, oldest 3m 19s, active 0s ~+6.0/min
                 peer-closed count=9 ago=60000..140000ms
                 rising occurrence=PeerClosed times=9 span_ms=80000 since_last_ms=60000
            [4m]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, active 40s ~+6.0/min
                 peer-closed count=12 ago=70000..180000ms
                 rising occurrence=PeerClosed times=12 span_ms=110000 since_last_ms=70000
                 but undecided watch_ms=360000
            [8h]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 7h 59m, active 7h 56m +0.0/min
                 peer-closed count=12 ago=28630000..28740000ms
                 ceased occurrence=PeerClosed times=12 span_ms=110000 since_last_ms=28630000
                 but undecided watch_ms=360000
        "#]],
    );
}

#[test]
fn a_stopped_process_can_close_nothing() {
    check(
        "
        0s accept a1..a12 every=10s pid=10
        0s accept b1..b12 every=10s pid=10
        2s stop pid=10
        5s peer-closes a1..a12 every=10s
        5s peer-resets b1..b12 every=10s
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 ghost possible: p10[10] inbound :8080 x12, oldest 5m, active 0s ~+6.0/min
                 dead count=12 dead=185000..295000ms is_lower_bound=false
                 rising occurrence=Died times=12 span_ms=110000 since_last_ms=185000
                 death-unnoticed count=12
                 but process-stopped
              #2 never-read possible: p10[10] inbound :8080 x12, oldest 5m, active 0s ~+6.0/min
                 never-read count=12 received_bytes=0 waiting=185000..295000ms
                 rising occurrence=WentSilent times=12 span_ms=110000 since_last_ms=185000
                 peer-gave-up count=12 total=12
                 but process-stopped
              incomplete
        "#]],
    );
}

/// Each subscriber sent one request; since then, the server only sends, and has nothing to read.
#[test]
fn a_server_that_only_sends() {
    check(
        "
        0s accept a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s send a1..a6 bytes=100
        99s send a1..a6 bytes=100
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s] nothing
        "#]],
    );
}

/// Snapshots may be far apart; data that arrived just before one has not been unread since the
/// previous one.
#[test]
fn data_that_has_just_arrived() {
    check(
        "
        0s accept a1..a6 pid=10
        5s snapshot
        300s receive a1..a6 bytes=5000
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s] nothing
        "#]],
    );
}

/// All events are lost, and the sockets are connected again between two snapshots.
#[test]
fn sockets_that_were_connected_again() {
    check(
        "
        0s lose-events
        0s open a1..a6 pid=10
        1s peer-closes a1..a6
        9s snapshot
        10s reconnect a1..a6
        20s snapshot
        3600s peer-closes a1..a6
        3601s snapshot
        3601s report
        ",
        &expect![[r#"
            [1h]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest >1h, active 0s +0.0/min
                 peer-closed count=6 ago=1000..3581000ms
                 but single-cause-possible
                 but close-time-unknown count=6 total=6
        "#]],
    );
}

/// Some sockets of a finding close and one enters another state: the finding is retracted.
#[test]
fn a_finding_that_falls_apart_is_retracted() {
    check(
        "
        0s open a1..a20 every=6s pid=10
        1s receive a1..a20 bytes=9000 every=6s
        150s snapshot
        200s snapshot
        200s report
        210s close a2..a20
        211s peer-closes a1
        220s snapshot
        220s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, active 50s ~+10.0/min
                 unread-silent count=20 unread_bytes=180000 silent=85000..199000ms
                 nothing-read watched=85000..199000ms
                 rising occurrence=WentSilent times=20 span_ms=114000 since_last_ms=85000
            [3m 40s]
              #2 close-wait likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 40s, active 0s
                 peer-closed count=1 ago=9000..9000ms
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, active 1m 10s ~+10.0/min, retracted, peak likely x20
                 unread-silent count=20 unread_bytes=180000 silent=85000..199000ms
                 nothing-read watched=85000..199000ms
                 rising occurrence=WentSilent times=20 span_ms=114000 since_last_ms=85000
        "#]],
    );
}

/// One snapshot cannot distinguish a slow reader from no reader.
#[test]
fn a_single_snapshot_is_only_possible() {
    check(
        "
        0s lose-events
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        100s snapshot
        100s report
        103s snapshot
        103s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 40s, active 0s
                 unread-silent count=6 unread_bytes=54000 silent=99000..99000ms
                 but watched-too-briefly needed_ms=60000
                 but single-cause-possible
            [1m 43s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 43s, active 3s
                 unread-silent count=6 unread_bytes=54000 silent=102000..102000ms
                 nothing-read watched=3000..3000ms
                 but watched-too-briefly needed_ms=60000
                 but single-cause-possible
        "#]],
    );
}

/// If there are too many processes to identify at once, those not identified yet may be stopped.
#[test]
fn a_process_that_was_not_identified_is_not_flagged() {
    check(
        "
        0s open a1..a9 every=20s pid=10
        0s receive a1..a9 every=20s bytes=60000
        0s leave-unidentified pid=10
        300s snapshot
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s] nothing
        "#]],
    );
}

/// The age of a connection that was not seen to open comes from a coarse clock.
#[test]
fn a_program_that_connects_as_it_starts_has_inherited_nothing() {
    check(
        "
        0s lose-events
        0s open a1..a6 pid=10
        5ms share a1..a6 pid=11 forked=5ms
        6ms unshare a1..a6 pid=10
        1s deliver-events
        100s snapshot
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s] nothing
        "#]],
    );
}

/// File descriptors that a running process obtains were passed to it: over a Unix socket, or by
/// systemd's file descriptor store.
#[test]
fn connections_that_were_passed_later_are_not_inherited() {
    check(
        "
        0s open a1..a6 pid=10
        1s open b1..b6 pid=10
        2s snapshot
        4s snapshot
        5s share a1..a6 pid=11 forked=3s
        5s unshare a1..a6 pid=10
        6s unshare b1..b6 pid=10
        7s snapshot
        9s snapshot
        9s share b1..b6 pid=12 forked=8s fd=9
        9s reader a1..a6 b1..b6 is=none
        100s snapshot
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s]
              #1 abandoned possible: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 41s, active 1s +0.0/min, reader none
                 silent-without-reader count=6 silent=101000..101000ms
                 no-reader count=6 total=6
                 but single-cause-possible
                 but idle-pool-possible
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest >1m 40s, active 1s, reader none
                 silent-without-reader count=6 silent=100000..100000ms
                 no-reader count=6 total=6
                 but single-cause-possible
                 but idle-pool-possible
        "#]],
    );
}

/// A slow reader continues to read data from a peer that has closed or died in the meantime.
#[test]
fn slow_readers_of_closed_connections_are_not_a_leak() {
    check(
        "
        0s snapshot
        1s open a1..a24 every=5s pid=10
        3s receive a1..a24 bytes=4000000 every=5s
        4s peer-closes a1..a12 every=5s
        64s peer-resets a13..a24 every=5s
        240s snapshot
        241s read a1..a24
        241s receive a1..a24 bytes=1
        242s snapshot
        242s report
        ",
        &expect![[r#"
            [4m 2s]
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, active 2s, retracted, peak possible x12
                 peer-closed count=12 ago=181000..236000ms
                 series occurrence=PeerClosed count=12 span_ms=55000 pause_max_ms=5000 since_last_ms=181000
                 but single-burst-possible
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x12, oldest 2m 59s, active 2s, retracted, peak possible x12
                 dead count=12 dead=121000..176000ms is_lower_bound=false
                 series occurrence=Died count=12 span_ms=55000 pause_max_ms=5000 since_last_ms=121000
                 death-unnoticed count=12
                 but single-burst-possible
        "#]],
    );
}

/// Several kinds of clients in one program, each with a connection that was used at its start.
#[test]
fn half_a_dozen_transports_are_a_design() {
    check(
        "
        0s open a1..a6 every=30s pid=10
        0s send a1..a6 every=30s bytes=100
        0s receive a1..a6 every=30s bytes=500
        0s read a1..a6 every=30s
        200s reader a1..a6 is=goroutine http=idle transport=each
        24h snapshot
        24h report
        ",
        &expect![[r#"
            [1d]
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1d, active 0s, reader goroutine
                 idle-with-reader count=6 idle=86250000..86400000ms
                 separate-transports transports=6
                 opened-while-others-idle count=5 total=6
                 served-at-most-once count=6 total=6
                 ceased occurrence=WentSilent times=6 span_ms=150000 since_last_ms=86250000
        "#]],
    );
}
