//! Forwarders that have forwarded EOF and are waiting for the other side.

use std::{format, string::String};

use expect_test::expect;

use super::{
    check,
    watched::{check_healthy, check_leaking},
};

/// Pairs of connections of a forwarder, used in both directions. Their servers close, one after
/// another at intervals of `every`. The forwarder reads the EOF and forwards it.
fn forwarded(pairs: usize, every: &str) -> String {
    format!(
        "
        0s accept c1..c{pairs} pid=10
        0s open u1..u{pairs} pid=10
        1s receive c1..c{pairs} bytes=100
        1s read c1..c{pairs}
        1s send u1..u{pairs} bytes=100
        1s receive u1..u{pairs} bytes=100
        1s read u1..u{pairs}
        1s send c1..c{pairs} bytes=100
        20s peer-closes u1..u{pairs} every={every}
        23s read u1..u{pairs} every={every}
        21s shutdown c1..c{pairs} every={every}
        "
    )
}

#[test]
fn a_forwarder_that_waits_for_its_clients_is_never_flagged() {
    for (pairs, every) in [(50, "0s"), (50, "6s"), (12, "20s"), (200, "1s")] {
        check_healthy(400, &forwarded(pairs, every));
    }
}

/// Finally the clients close their side, and then the forwarder closes its sockets.
#[test]
fn a_forwarder_that_closes_in_the_end_is_never_flagged() {
    let rest = "
        300s peer-closes c1..c40 every=1s
        301s close c1..c40 every=1s
        301s close u1..u40 every=1s
        ";
    check_healthy(420, &[&forwarded(40, "6s"), rest].concat());
}

/// The server closes, then the client, and the forwarder closes neither socket.
#[test]
fn a_forwarder_that_forgets_both_closed_ends_is_flagged() {
    let timeline = "
        0s accept c1..c25 every=6s pid=10
        0s open u1..u25 every=6s pid=10
        1s receive c1..c25 every=6s bytes=100
        1s read c1..c25 every=6s
        1s send u1..u25 every=6s bytes=100
        2s receive u1..u25 every=6s bytes=100
        2s read u1..u25 every=6s
        2s send c1..c25 every=6s bytes=100
        4s peer-closes u1..u25 every=6s
        5s shutdown c1..c25 every=6s
        7s read u1..u25 every=6s
        8s peer-closes c1..c25 every=6s
        ";
    check_leaking(390, timeline, &["close-wait likely x25", "ghost likely x25"]);
}

/// Both connections were closed by their peers, and the forwarder forwarded nothing.
#[test]
fn a_proxy_that_closes_nothing_is_flagged_for_both_ends() {
    let timeline = "
        0s accept c1..c25 every=6s pid=10
        0s open u1..u25 every=6s pid=10
        1s receive c1..c25 every=6s bytes=100
        1s read c1..c25 every=6s
        1s send u1..u25 every=6s bytes=100
        2s receive u1..u25 every=6s bytes=100
        2s read u1..u25 every=6s
        2s send c1..c25 every=6s bytes=100
        4s peer-closes u1..u25 every=6s
        5s peer-closes c1..c25 every=6s
        ";
    check_leaking(390, timeline, &["close-wait likely x25", "close-wait likely x25"]);
}

/// Ten tunnels are half-closed, and 25 servers closed connections that no longer belong to a
/// client.
#[test]
fn a_leak_alongside_half_closed_connections_is_counted_alone() {
    let timeline = [
        &forwarded(10, "6s"),
        "
        0s open l1..l25 every=6s pid=10
        1s send l1..l25 every=6s bytes=100
        3s peer-closes l1..l25 every=6s
        ",
    ];
    check_leaking(390, &timeline.concat(), &["close-wait likely x25"]);
}

/// The FINs are minutes apart, so the connections are not related.
#[test]
fn other_half_closed_connections_cap_nothing() {
    let timeline = "
        0s accept c1..c25 pid=10
        0s receive c1..c25 bytes=100
        0s read c1..c25
        1s send c1..c25 bytes=100
        2s shutdown c1..c25
        10s open l1..l25 every=6s pid=10
        11s send l1..l25 every=6s bytes=100
        13s peer-closes l1..l25 every=6s
        ";
    check_leaking(390, timeline, &["close-wait likely x25"]);
}

/// All servers of a forwarder are restarted while it leaks, and its clients close one after
/// another. Closing both ends when a client has closed is no return to a connection that was
/// forgotten.
#[test]
fn a_leak_alongside_a_restart_is_counted_alone() {
    for leak_s in [0, 9, 14, 18] {
        let timeline = format!(
            "{}
            60s peer-closes c1..c30 every=7s
            60s close c1..c30 every=7s
            60s close u1..u30 every=7s
            {leak_s}s open l1..l25 every=6s pid=10
            {}s send l1..l25 every=6s bytes=100
            {}s peer-closes l1..l25 every=6s
            ",
            forwarded(30, "0s"),
            leak_s + 1,
            leak_s + 3,
        );
        check_leaking(390, &timeline, &["close-wait likely x25"]);
    }
}

/// Requests that end with EOF and are worked on for 100 s, one every 8 s.
const REQUESTS: &str = "
    0s accept w1..w45 every=8s pid=10
    1s receive w1..w45 every=8s bytes=100
    1s peer-closes w1..w45 every=8s
    2s read w1..w45 every=8s
    101s send w1..w45 every=8s bytes=100
    102s close w1..w45 every=8s
    ";

#[test]
fn a_server_that_works_on_half_closed_requests_is_never_flagged() {
    check_healthy(390, REQUESTS);
}

/// The server forgets others after the response.
#[test]
fn requests_in_progress_are_not_counted_with_those_that_were_forgotten() {
    let forgotten = "
        0s accept l1..l25 every=6s pid=10
        1s receive l1..l25 every=6s bytes=100
        1s peer-closes l1..l25 every=6s
        2s read l1..l25 every=6s
        4s send l1..l25 every=6s bytes=100
        ";
    check_leaking(390, &[REQUESTS, forgotten].concat(), &["close-wait likely x25"]);
}

#[test]
fn tunnels_that_only_get_more_are_shown_as_half_closed() {
    let timeline = [
        &forwarded(60, "10s"),
        "
        12s snapshot
        60s snapshot
        100s snapshot
        140s snapshot
        180s snapshot
        220s snapshot
        260s snapshot
        300s snapshot
        340s snapshot
        380s snapshot
        420s snapshot
        420s report
        ",
    ];
    check(
        &timeline.concat(),
        &expect![[r#"
            [7m]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x35, oldest 7m, active 5m 20s +0.0/min
                 peer-closed count=35 ago=60000..400000ms
                 rising occurrence=PeerClosed times=35 span_ms=340000 since_last_ms=60000
                 eof-received count=35 total=35
                 half-closed-rose windows=5 from=7 to=27
                 but half-closed-peers connections=35
        "#]],
    );
}
