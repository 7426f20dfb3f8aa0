//! How findings and connections change over time.

use expect_test::expect;

use super::{check, check_with};
use crate::Options;

#[test]
fn a_finding_is_retracted_when_its_sockets_close_or_are_used() {
    check(
        "
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s snapshot
        70s snapshot
        70s report
        80s read a1..a2
        81s snapshot
        90s close a3..a6
        91s snapshot
        91s report
        91s changes
        ",
        &expect![[r#"
            [1m 10s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, active 0s
                 unread-silent count=6 unread_bytes=54000 silent=69000..69000ms
                 nothing-read watched=69000..69000ms
                 but single-cause-possible
            [1m 31s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x4, oldest 1m 21s, active 21s, retracted, peak possible x6
                 unread-silent count=4 unread_bytes=36000 silent=80000..80000ms
                 nothing-read watched=80000..80000ms
                 but others-being-read count=2
                 but single-cause-possible
                 but too-little-unread count=4 total=4 unread_min_bytes=4096 count_min=5
            1m 10s flagged 0x1 undrained possible
            1m 10s flagged 0x2 undrained possible
            1m 10s flagged 0x3 undrained possible
            1m 10s flagged 0x4 undrained possible
            1m 10s flagged 0x5 undrained possible
            1m 10s flagged 0x6 undrained possible
            1m 21s retracted 0x1 undrained possible
            1m 21s retracted 0x2 undrained possible
            1m 30s closed 0x3 undrained possible
            1m 30s closed 0x4 undrained possible
            1m 30s closed 0x5 undrained possible
            1m 30s closed 0x6 undrained possible
        "#]],
    );
}

#[test]
fn a_verdict_follows_a_socket_from_one_bad_state_to_the_next() {
    check(
        "
        0s open a1..a12 every=10s pid=10
        1s receive a1..a12 bytes=9000 every=10s
        150s snapshot
        200s snapshot
        200s report
        210s peer-closes a1..a12 every=1s
        230s snapshot
        230s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 20s, active 50s ~+6.0/min
                 unread-silent count=12 unread_bytes=108000 silent=89000..199000ms
                 nothing-read watched=89000..199000ms
                 rising occurrence=WentSilent times=12 span_ms=110000 since_last_ms=89000
            [3m 50s]
              #2 close-wait likely: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 50s, active 0s +0.0/min
                 peer-closed count=12 ago=9000..20000ms
                 series occurrence=PeerClosed count=12 span_ms=11000 pause_max_ms=1000 since_last_ms=9000
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn a_lost_close_is_corrected_by_snapshots_and_never_reported() {
    check(
        "
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s snapshot
        70s snapshot
        71s lose-events
        72s close a1..a6
        73s snapshot
        73s report
        75s snapshot
        75s report
        ",
        &expect![[r#"
            [1m 13s] nothing
            [1m 15s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, active 5s, retracted, peak possible x6
                 unread-silent count=6 unread_bytes=54000 silent=69000..69000ms
                 nothing-read watched=69000..69000ms
                 but single-cause-possible
        "#]],
    );
}

/// A socket in flight between two processes is in no fd table for a short time.
#[test]
fn absence_from_one_snapshot_is_not_a_close() {
    check(
        "
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s snapshot
        70s snapshot
        71s unshare a1..a6 pid=10
        72s snapshot
        72s report
        73s snapshot
        73s report
        73s changes
        ",
        &expect![[r#"
            [1m 12s] nothing
            [1m 13s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, active 3s, retracted, peak possible x6
                 unread-silent count=6 unread_bytes=54000 silent=69000..69000ms
                 nothing-read watched=69000..69000ms
                 but single-cause-possible
            1m 10s flagged 0x1 undrained possible
            1m 10s flagged 0x2 undrained possible
            1m 10s flagged 0x3 undrained possible
            1m 10s flagged 0x4 undrained possible
            1m 10s flagged 0x5 undrained possible
            1m 10s flagged 0x6 undrained possible
            1m 13s closed 0x1 undrained possible
            1m 13s closed 0x2 undrained possible
            1m 13s closed 0x3 undrained possible
            1m 13s closed 0x4 undrained possible
            1m 13s closed 0x5 undrained possible
            1m 13s closed 0x6 undrained possible
        "#]],
    );
}

#[test]
fn a_socket_counts_once_under_its_opener_and_then_under_the_oldest_holder() {
    check_with(
        Options { idle_ms: 1_000, ..Options::default() },
        "
        0s open a1..a5 pid=20
        0s receive a1..a5 bytes=9000
        1s share a1..a5 pid=11
        1s share a1..a5 pid=30
        1s snapshot
        9s snapshot
        9s report
        10s unshare a1..a5 pid=20
        11s snapshot
        11s report
        ",
        &expect![[r#"
            [9s]
              #1 undrained possible: p20[20] outbound 10.0.0.1:443 x5, oldest 9s, active 8s
                 unread-silent count=5 unread_bytes=45000 silent=9000..9000ms
                 nothing-read watched=9000..9000ms
                 but single-cause-possible
            [11s]
              #2 undrained possible: p11[11] outbound 10.0.0.1:443 x5, oldest 11s, active 0s
                 unread-silent count=5 unread_bytes=45000 silent=11000..11000ms
                 nothing-read watched=11000..11000ms
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn a_seeded_age_is_a_lower_bound_and_a_traced_one_is_not() {
    check_with(
        Options { all: true, ..Options::default() },
        "
        0s lose-events
        0s open a1 pid=10
        9s send a1 bytes=1
        9s deliver-events
        10s snapshot
        11s open b1 pid=10
        20s snapshot
        20s report
        ",
        &expect![[r#"
            [20s] nothing
              open outbound 10.0.0.1:443 20s
              open outbound 10.0.0.1:443 9s
        "#]],
    );
}
