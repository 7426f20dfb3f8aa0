//! Typical leaks and typical healthy programs.

use expect_test::expect;

use super::check;

/// The server closes idle connections, but the client never closes any.
#[test]
fn a_close_wait_leak_is_likely_once_it_rises() {
    check(
        "
        0s snapshot
        1s open a1..a23 every=6s pid=10
        6s peer-closes a1..a23 every=6s
        30s snapshot
        30s report
        240s snapshot
        240s report
        ",
        &expect![[r#"
            [30s] nothing
            [4m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x23, oldest 3m 59s, active 0s +5.1/min
                 peer-closed count=23 ago=102000..234000ms
                 rising occurrence=PeerClosed times=23 span_ms=132000 since_last_ms=102000
                 but thread-pool-possible
        "#]],
    );
}

#[test]
fn a_restart_of_the_server_is_only_possible() {
    check(
        "
        0s snapshot
        1s open a1..a20 pid=10
        600s peer-closes a1..a20 every=1ms
        700s snapshot
        700s report
        ",
        &expect![[r#"
            [11m]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x20, oldest 11m, active 0s
                 peer-closed count=20 ago=99981..100000ms
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn a_few_connections_that_the_server_closed_are_a_stale_pool() {
    check(
        "
        0s open a1..a3 pid=10
        9s peer-closes a1..a3 every=3s
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x3, oldest 3m 20s, active 0s
                 peer-closed count=3 ago=185000..191000ms
                 series occurrence=PeerClosed count=3 span_ms=6000 pause_max_ms=3000 since_last_ms=185000
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn a_server_that_may_still_answer_after_eof_is_only_possible() {
    check(
        "
        0s accept a1..a5 pid=10
        1s receive a1..a5 bytes=100
        1s read a1..a5
        2s peer-closes a1..a5
        2500ms snapshot
        3s read a1..a5
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 close-wait possible: p10[10] inbound :8080 x5, oldest 1m 40s, active 0s +0.0/min
                 peer-closed count=5 ago=98000..98000ms
                 eof-received count=5 total=5
                 but single-cause-possible
                 but half-close-possible count=5 total=5
        "#]],
    );
}

#[test]
fn a_half_closed_connection_on_which_the_process_sends_is_in_use() {
    check(
        "
        0s accept a1..a20 pid=10
        1s peer-closes a1..a20 every=2s
        60s read a1..a20
        95s send a1..a20 bytes=100
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s] nothing
        "#]],
    );
}

/// The run begins after the leak: no event was seen, and keepalive probes hide the close times, so
/// an audit says that they are unknown.
#[test]
fn an_audit_of_close_wait_under_keepalive_is_only_possible() {
    check(
        "
        0s lose-events
        0s open a1..a20 every=6s pid=10
        6s peer-closes a1..a20 every=6s
        200s keepalive a1..a20 every=10ms
        201s snapshot
        201s report
        ",
        &expect![[r#"
            [3m 21s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x20, oldest >3m 21s, active 0s
                 peer-closed count=20 ago=810..201000ms
                 but single-cause-possible
                 but close-time-unknown count=20 total=20
        "#]],
    );
}

#[test]
fn an_audit_reconstructs_the_rise_from_ages() {
    check(
        "
        0s lose-events
        0s open a1..a20 every=6s pid=10
        0s send a1..a20 every=6s bytes=100
        6s peer-closes a1..a20 every=6s
        201s snapshot
        201s report
        ",
        &expect![[r#"
            [3m 21s]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x20, oldest >3m 21s, active 0s ~+10.0/min
                 peer-closed count=20 ago=81000..195000ms
                 rising occurrence=PeerClosed times=20 span_ms=114000 since_last_ms=81000
                 but thread-pool-possible
        "#]],
    );
}

#[test]
fn ghosts_that_died_one_by_one_are_likely() {
    check(
        "
        0s open a1..a12 every=10s pid=10
        0s open b1..b21 every=10s pid=11
        5s peer-resets a1..a12 every=10s
        5s peer-resets b1..b21 every=10s
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #2 ghost likely: p11[11] outbound 10.0.0.1:443 x21, oldest 5m, active 0s ~+6.0/min
                 dead count=21 dead=95000..295000ms is_lower_bound=false
                 rising occurrence=Died times=21 span_ms=200000 since_last_ms=95000
                 death-unnoticed count=21
              #1 ghost likely: p10[10] outbound 10.0.0.1:443 x12, oldest 5m, active 0s ~+6.0/min
                 dead count=12 dead=185000..295000ms is_lower_bound=false
                 rising occurrence=Died times=12 span_ms=110000 since_last_ms=185000
                 death-unnoticed count=12
        "#]],
    );
}

#[test]
fn ghosts_reported_to_the_process_are_likely_and_few_unnoticed_ones_are_a_pool() {
    check(
        "
        0s open a1..a5 every=20s pid=10
        0s open b1..b9 pid=11
        5s peer-resets a1..a5 every=20s
        5s peer-resets b1..b9 every=1ms
        6s read a1..a5 every=20s
        180s snapshot
        180s report
        ",
        &expect![[r#"
            [3m]
              #1 ghost likely: p10[10] outbound 10.0.0.1:443 x5, oldest 3m, active 0s ~+3.0/min
                 dead count=5 dead=95000..175000ms is_lower_bound=false
                 rising occurrence=Died times=5 span_ms=80000 since_last_ms=95000
                 death-reported count=5 total=5
              #2 stale-pool info: p11[11] outbound 10.0.0.1:443 x9, oldest 3m, active 0s
                 dead count=9 dead=174992..175000ms is_lower_bound=false
                 death-unnoticed count=9
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn unread_responses_are_undrained_and_small_ones_only_possible() {
    check(
        "
        0s open a1..a6 every=15s pid=10 to=10.0.0.1:443
        0s open b1..b6 every=15s pid=10 to=10.0.0.2:443
        1s receive a1..a6 bytes=8192 every=15s
        1s receive b1..b6 bytes=510 every=15s
        90s snapshot
        150s snapshot
        150s report
        ",
        &expect![[r#"
            [2m 30s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 2m 30s, active 1m +0.0/min
                 unread-silent count=6 unread_bytes=49152 silent=74000..149000ms
                 nothing-read watched=74000..149000ms
                 rising occurrence=WentSilent times=6 span_ms=75000 since_last_ms=74000
              #2 undrained possible: p10[10] outbound 10.0.0.2:443 x6, oldest 2m 30s, active 1m +0.0/min
                 unread-silent count=6 unread_bytes=3060 silent=74000..149000ms
                 nothing-read watched=74000..149000ms
                 rising occurrence=WentSilent times=6 span_ms=75000 since_last_ms=74000
                 but too-little-unread count=0 total=6 unread_min_bytes=4096 count_min=5
        "#]],
    );
}

#[test]
fn a_slow_reader_and_a_stopped_process_are_not_undrained() {
    check(
        "
        0s open a1..a6 pid=10
        0s open b1..b6 pid=11
        1s receive a1..a6 bytes=100000
        1s receive b1..b6 bytes=100000
        2s stop pid=11
        50s snapshot
        60s read a1..a6
        60s receive a1..a6 bytes=100000
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 40s, active 0s
                 unread-silent count=6 unread_bytes=600000 silent=99000..99000ms
                 nothing-read watched=99000..99000ms
                 but single-cause-possible
                 but process-stopped
              incomplete
        "#]],
    );
}

/// An unread stream never goes silent, but the run observed that nothing is read.
#[test]
fn an_unread_stream_is_undrained_after_it_was_watched_for_long_enough() {
    check(
        "
        0s snapshot
        1s open a1..a6 every=15s pid=10
        2s receive a1..a6 every=15s bytes=5000
        3s snapshot
        20s snapshot
        40s snapshot
        60s snapshot
        78s snapshot
        90s receive a1..a6 bytes=5000
        91s snapshot
        91s report
        135s receive a1..a6 bytes=5000
        140s snapshot
        140s report
        ",
        &expect![[r#"
            [1m 31s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x2, oldest 1m 30s, active 13s
                 unread-growing count=2 unread_bytes=20000
                 nothing-read watched=74000..89000ms
                 but too-little-unread count=2 total=2 unread_min_bytes=4096 count_min=5
            [2m 20s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 2m 19s, active 1m 2s +0.0/min
                 unread-growing count=6 unread_bytes=90000
                 nothing-read watched=63000..138000ms
        "#]],
    );
}

#[test]
fn accepted_and_never_read() {
    check(
        "
        0s accept a1..a7 every=15s pid=10
        1s receive a1..a7 every=15s bytes=100
        2s peer-closes a1..a3 every=15s
        180s snapshot
        180s report
        ",
        &expect![[r#"
            [3m]
              #1 never-read likely: p10[10] inbound :8080 x7, oldest 3m, active 0s ~+4.0/min
                 never-read count=7 received_bytes=700 waiting=89000..179000ms
                 rising occurrence=WentSilent times=7 span_ms=90000 since_last_ms=89000
                 peer-gave-up count=3 total=7
        "#]],
    );
}

#[test]
fn idle_connections_are_no_finding() {
    check(
        "
        0s open a1..a50 pid=10
        0s accept b1..b50 pid=10
        1s send a1..a50 bytes=100
        1s receive a1..a50 bytes=100
        1s read a1..a50
        9h snapshot
        9h report
        ",
        &expect![[r#"
            [9h] nothing
        "#]],
    );
}
