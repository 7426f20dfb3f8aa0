//! Open responses that goroutines reference or may reference.

use expect_test::expect;

use super::{bodies::check_forgotten, check};

#[test]
fn unknown_references_leave_it_likely() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 no-reader count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
        "#]],
    );
}

/// A proxy with slow clients references every response.
#[test]
fn referenced_responses_are_only_possible() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body referenced=yes
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
                 but response-referenced count=9 total=9 holder=None
        "#]],
    );
}

#[test]
fn a_few_referenced_responses_are_no_finding() {
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

/// Up to a fifth of the responses may seem referenced, or have a reader that changed during the
/// inspection: they belong to the same leak.
#[test]
fn a_few_unsure_responses_do_not_split_a_leak() {
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
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=8 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
                 but response-referenced count=1 total=9 holder=None
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, active 2s ~+4.0/min, reader mixed, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=181000..301000ms
                 response-unreferenced count=8 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=181000
                 but reader-unknown count=1 total=9
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 33s, active 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 open-responses count=6 age=198000..273000ms
                 response-unreferenced count=6 total=6
                 rising occurrence=Requested times=6 span_ms=75000 since_last_ms=198000
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 3s, active 0s ~+1.0/min, reader mixed, at main.doSomething billing.go:23, responses 3
                 open-responses count=3 age=183000..303000ms
                 rising occurrence=Requested times=3 span_ms=120000 since_last_ms=183000
                 but response-referenced count=2 total=3 holder=None
                 but reader-unknown count=1 total=3
                 but too-few-responses count=3 count_min=5
        "#]],
    );
}

/// Without an inspection, the connections to the clients show what the proxy is waiting for.
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
                 open-responses count=9 age=179000..299000ms
                 data-pending count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
                 but send-blocked connections=9
              #2 peer-not-reading info: p10[10] inbound :8080 x9, oldest 5m, active 0s
                 send-stalled count=9 unsent_bytes=540000 stalled=300000..300000ms
        "#]],
    );
}

/// The scan was incomplete, and the responses were requested one after another.
#[test]
fn responses_of_an_incomplete_scan_are_likely_if_they_accumulate() {
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
                 open-responses count=12 age=135000..300000ms
                 rising occurrence=Requested times=12 span_ms=165000 since_last_ms=135000
                 but scan-incomplete count=12 total=12
        "#]],
    );
}
