//! Each slow peer caps one connection of the process that is waiting for it.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::{
    check,
    watched::{check_healthy, check_leaking},
};

/// A proxy with this many clients, which stall for minutes, one after another, and then continue to
/// read.
fn stalled(clients: usize) -> String {
    format!(
        "
        0s accept c1..c{clients} every=3s pid=10
        0s open u1..u{clients} every=3s pid=10
        1s receive c1..c{clients} every=3s bytes=100
        1s read c1..c{clients} every=3s
        1s send u1..u{clients} every=3s bytes=100
        2s receive u1..u{clients} every=3s bytes=300000
        2s stall c1..c{clients} every=3s bytes=90000
        400s send c1..c{clients} every=1s bytes=10
        400s read u1..u{clients} every=1s
        "
    )
}

/// The proxy also opens this many connections whose responses it does not read.
fn leaked(count: usize) -> String {
    format!(
        "
        0s open l1..l{count} every=6s pid=10
        1s send l1..l{count} every=6s bytes=100
        2s receive l1..l{count} every=6s bytes=60000
        "
    )
}

#[test]
fn a_proxy_with_stalled_clients_is_never_flagged() {
    for clients in [1, 5, 12, 40] {
        check_healthy(540, &stalled(clients));
    }
}

/// One of the clients continues to read for a while, others stall later.
#[test]
fn a_client_that_reads_on_does_not_flag_the_others() {
    let timeline = [
        &stalled(10),
        "
        100s send c3 bytes=100
        100s read u3
        101s receive u3 bytes=100000
        150s accept d1..d5 every=4s pid=10
        150s open v1..v5 every=4s pid=10
        151s receive v1..v5 every=4s bytes=300000
        151s stall d1..d5 every=4s bytes=90000
        ",
    ];
    check_healthy(390, &timeline.concat());
}

/// Clients that read a little every 25 s, so the proxy also reads a little every 25 s.
#[test]
fn a_proxy_with_slow_clients_is_never_flagged() {
    let mut timeline = stalled(8);
    for number in 1..16 {
        let at_s = 30 + 25 * number;
        write!(
            timeline,
            "
            {at_s}s send c1..c8 every=1s bytes=10
            {at_s}s read u1..u8 every=1s
            {at_s}s receive u1..u8 every=1s bytes=200000
            {at_s}s stall c1..c8 every=1s bytes=90000
            "
        )
        .unwrap();
    }
    check_healthy(390, &timeline);
}

/// Go's HTTP client is waiting, and no goroutine is found reading: the goroutine that copies is
/// waiting for the slow client.
#[test]
fn confirmed_responses_of_a_proxy_with_stalled_clients_are_never_flagged() {
    let timeline = [&stalled(6), "20s reader u1..u6 is=none http=body"];
    check_healthy(390, &timeline.concat());
}

/// The server has sent everything and closed, and the proxy has read it: it holds data and EOF for
/// the slow client.
#[test]
fn a_proxy_that_still_delivers_what_a_closed_server_sent_is_never_flagged() {
    let rest = "
        20s read u1..u12 every=12s
        22s peer-closes u1..u12 every=12s
        26s read u1..u12 every=12s
        ";
    check_healthy(390, &[&stalled(12), rest].concat());
}

#[test]
fn a_gateway_with_stalled_clients_that_leaks_is_flagged_for_what_it_leaks() {
    for count in [25, 35] {
        let timeline = [stalled(10), leaked(count)].concat();
        check_leaking(390, &timeline, &[&format!("undrained likely x{count}")]);
    }
}

/// After a pause, the gateway reads a little more, and writes it to the clients, which still do not
/// read. What it leaks meanwhile is not what it holds back for them.
#[test]
fn a_gateway_that_keeps_writing_to_stalled_clients_is_flagged_for_what_it_leaks() {
    let timeline = [
        &stalled(10),
        "
        100s read u1..u10
        100s receive u1..u10 bytes=100000
        100s stall c1..c10 bytes=95000
        50s open l1..l25 every=6s pid=10
        51s send l1..l25 every=6s bytes=100
        52s receive l1..l25 every=6s bytes=60000
        ",
    ];
    check_leaking(390, &timeline.concat(), &["undrained likely x25"]);
}

/// A gateway with slow clients, from whose servers it reads a little now and then.
#[test]
fn connections_in_use_are_what_a_process_holds_back_for_slow_clients() {
    let mut timeline = [stalled(6), leaked(25)].concat();
    for number in 0..12 {
        let at_s = 40 + 28 * number;
        write!(
            timeline,
            "
            {at_s}s send c1..c6 every=1s bytes=10
            {at_s}s read u1..u6 every=1s
            {at_s}s receive u1..u6 every=1s bytes=50000
            {at_s}s stall c1..c6 every=1s bytes=90000
            "
        )
        .unwrap();
    }
    check_leaking(390, &timeline, &["undrained likely x25"]);
}

/// The clients stall after the leak was found.
#[test]
fn clients_that_stall_later_do_not_cap_a_leak() {
    let timeline = [
        &leaked(25),
        "
        250s accept c1..c10 every=1s pid=10
        250s open u1..u10 every=1s pid=10
        251s receive u1..u10 every=1s bytes=300000
        251s stall c1..c10 every=1s bytes=90000
        ",
    ];
    check_leaking(390, &timeline.concat(), &["undrained likely x25"]);
}

#[test]
fn confirmed_leaks_beyond_the_slow_clients_are_certain() {
    let timeline =
        [stalled(10), leaked(25), "170s reader u1..u10 l1..l25 is=none http=body".into()];
    check_leaking(390, &timeline.concat(), &["undrained certain x25"]);
}

#[test]
fn a_cap_names_the_peers_that_it_waits_for() {
    let timeline = [
        stalled(5),
        leaked(7),
        "
        100s snapshot
        200s snapshot
        200s report
        "
        .into(),
    ];
    check(
        &timeline.concat(),
        &expect![[r#"
            [3m 20s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 20s, active 1m 40s +0.0/min
                 unread-silent count=12 unread_bytes=1920000 silent=162000..198000ms
                 nothing-read watched=162000..198000ms
                 separate-times occurrence=WentSilent times=5 span_ms=36000
                 but send-blocked connections=5
              #2 peer-not-reading info: p10[10] inbound :8080 x5, oldest 3m 20s, active 1m 40s +0.0/min
                 send-stalled count=5 unsent_bytes=450000 stalled=188000..200000ms
        "#]],
    );
}
