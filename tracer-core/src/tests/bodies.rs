//! Findings from the ledger of a Go program: the open responses, and the code that requested
//! them.

use expect_test::expect;

use super::check;

/// The basic case: a request every 15 s, whose response is never closed.
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
                 open-responses count=3 age=69000..99000ms
                 response-unreferenced count=3 total=3
                 requests top=["GET http://billing/charge" count=3 ] others=0
                 separate-times occurrence=Requested times=3 span_ms=30000
                 but too-few-responses count=3 count_min=5
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 3m 20s +0.6/min, reader none, GET http://billing/charge, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 requests top=["GET http://billing/charge" count=9 ] others=0
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
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
fn fewer_than_the_minimum_are_likely() {
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
                 open-responses count=1 age=60000..60000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

/// A download that was read for a while and is paused or forgotten.
#[test]
fn a_few_that_were_read_before_are_only_possible() {
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
            [1m 7s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 6s, active 0s, reader none, responses 1
                 open-responses count=1 age=66000..66000ms
                 response-unreferenced count=1 total=1
                 but pause-possible count=1 total=1
                 but too-few-responses count=1 count_min=5
            [1m 10s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, active 3s, reader none, responses 1
                 open-responses count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but pause-possible count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

#[test]
fn responses_that_are_being_read_are_not_leaked() {
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
                 open-responses count=9 age=70000..190000ms
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=70000
                 but response-referenced count=9 total=9 holder=None
        "#]],
    );
}

/// An upload that continues although the response has begun.
#[test]
fn a_connection_that_is_still_sent_on_is_in_use() {
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

/// While it is waiting for a response, the client itself reads; and if the reader is unknown,
/// nothing was received that could be read or closed.
#[test]
fn a_long_poll_is_no_finding() {
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

/// The list of responses is older than the inspection: by then, the client had finished with the
/// response, and its goroutine was waiting for the next one.
#[test]
fn a_finished_response_is_not_open() {
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
                 rising occurrence=WentSilent times=9 span_ms=120000 since_last_ms=178000
                 but idle-pool-possible
        "#]],
    );
}

#[test]
fn a_stream_that_a_goroutine_reads_is_no_finding() {
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

/// The reader is unknown and no data is pending: a silent stream looks the same.
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
                 open-responses count=9 age=179000..299000ms
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
                 but reader-unknown count=9 total=9
        "#]],
    );
}

/// A reader would have been woken by pending data.
#[test]
fn pending_data_has_no_reader_even_if_readers_are_unknown() {
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
                 open-responses count=9 age=129000..249000ms
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=129000
                 but reader-unknown count=9 total=9
            [5m]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 50s ~+4.0/min, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 data-pending count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
        "#]],
    );
}

/// Data keeps arriving, but is no longer read.
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
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 requests top=["GET http://events/" count=9 ] others=0
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
        "#]],
    );
}
