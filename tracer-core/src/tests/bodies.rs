//! What the ledger of a Go program adds: which responses are out, and who asked for them.

use expect_test::expect;

use super::{check, check_with};
use crate::Options;

/// The seed of it all: a request every 15 s whose response is never closed.
const FORGOTTEN: &str = "
    0s call-site stack=7 is=main.doSomething,billing.go:23
    0s snapshot
    1s open a1..a9 every=15s pid=10
    1s hand-out a1..a9 every=15s stack=7
    1s send a1..a9 every=15s bytes=100
    2s receive a1..a9 every=15s bytes=200
    2s read a1..a9 every=15s
";

fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
    check(&[FORGOTTEN, rest].concat(), expect);
}

#[test]
fn a_forgotten_response_is_certain_and_has_a_line_of_code() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body request=GET,http://billing/charge
        100s snapshot
        100s report
        300s snapshot
        300s report
        301s changes
        ",
        &expect![[r#"
            [1m 40s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, stood 0s, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 3
                 3 responses requested 1m 9s to 1m 39s ago, neither read to the end nor closed
                 on 3 of 3 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 responses to GET http://billing/charge (3)
                 they were requested at 3 separate times over 30s
                 5 would be telling; so few may be responses that somebody will come back to
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 3m 20s +0.6/min, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 responses to GET http://billing/charge (9)
                 they were requested at 9 separate times over 2m: rising
            1m 40s flagged 0x1 body-not-closed likely at main.doSomething billing.go:23
            1m 40s flagged 0x2 body-not-closed likely at main.doSomething billing.go:23
            1m 40s flagged 0x3 body-not-closed likely at main.doSomething billing.go:23
            5m flagged 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x9 body-not-closed certain at main.doSomething billing.go:23
        "#]],
    );
}

#[test]
fn fewer_than_n_are_likely() {
    check(
        "
        0s call-site stack=7 is=main.get,api.go:9
        0s snapshot
        1s open a1 pid=10
        1s hand-out a1 stack=7
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        60s snapshot
        60s report
        61s snapshot
        61s report
        ",
        &expect![[r#"
            [1m] nothing
            [1m 1s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m, stood 0s, reader none, at main.get api.go:9, responses 1
                 1 response requested 1m ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// A download that was read for a while, and is paused or forgotten.
#[test]
fn a_few_that_were_worked_on_are_only_possible() {
    check(
        "
        0s snapshot
        1s open a1 pid=10
        1s hand-out a1
        1s send a1 bytes=100
        2s snapshot
        3s receive a1 bytes=9000
        3s read a1
        4s snapshot
        5s receive a1 bytes=9000
        5s read a1
        6s snapshot
        7s receive a1 bytes=9000
        7s read a1
        8s snapshot
        8s receive a1 bytes=9000
        9s reader a1 is=none http=body
        67s snapshot
        67s report
        70s snapshot
        70s report
        ",
        &expect![[r#"
            [1m 7s] nothing
            [1m 10s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, stood 0s, reader none, responses 1
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 where they were requested is not known
                 1 of 1 were read for a while and may be paused
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

#[test]
fn what_is_being_read_is_not_forgotten() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body held=yes
        190s receive a1..a9 bytes=5000
        191s snapshot
        191s read a1..a9
        192s snapshot
        192s report
        ",
        &expect![[r#"
            [3m 12s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 3m 10s, stood 1s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9, taken back
                 9 responses requested 1m 10s to 3m 10s ago, neither read to the end nor closed
                 on 9 of 9 a goroutine has the response in hand and may come back to it
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// While it waits for a response, the client itself reads; and with nothing known of readers,
/// nothing has come that could be read or closed.
#[test]
fn a_long_poll_is_nothing() {
    check(
        "
        0s snapshot
        1s open a1..a9 pid=10
        1s open b1..b9 pid=11
        9s hand-out a1..a9 b1..b9 stack=7
        9s send a1..a9 b1..b9 bytes=100
        9s reader a1..a9 is=goroutine http=idle
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s] nothing
        "#]],
    );
}

#[test]
fn a_stream_that_a_goroutine_reads_is_nothing() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=goroutine http=body
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
        "#]],
    );
}

/// Nothing is known of who reads, nothing lies there: a silent stream looks the same.
#[test]
fn an_unknown_reader_is_no_evidence() {
    check_forgotten(
        "
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 who waits to read from 9 of 9 is not known
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// Whoever waited for what lies there would have been woken.
#[test]
fn what_lies_there_is_read_by_nobody_though_readers_are_unknown() {
    check_forgotten(
        "
        200s receive a1..a9 bytes=3000
        250s snapshot
        250s report
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [4m 10s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 9s, stood 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 9s to 4m 9s ago, neither read to the end nor closed
                 who waits to read from 9 of 9 is not known
                 they were requested at 9 separate times over 2m: rising
            [5m]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 50s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 something to read lies on 9 of 9, so nobody waits for it
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

#[test]
fn holders_that_are_not_known_leave_it_likely() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 nobody waits to read from 9 of 9
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// Events go on to come, and are read no more.
#[test]
fn an_abandoned_stream_is_certain() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body request=GET,http://events/
        250s receive a1..a9 bytes=100
        299s receive a1..a9 bytes=100
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, GET http://events/, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 responses to GET http://events/ (9)
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// A proxy whose own clients are slow has every response in hand.
#[test]
fn what_is_held_in_hand_is_only_possible() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body held=yes
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 a goroutine has the response in hand and may come back to it
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

#[test]
fn a_few_in_hand_are_somebodys_work() {
    check(
        "
        0s snapshot
        1s open a1..a4 pid=10
        1s hand-out a1..a4 stack=7
        2s receive a1..a4 bytes=200
        2s read a1..a4
        1s reader a1..a4 is=none http=body held=yes
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
        "#]],
    );
}

/// The fifth that look as if somebody had them in hand, or whose reader changed while it was looked
/// at, are of the same leak.
#[test]
fn a_few_that_are_not_sure_do_not_split_a_leak() {
    check_forgotten(
        "
        1s reader a1..a8 every=15s is=none http=body
        121s reader a9 is=none http=body held=yes
        300s snapshot
        300s report
        301s reader a9
        302s snapshot
        302s report
        303s reader a1..a2 is=none http=body held=yes
        304s snapshot
        304s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 8 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 on 1 of 9 a goroutine has the response in hand and may come back to it
                 they were requested at 9 separate times over 2m: rising
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 2s ~+4.0/min, reader mixed, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 1s to 5m 1s ago, neither read to the end nor closed
                 on 8 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 who waits to read from 1 of 9 is not known
                 they were requested at 9 separate times over 2m: rising
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 33s, stood 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 6 responses requested 3m 18s to 4m 33s ago, neither read to the end nor closed
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 6 separate times over 1m 15s: rising
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 3s, stood 0s ~+1.0/min, reader mixed, at main.doSomething billing.go:23, responses 3
                 3 responses requested 3m 3s to 5m 3s ago, neither read to the end nor closed
                 on 2 of 3 a goroutine has the response in hand and may come back to it
                 who waits to read from 1 of 3 is not known
                 they were requested at 3 separate times over 2m: rising
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// Without a look, what the process itself waits for shows on its other side.
#[test]
fn a_proxy_with_slow_clients_is_only_possible() {
    check_forgotten(
        "
        0s accept b1..b9 pid=10
        150s receive a1..a9 bytes=60000
        150s stall b1..b9 bytes=60000
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 the process itself waits for 9 peers to read: it may be passing data on
                 something to read lies on 9 of 9, so nobody waits for it
                 they were requested at 9 separate times over 2m: rising
              #2 peer-not-reading info: p10[10] inbound :8080 x9, oldest 5m, stood 0s
                 540000 bytes cannot be sent on 9 sockets: the peer has read nothing for 5m
                 the fault is the peer's: look there
        "#]],
    );
}

#[test]
fn what_is_given_back_is_taken_back() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s changes
        302s give-back a1..a9
        302s reader a1..a9 is=goroutine http=idle
        303s snapshot
        303s report
        304s changes
        ",
        &expect![[r#"
            5m flagged 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x9 body-not-closed certain at main.doSomething billing.go:23
            [5m 3s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 3s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9, taken back
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
            5m 3s retracted 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x9 body-not-closed certain at main.doSomething billing.go:23
        "#]],
    );
}

/// Nobody could read the ledger for a while: what it said holds for as long as that is short.
#[test]
fn a_page_that_is_missing_is_not_an_empty_one() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s lose-page pid=10
        302s snapshot
        303s snapshot
        304s snapshot
        304s report
        305s snapshot
        305s report
        306s find-page pid=10
        307s snapshot
        307s report
        ",
        &expect![[r#"
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 3s, stood 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 3s to 5m 3s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
            [5m 5s]
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 4s, stood 0s ~+4.0/min, reader none
                 9 sockets silent for 3m 3s to 5m 3s with a response that was never read to its end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they went silent at 9 separate times over 2m: rising
            [5m 7s]
              #3 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 6s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 6s to 5m 6s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// The page is of before: the descriptor is another connection's now.
#[test]
fn a_descriptor_that_was_used_again_has_no_response() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        1s hand-out a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        70s snapshot
        70s report
        71s lose-page pid=10
        72s close a1
        73s open b1 pid=10 fd=9
        73s send b1 bytes=10
        74s receive b1 bytes=10
        74s read b1
        74s reader b1 is=none
        75s snapshot
        75s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, stood 0s, reader none, responses 1
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
            [1m 15s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, stood 5s, reader none, responses 1, taken back
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// The same where no event tells: whatever dates the new connection, it was not there at the look
/// before.
#[test]
fn a_descriptor_that_was_used_again_unseen_has_no_response() {
    check(
        "
        0s lose
        0s snapshot
        1s open a1 pid=10 fd=9
        1s hand-out a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        2s snapshot
        70s snapshot
        70s report
        71s lose-page pid=10
        72s close a1
        73s open b1 pid=10 fd=9
        74s receive b1 bytes=10
        74s read b1
        74s reader b1 is=none
        75s snapshot
        75s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 9s, stood 0s, reader none, responses 1
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
            [1m 15s] nothing
        "#]],
    );
}

/// The stamps that bound the age of a connection move with every use; the request is older.
#[test]
fn the_bound_of_an_age_does_not_hide_a_response() {
    check(
        "
        0s lose
        0s open a1 pid=10
        1s snapshot
        2s hand-out a1 streams=6 held=5000
        100s send a1 bytes=10
        100s receive a1 bytes=10
        101s read a1
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >3m 20s, stood 0s, responses 6
                 6 streams of HTTP/2 on 1 socket, 30 kB held in the program's memory, and nobody has read them for 1m 39s
                 where they were requested is not known
        "#]],
    );
}

/// It is the process that made the request which answers for it.
#[test]
fn a_ledger_says_nothing_of_what_others_answer_for() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        1s share a1 pid=11 fd=9
        2s receive a1 bytes=10
        2s read a1
        3s reader a1 is=none http=body
        4s hand-out a1
        5s unshare a1 pid=10
        6s share a1 pid=10 fd=9
        100s snapshot
        100s report
        101s unshare a1 pid=10
        102s snapshot
        102s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 abandoned possible: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 39s, stood 0s, reader none
                 1 socket silent for 1m 38s with a response that was never read to its end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 5 would be a leak; so few may be responses that somebody will come back to
            [1m 42s]
              #2 abandoned possible: p11[11] outbound 10.0.0.1:443 x1, oldest 1m 41s, stood 0s, reader none
                 1 socket silent for 1m 40s with a response that was never read to its end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 5 would be a leak; so few may be responses that somebody will come back to
        "#]],
    );
}

#[test]
fn another_program_in_the_process_has_nothing_out() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s exec pid=10
        301s reader a1..a9
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 0s ~+4.0/min
                 9 sockets answered once and never used again, silent for 3m to 5m
                 they went silent at 9 separate times over 2m: rising
                 small responses that nobody reads to their end, and clients made anew for each request, look the same from outside
        "#]],
    );
}

/// Whose fault it is does not change when the peer gives up, or the kernel does.
#[test]
fn it_stays_what_it_is_when_the_peer_closes() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        300s report
        301s peer-closes a1..a9
        302s snapshot
        400s snapshot
        401s peer-resets a1..a4
        402s snapshot
        500s snapshot
        500s report
        501s changes
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
            [8m 20s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 8m 19s, stood 3m 20s +0.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 6m 19s to 8m 19s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
            5m flagged 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x9 body-not-closed certain at main.doSomething billing.go:23
        "#]],
    );
}

/// Nothing is held against a process that cannot act; what was found before stays.
#[test]
fn a_stopped_process_is_not_accused() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        1s stop pid=10
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
        "#]],
    );
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s stop pid=10
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 1s to 5m 1s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// What did not fit is counted, and makes the report incomplete.
#[test]
fn responses_are_bounded() {
    check_with(
        Options { responses_max: 7, ..Options::default() },
        &[
            FORGOTTEN,
            "
            1s reader a1..a9 every=15s is=none http=body
            300s snapshot
            300s report
            301s give-back a1..a3
            302s snapshot
            302s report
            ",
        ]
        .concat(),
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x7, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 7
                 7 responses requested 3m 29s to 4m 59s ago, neither read to the end nor closed
                 on 7 of 7 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 7 separate times over 1m 30s: rising
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x2, oldest 3m 14s, stood 0s, reader none
                 2 sockets silent for 2m 58s to 3m 13s with a response that was never read to its end nor closed
                 on 2 of 2 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they went silent at 2 separate times over 15s
              incomplete
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 16s, stood 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 6 responses requested 3m 1s to 4m 16s ago, neither read to the end nor closed
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they were requested at 6 separate times over 1m 15s: rising
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 1s, stood 2s, reader none
                 3 sockets silent for 4m 30s to 5m with a response that was never read to its end nor closed
                 on 3 of 3 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it in hand
                 they went silent at 3 separate times over 30s
        "#]],
    );
}
