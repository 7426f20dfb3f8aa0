//! Connections to the same port of many addresses.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::check;

/// One connection to each of 60 addresses, one every six seconds, on which one small response came;
/// then what is said.
fn one_each(rest: &str, expect: &expect_test::Expect) {
    let mut timeline = String::from("0s snapshot\n");
    for number in 1..=60 {
        let at = number * 6;
        writeln!(timeline, "{at}s open a{number} pid=10 to=10.0.1.{number}:443").unwrap();
        writeln!(timeline, "{at}s send a{number} bytes=100").unwrap();
        writeln!(timeline, "{at}s receive a{number} bytes=200").unwrap();
        writeln!(timeline, "{at}s read a{number}").unwrap();
    }
    check(&format!("{timeline}{rest}"), expect);
}

#[test]
fn a_leak_of_one_response_at_each_of_many_addresses_is_one_leak() {
    one_each(
        "
        399s reader a1..a60 is=none http=body request=GET,http://billing/charge
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, stood 0s ~+10.0/min, reader none, GET http://billing/charge
                 60 sockets silent for 2m 20s to 8m 14s with a response that was never read to its end nor closed
                 on 60 of 60 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (60)
                 they went silent at 60 separate times over 5m 54s: rising
                 they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 57 others
        "#]],
    );
}

/// Where in the code is known too, and one address has more than the others.
#[test]
fn a_leak_to_many_addresses_is_judged_by_call_site() {
    one_each(
        "
        361s open b1..b3 pid=10 to=10.0.1.7:443
        361s hand-out a1..a50 b1..b3 stack=7
        361s hand-out a51..a60 stack=8
        361s send a1..a60 b1..b3 bytes=100
        362s receive a1..a60 b1..b3 bytes=200
        363s read a1..a60 b1..b3
        0s call-site stack=7 is=main.get,api.go:23
        0s call-site stack=8 is=main.put,api.go:42
        399s reader a1..a60 b1..b3 is=none http=body
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 body-not-closed certain: p10[10] outbound 50 addresses :443 x53, oldest 8m 14s, stood 0s, reader none, at main.get api.go:23, responses 53
                 53 responses requested 2m 19s ago, neither read to the end nor closed
                 on 53 of 53 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they go to 10.0.1.7:443 (4), 10.0.1.1:443 (1), 10.0.1.2:443 (1), and 47 others
              #2 body-not-closed certain: p10[10] outbound 10 addresses :443 x10, oldest 3m 14s, stood 0s, reader none, at main.put api.go:42, responses 10
                 10 responses requested 2m 19s ago, neither read to the end nor closed
                 on 10 of 10 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they go to 10.0.1.51:443 (1), 10.0.1.52:443 (1), 10.0.1.53:443 (1), and 7 others
        "#]],
    );
}

