//! What the ledger of a Go program adds: which responses are out, and who asked for them.

use expect_test::expect;

use super::check;

/// The seed of it all: a request every 15 s whose response is never closed.
pub(super) const FORGOTTEN: &str = "
    0s call-site stack=7 is=main.doSomething,billing.go:23
    0s snapshot
    1s open a1..a9 every=15s pid=10
    1s start-response a1..a9 every=15s stack=7
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 3
                 responses-in-flight count=3 age=69000..99000ms
                 response-unreferenced count=3 total=3
                 requests top=["GET http://billing/charge" count=3 ] others=0
                 separate-times event=Requested times=3 span_ms=30000
                 but too-few-responses count=3 count_min=5
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 3m 20s +0.6/min, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 requests top=["GET http://billing/charge" count=9 ] others=0
                 rising event=Requested times=9 span_ms=120000
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
        1s start-response a1 stack=7
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m, active 0s, reader none, at main.get api.go:9, responses 1
                 responses-in-flight count=1 age=60000..60000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
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
        1s start-response a1
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
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, active 0s, reader none, responses 1
                 responses-in-flight count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but pause-possible count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

#[test]
fn what_is_being_read_is_not_forgotten() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body referenced=yes
        190s receive a1..a9 bytes=5000
        191s snapshot
        191s read a1..a9
        192s snapshot
        192s report
        ",
        &expect![[r#"
            [3m 12s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 3m 10s, active 1s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9, retracted, peak possible x9
                 responses-in-flight count=9 age=70000..190000ms
                 rising event=Requested times=9 span_ms=120000
                 but response-referenced count=9 total=9
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
        9s start-response a1..a9 b1..b9 stack=7
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
              #1 abandoned possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23
                 silent-without-reader count=9 silent=178000..298000ms
                 no-reader count=9 total=9
                 rising event=WentSilent times=9 span_ms=120000
                 but idle-pool-possible
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
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 rising event=Requested times=9 span_ms=120000
                 but reader-unknown count=9 total=9
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
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 9s, active 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=129000..249000ms
                 rising event=Requested times=9 span_ms=120000
                 but reader-unknown count=9 total=9
            [5m]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 50s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 data-pending count=9 total=9
                 rising event=Requested times=9 span_ms=120000
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 no-reader count=9 total=9
                 rising event=Requested times=9 span_ms=120000
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
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, GET http://events/, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 requests top=["GET http://events/" count=9 ] others=0
                 rising event=Requested times=9 span_ms=120000
        "#]],
    );
}

/// A proxy whose own clients are slow has every response in hand.
#[test]
fn what_is_held_in_hand_is_only_possible() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body referenced=yes
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 rising event=Requested times=9 span_ms=120000
                 but response-referenced count=9 total=9
        "#]],
    );
}

#[test]
fn a_few_in_hand_are_somebodys_work() {
    check(
        "
        0s snapshot
        1s open a1..a4 pid=10
        1s start-response a1..a4 stack=7
        2s receive a1..a4 bytes=200
        2s read a1..a4
        1s reader a1..a4 is=none http=body referenced=yes
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
        121s reader a9 is=none http=body referenced=yes
        300s snapshot
        300s report
        301s reader a9
        302s snapshot
        302s report
        303s reader a1..a2 is=none http=body referenced=yes
        304s snapshot
        304s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 response-unreferenced count=8 total=9
                 rising event=Requested times=9 span_ms=120000
                 but response-referenced count=1 total=9
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, active 2s ~+4.0/min, reader mixed, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=181000..301000ms
                 response-unreferenced count=8 total=9
                 rising event=Requested times=9 span_ms=120000
                 but reader-unknown count=1 total=9
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 33s, active 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 responses-in-flight count=6 age=198000..273000ms
                 response-unreferenced count=6 total=6
                 rising event=Requested times=6 span_ms=75000
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 3s, active 0s ~+1.0/min, reader mixed, at main.doSomething billing.go:23, responses 3
                 responses-in-flight count=3 age=183000..303000ms
                 rising event=Requested times=3 span_ms=120000
                 but response-referenced count=2 total=3
                 but reader-unknown count=1 total=3
                 but too-few-responses count=3 count_min=5
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
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 responses-in-flight count=9 age=179000..299000ms
                 data-pending count=9 total=9
                 rising event=Requested times=9 span_ms=120000
                 but send-blocked connections=9
              #2 peer-not-reading info: p10[10] inbound :8080 x9, oldest 5m, active 0s
                 send-stalled count=9 unsent_bytes=540000 stalled=300000..300000ms
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
        1s start-response a1..a12 every=15s stack=7
        1s receive a1..a12 every=15s bytes=200
        2s read a1..a12 every=15s
        0s call-site stack=7 is=main.charge,billing.go:23
        250s reader a1..a12 is=none http=body referenced=unknown
        300s snapshot
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x12, oldest 5m 1s, active 1s ~+4.0/min, reader none, at main.charge billing.go:23, responses 12
                 responses-in-flight count=12 age=135000..300000ms
                 rising event=Requested times=12 span_ms=165000
                 but scan-incomplete count=12 total=12
        "#]],
    );
}
