//! What the judge says of typical programs.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::{check, check_with};
use crate::Options;

/// The story of the README: the server closes idle connections, the client never does.
#[test]
fn a_close_wait_leak_is_likely_once_it_rises() {
    check(
        "
        0s snapshot
        1s open a1..a23 every=5s pid=10
        6s peer-closes a1..a23 every=5s
        30s snapshot
        30s report
        240s snapshot
        240s report
        ",
        &expect![[r#"
            [30s] nothing
            [4m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x23, oldest 3m 59s, stood 0s +4.9/min
                 the peer closed 23 sockets 2m 4s to 3m 54s ago and nothing was sent since
                 they were closed at 12 separate times over 1m 50s: rising
                 a pool with a connection for each thread looks the same while it ebbs
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
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x20, oldest 11m, stood 0s
                 the peer closed 20 sockets 1m 39s to 1m 40s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
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
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x3, oldest 3m 20s, stood 0s
                 the peer closed 3 sockets 3m 5s to 3m 11s ago and nothing was sent since
                 they were closed at 2 separate times over 6s
        "#]],
    );
}

#[test]
fn an_end_of_stream_that_was_read_and_not_acted_on_is_likely() {
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
              #1 close-wait possible: p10[10] inbound :8080 x5, oldest 1m 40s, stood 0s +0.0/min
                 the peer closed 5 sockets 1m 38s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 the process was seen to read the end of 5 of 5
                 on 5 of 5 a request was read and nothing was answered yet: the peer may have closed its side only, and wait for the answer
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

/// The tool comes after the leak: no event was seen, and keepalive probes hide the moment of
/// closing, so an audit says what it cannot tell.
#[test]
fn an_audit_of_close_wait_under_keepalive_is_only_possible() {
    check(
        "
        0s lose
        0s open a1..a20 every=5s pid=10
        6s peer-closes a1..a20 every=5s
        200s keepalive a1..a20 every=10ms
        201s snapshot
        201s report
        ",
        &expect![[r#"
            [3m 21s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x20, oldest >3m 21s, stood 0s
                 the peer closed 20 sockets 0s to 3m 21s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 of 20 it cannot be told when the peer closed: keepalive probes hide it
        "#]],
    );
}

#[test]
fn an_audit_reconstructs_the_rise_from_ages() {
    check(
        "
        0s lose
        0s open a1..a20 every=5s pid=10
        6s peer-closes a1..a20 every=5s
        201s snapshot
        201s report
        ",
        &expect![[r#"
            [3m 21s]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x20, oldest >3m 21s, stood 0s ~+13.6/min
                 the peer closed 20 sockets 1m 40s to 3m 21s ago and nothing was sent since
                 they were closed at 7 separate times over 1m 24s: rising
                 a pool with a connection for each thread looks the same while it ebbs
        "#]],
    );
}

#[test]
fn ghosts_that_died_one_by_one_are_certain() {
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
              #2 ghost certain: p11[11] outbound 10.0.0.1:443 x21, oldest 5m, stood 0s ~+6.0/min
                 21 sockets dead for 1m 35s to 4m 55s with the descriptor still open; ss does not show them
                 they died at 21 separate times over 3m 20s: rising
                 the process has not noticed on any of 21: it never looked again
              #1 ghost likely: p10[10] outbound 10.0.0.1:443 x12, oldest 5m, stood 0s ~+6.0/min
                 12 sockets dead for 3m 5s to 4m 55s with the descriptor still open; ss does not show them
                 they died at 12 separate times over 1m 50s: rising
                 the process has not noticed on any of 12: it never looked again
        "#]],
    );
}

#[test]
fn ghosts_whose_error_was_taken_are_certain_and_few_unnoticed_ones_are_a_pool() {
    check(
        "
        0s open a1..a5 pid=10
        0s open b1..b9 pid=11
        5s peer-resets a1..a5
        5s peer-resets b1..b9 every=1ms
        6s read a1..a5
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 ghost certain: p10[10] outbound 10.0.0.1:443 x5, oldest 1m 40s, stood 0s
                 5 sockets dead for 1m 35s with the descriptor still open; ss does not show them
                 they may all have died at one time, as by a restart
                 the process was told on 5 of 5 and closed none
              #2 stale-pool info: p11[11] outbound 10.0.0.1:443 x9, oldest 1m 40s, stood 0s
                 9 sockets dead for 1m 34s to 1m 35s with the descriptor still open; ss does not show them
                 they may all have died at one time, as by a restart
                 the process has not noticed on any of 9: it never looked again
        "#]],
    );
}

#[test]
fn unread_responses_are_undrained_and_small_ones_only_possible() {
    check(
        "
        0s open a1..a6 every=1s pid=10 to=10.0.0.1:443
        0s open b1..b6 every=1s pid=10 to=10.0.0.2:443
        1s receive a1..a6 bytes=8192 every=1s
        1s receive b1..b6 bytes=510 every=1s
        50s snapshot
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 40s, stood 0s
                 49152 bytes lie unread on 6 sockets, and no more came for 1m 34s to 1m 39s
                 nothing was read in the 1m 34s to 1m 39s they were watched
                 they may all have gone silent at one time, as by a restart
              #2 undrained possible: p10[10] outbound 10.0.0.2:443 x6, oldest 1m 40s, stood 0s
                 3060 bytes lie unread on 6 sockets, and no more came for 1m 34s to 1m 39s
                 nothing was read in the 1m 34s to 1m 39s they were watched
                 they may all have gone silent at one time, as by a restart
                 0 of 6 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
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
            [1m 40s] nothing
        "#]],
    );
}

/// A stream that nobody reads never falls silent; that nothing is read was watched.
#[test]
fn an_unread_stream_is_undrained_after_it_was_watched_for_long_enough() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s receive a1..a6 bytes=5000
        3s snapshot
        50s receive a1..a6 bytes=5000
        50s snapshot
        50s report
        65s receive a1..a6 bytes=5000
        66s snapshot
        66s report
        ",
        &expect![[r#"
            [50s] nothing
            [1m 6s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 5s, stood 0s +0.0/min
                 90000 bytes lie unread on 6 sockets, and more still comes
                 nothing was read in the 1m 4s they were watched
        "#]],
    );
}

#[test]
fn accepted_and_never_read() {
    check(
        "
        0s accept a1..a7 pid=10
        1s receive a1..a7 bytes=100
        2s peer-closes a1..a3
        90s snapshot
        90s report
        ",
        &expect![[r#"
            [1m 30s]
              #1 never-read likely: p10[10] inbound :8080 x7, oldest 1m 30s, stood 0s
                 7 sockets accepted, 700 bytes arrived, and not one was ever read for 1m 29s
                 they may all have gone silent at one time, as by a restart
                 the peer has given up on 3 of 7
        "#]],
    );
}

#[test]
fn idle_connections_are_nothing() {
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

#[test]
fn a_count_that_only_rises_is_growing_and_only_possible() {
    let mut minutes = String::new();
    for minute in 0..10 {
        let (at, first, last) = (minute * 40, minute * 5 + 1, minute * 5 + 5);
        writeln!(minutes, "{at}s open a{first}..a{last} pid=10\n{at}s snapshot").unwrap();
    }
    check(
        &format!("{minutes} 360s report"),
        &expect![[r#"
        [6m]
          #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m, stood 2m +7.5/min
             the count rose in 5 of 5 windows, from 20 to 45, and the oldest stay
    "#]],
    );
}

#[test]
fn growth_makes_another_verdict_surer() {
    let mut minutes = String::new();
    for minute in 0..10 {
        let (at, first, last) = (minute * 40, minute * 2 + 1, minute * 2 + 6);
        writeln!(minutes, "{at}s open a{first}..a{last} pid=10").unwrap();
        writeln!(minutes, "{at}s receive a{first}..a{last} bytes=9000\n{at}s snapshot").unwrap();
    }
    check(
        &format!("{minutes} 360s report"),
        &expect![[r#"
            [6m]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x16, oldest 6m, stood 4m 40s +3.0/min
                 144000 bytes lie unread on 16 sockets, and no more came for 1m 20s to 6m
                 nothing was read in the 1m 20s to 6m they were watched
                 they went silent at 8 separate times over 4m 40s: rising
                 the count rose in 5 of 5 windows, from 12 to 22, and the oldest stay
        "#]],
    );
}

#[test]
fn a_finding_is_taken_back_when_its_sockets_close_or_are_used() {
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, stood 0s
                 54000 bytes lie unread on 6 sockets, and no more came for 1m 9s
                 nothing was read in the 1m 9s they were watched
                 they may all have gone silent at one time, as by a restart
            [1m 31s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x4, oldest 1m 21s, stood 21s, taken back
                 36000 bytes lie unread on 4 sockets, and no more came for 1m 20s
                 nothing was read in the 1m 20s they were watched
                 2 sockets to the same peers being read meanwhile: these may have to wait for that
                 they may all have gone silent at one time, as by a restart
                 4 of 4 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
                 it had been up to likely, and of up to 6
            1m 10s flagged 0x1 undrained likely
            1m 10s flagged 0x2 undrained likely
            1m 10s flagged 0x3 undrained likely
            1m 10s flagged 0x4 undrained likely
            1m 10s flagged 0x5 undrained likely
            1m 10s flagged 0x6 undrained likely
            1m 21s retracted 0x1 undrained likely
            1m 21s retracted 0x2 undrained likely
            1m 21s flagged 0x3 undrained possible
            1m 21s flagged 0x4 undrained possible
            1m 21s flagged 0x5 undrained possible
            1m 21s flagged 0x6 undrained possible
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 20s, stood 50s ~+6.0/min
                 108000 bytes lie unread on 12 sockets, and no more came for 1m 29s to 3m 19s
                 nothing was read in the 1m 29s to 3m 19s they were watched
                 they went silent at 12 separate times over 1m 50s: rising
            [3m 50s]
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 50s, stood 0s +0.0/min
                 the peer closed 12 sockets 9s to 20s ago and nothing was sent since
                 they were closed at 2 separate times over 6s
        "#]],
    );
}

#[test]
fn a_lost_close_is_healed_by_snapshots_and_never_reported() {
    check(
        "
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s snapshot
        70s snapshot
        71s lose
        72s close a1..a6
        73s snapshot
        73s report
        75s snapshot
        75s report
        ",
        &expect![[r#"
            [1m 13s] nothing
            [1m 15s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, stood 5s, taken back
                 54000 bytes lie unread on 6 sockets, and no more came for 1m 9s
                 nothing was read in the 1m 9s they were watched
                 they may all have gone silent at one time, as by a restart
        "#]],
    );
}

/// In flight between two processes it is in no descriptor table for a moment.
#[test]
fn absence_from_one_snapshot_is_no_close() {
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 10s, stood 3s, taken back
                 54000 bytes lie unread on 6 sockets, and no more came for 1m 9s
                 nothing was read in the 1m 9s they were watched
                 they may all have gone silent at one time, as by a restart
            1m 10s flagged 0x1 undrained likely
            1m 10s flagged 0x2 undrained likely
            1m 10s flagged 0x3 undrained likely
            1m 10s flagged 0x4 undrained likely
            1m 10s flagged 0x5 undrained likely
            1m 10s flagged 0x6 undrained likely
            1m 13s closed 0x1 undrained likely
            1m 13s closed 0x2 undrained likely
            1m 13s closed 0x3 undrained likely
            1m 13s closed 0x4 undrained likely
            1m 13s closed 0x5 undrained likely
            1m 13s closed 0x6 undrained likely
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
              #1 undrained likely: p20[20] outbound 10.0.0.1:443 x5, oldest 9s, stood 8s
                 45000 bytes lie unread on 5 sockets, and no more came for 9s
                 nothing was read in the 9s they were watched
                 they may all have gone silent at one time, as by a restart
            [11s]
              #2 undrained likely: p11[11] outbound 10.0.0.1:443 x5, oldest 11s, stood 0s
                 45000 bytes lie unread on 5 sockets, and no more came for 11s
                 nothing was read in the 11s they were watched
                 they may all have gone silent at one time, as by a restart
        "#]],
    );
}

#[test]
fn a_seeded_age_is_a_lower_bound_and_a_traced_one_is_not() {
    check_with(
        Options { all: true, ..Options::default() },
        "
        0s lose
        0s open a1 pid=10
        9s send a1 bytes=1
        9s found
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