/// A crawler that keeps its connections, or a client with one connection for each endpoint.
#[test]
fn idle_connections_to_many_addresses_are_nothing() {
    one_each(
        "
        399s reader a1..a60 is=goroutine http=idle transport=each
        900s snapshot
        900s report
        901s reader a1..a60 is=none
        960s snapshot
        960s report
        ",
        &expect![[r#"
            [15m] nothing
            [16m] nothing
        "#]],
    );
}

/// A session that visited many hosts, each of which closed its connection: nobody has told it.
#[test]
fn one_stale_connection_to_each_of_many_hosts_is_only_possible() {
    one_each(
        "
        10s peer-closes a1..a60 every=6s
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 close-wait possible: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, stood 0s ~+10.0/min
                 the peer closed 60 sockets 2m 16s to 8m 10s ago and nothing was sent since
                 they were closed at 60 separate times over 5m 54s: rising
                 they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 57 others
        "#]],
    );
}

/// The process read the end on each and closed none.
#[test]
fn ends_that_were_read_and_not_acted_on_at_many_addresses_are_likely() {
    one_each(
        "
        400s peer-closes a1..a60
        400s snapshot
        401s read a1..a60
        402s snapshot
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 close-wait likely: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, stood 0s +0.0/min
                 the peer closed 60 sockets 1m 40s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 the process was seen to read the end of 60 of 60
                 they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 57 others
        "#]],
    );
}

#[test]
fn dead_connections_to_many_addresses_are_only_possible_unless_the_process_was_told() {
    one_each(
        "
        10s peer-resets a1..a60 every=6s
        500s snapshot
        500s report
        501s read a1..a20
        510s snapshot
        510s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 ghost possible: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, stood 0s ~+10.0/min
                 60 sockets dead for 2m 16s to 8m 10s with the descriptor still open; ss does not show them
                 they died at 60 separate times over 5m 54s: rising
                 the process has not noticed on any of 60: it never looked again
                 they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 57 others
            [8m 30s]
              #1 ghost certain: p10[10] outbound 60 addresses :443 x60, oldest 8m 24s, stood 10s ~+10.0/min
                 60 sockets dead for 2m 26s to 8m 20s with the descriptor still open; ss does not show them
                 they died at 60 separate times over 5m 54s: rising
                 the process was told on 20 of 60 and closed none
                 they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 57 others
        "#]],
    );
}

/// Enough to one address stand for themselves; of the rest there are too few.
#[test]
fn what_is_enough_of_one_address_stands_alone() {
    check(
        "
        0s snapshot
        1s open a1..a12 every=10s pid=10 to=10.0.0.1:443
        1s open b1 pid=10 to=10.0.0.2:443
        1s open c1..c2 pid=10 to=10.0.0.3:443
        2s receive a1..a12 every=10s bytes=60000
        2s receive b1 c1..c2 bytes=60000
        130s snapshot
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 4m 59s, stood 2m 50s +0.0/min
                 720000 bytes lie unread on 12 sockets, and no more came for 3m 8s to 4m 58s
                 nothing was read in the 3m 8s to 4m 58s they were watched
                 they went silent at 12 separate times over 1m 50s: rising
              #3 undrained possible: p10[10] outbound 10.0.0.3:443 x2, oldest 4m 59s, stood 2m 50s
                 120000 bytes lie unread on 2 sockets, and no more came for 4m 58s
                 nothing was read in the 4m 58s they were watched
                 they may all have gone silent at one time, as by a restart
                 2 of 2 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
              #2 undrained possible: p10[10] outbound 10.0.0.2:443 x1, oldest 4m 59s, stood 2m 50s
                 60000 bytes lie unread on 1 socket, and no more came for 4m 58s
                 nothing was read in the 4m 58s they were watched
                 1 of 1 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
        "#]],
    );
}

/// A leak that goes on while it is watched grows, whatever one look could tell.
#[test]
fn stale_connections_to_ever_more_hosts_are_likely_as_they_grow() {
    let mut timeline = String::from("0s snapshot\n");
    for number in 1..=80 {
        let at = number * 6;
        writeln!(timeline, "{at}s open a{number} pid=10 to=10.0.1.{number}:443").unwrap();
        writeln!(timeline, "{}s peer-closes a{number}\n{}s snapshot", at + 3, at + 4).unwrap();
    }
    check(
        &format!("{timeline}\n485s report"),
        &expect![[r#"
        [8m 4s]
          #1 close-wait likely: p10[10] outbound 70 addresses :443 x70, oldest 7m 58s, stood 6m 54s +10.0/min
             the peer closed 70 sockets 1m 1s to 7m 55s ago and nothing was sent since
             they were closed at 70 separate times over 6m 54s: rising
             the count rose in 5 of 5 windows, from 41 to 71, and the oldest stay
             they go to 10.0.1.1:443 (1), 10.0.1.2:443 (1), 10.0.1.3:443 (1), and 67 others
    "#]],
    );
}

/// What was too little of each is found with the next ones, and is the same finding.
#[test]
fn a_finding_of_one_address_goes_on_as_one_of_many() {
    check(
        "
        0s snapshot
        1s open a1..a3 pid=10 to=10.0.0.1:443
        2s receive a1..a3 bytes=60000
        3s snapshot
        100s snapshot
        100s report
        100s open b1..b3 pid=10 to=10.0.0.2:443
        101s receive b1..b3 bytes=60000
        102s snapshot
        200s snapshot
        200s report
        200s changes
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, stood 0s
                 180000 bytes lie unread on 3 sockets, and no more came for 1m 38s
                 nothing was read in the 1m 38s they were watched
                 they may all have gone silent at one time, as by a restart
                 3 of 3 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
            [3m 20s]
              #1 undrained likely: p10[10] outbound 2 addresses :443 x6, oldest 3m 19s, stood 1m 40s +0.0/min
                 360000 bytes lie unread on 6 sockets, and no more came for 1m 39s to 3m 18s
                 nothing was read in the 1m 39s to 3m 18s they were watched
                 they went silent at 2 separate times over 1m 39s
                 they go to 10.0.0.1:443 (3), 10.0.0.2:443 (3)
            1m 40s flagged 0x1 undrained possible
            1m 40s flagged 0x2 undrained possible
            1m 40s flagged 0x3 undrained possible
            3m 20s flagged 0x1 undrained likely
            3m 20s flagged 0x2 undrained likely
            3m 20s flagged 0x3 undrained likely
            3m 20s flagged 0x4 undrained likely
            3m 20s flagged 0x5 undrained likely
            3m 20s flagged 0x6 undrained likely
        "#]],
    );
}
