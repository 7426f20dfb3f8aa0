//! What the ledger of a Go program adds: which responses are out, and who asked for them.

use expect_test::expect;

use super::check;

/// The seed of it all: a request every 15 s whose response is never closed.
pub(super) const FORGOTTEN: &str = "
    0s call-site stack=7 is=main.doSomething,billing.go:23
    0s snapshot
    1s open a1..a9 every=15s pid=10
    1s hand-out a1..a9 every=15s stack=7
    1s send a1..a9 every=15s bytes=100
    2s receive a1..a9 every=15s bytes=200
    2s read a1..a9 every=15s
";

pub(super) fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
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
                 on 3 of 3 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (3)
                 they were requested at 3 separate times over 30s
                 5 would be telling; so few may be responses that somebody will come back to
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 3m 20s +0.6/min, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
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
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
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
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
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
                 on 9 of 9 a goroutine may have the response on its stack and come back to it
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// An upload that goes on although the answer has begun.
#[test]
fn what_is_still_sent_on_is_in_use() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        280s send a1..a9 bytes=100
        281s snapshot
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
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

/// The page is behind: the client has finished with the response, and its goroutine is about to
/// wait for the next one.
#[test]
fn what_the_client_has_finished_with_is_not_out() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=idle
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 abandoned possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23
                 9 sockets silent for 2m 58s to 4m 58s and nobody waits to read from them
                 nobody waits to read from 9 of 9
                 they went silent at 9 separate times over 2m: rising
                 it may be an idle pool of a database or cache driver
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
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
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
                 on 9 of 9 a goroutine may have the response on its stack and come back to it
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
                 on 8 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 on 1 of 9 a goroutine may have the response on its stack and come back to it
                 they were requested at 9 separate times over 2m: rising
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 2s ~+4.0/min, reader mixed, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 1s to 5m 1s ago, neither read to the end nor closed
                 on 8 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 who waits to read from 1 of 9 is not known
                 they were requested at 9 separate times over 2m: rising
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 33s, stood 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 6 responses requested 3m 18s to 4m 33s ago, neither read to the end nor closed
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 6 separate times over 1m 15s: rising
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 3s, stood 0s ~+1.0/min, reader mixed, at main.doSomething billing.go:23, responses 3
                 3 responses requested 3m 3s to 5m 3s ago, neither read to the end nor closed
                 on 2 of 3 a goroutine may have the response on its stack and come back to it
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

/// That nobody has them could not be told, and they came one after the other.
#[test]
fn what_could_not_be_looked_for_is_likely_if_it_gathers() {
    check(
        "
        0s open a1..a12 every=15s pid=10
        1s send a1..a12 every=15s bytes=100
        1s hand-out a1..a12 every=15s stack=7
        1s receive a1..a12 every=15s bytes=200
        2s read a1..a12 every=15s
        0s call-site stack=7 is=main.charge,billing.go:23
        250s reader a1..a12 is=none http=body held=unknown
        300s snapshot
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x12, oldest 5m 1s, stood 1s ~+4.0/min, reader none, at main.charge billing.go:23, responses 12
                 12 responses requested 2m 15s to 5m ago, neither read to the end nor closed
                 on 12 of 12 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 they were requested at 12 separate times over 2m 45s: rising
        "#]],
    );
}
