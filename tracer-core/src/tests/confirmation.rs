//! Leaked responses that a heap search confirms.

use expect_test::expect;

use super::{check, readers::check_forgotten};

#[test]
fn a_large_response_is_confirmed_too() {
    check_forgotten(
        "
        0s receive a1..a25 every=15s bytes=60000
        399s reader a1..a25 is=none http=body request=GET,http://files/big
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none, GET http://files/big
                 unread-silent count=25 unread_bytes=1500000 silent=140000..500000ms
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
                 response-unreferenced count=25 total=25
                 requests top=["GET http://files/big" count=25 ] others=0
        "#]],
    );
}

#[test]
fn confirmation_makes_dead_connections_certain() {
    check_forgotten(
        "
        399s reader a1..a20 is=none http=body request=GET,http://billing/charge
        399s reader a21..a25 is=none http=body request=GET,http://billing/refund
        400s keepalive a1..a25
        400s peer-closes a1..a12
        400s peer-resets a13..a25
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 ghost certain: p10[10] outbound 10.0.0.1:443 x13, oldest 5m 20s, active 0s, reader none
                 dead count=13 dead=100000..100000ms is_lower_bound=false
                 death-unnoticed count=13
                 response-unreferenced count=13 total=13
                 requests top=["GET http://billing/charge" count=8 "GET http://billing/refund" count=5 ] others=0
              #2 close-wait certain: p10[10] outbound 10.0.0.1:443 x12, oldest 8m 20s, active 0s, reader none, GET http://billing/charge
                 peer-closed count=12 ago=100000..100000ms
                 response-unreferenced count=12 total=12
                 requests top=["GET http://billing/charge" count=12 ] others=0
        "#]],
    );
}

/// A stack slot keeps a reference until it is overwritten, usually to the latest response.
#[test]
fn a_stale_stack_slot_does_not_hide_a_leak() {
    check_forgotten(
        "
        399s reader a1..a24 is=none http=body request=GET,http://billing/charge
        399s reader a25 is=none http=body referenced=yes request=GET,http://billing/charge
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none, GET http://billing/charge
                 response-silent count=25 silent=140000..500000ms
                 response-unreferenced count=24 total=25
                 requests top=["GET http://billing/charge" count=25 ] others=0
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
                 but response-referenced count=1 total=25 holder=None
        "#]],
    );
}

/// Some responses are leaked, and just as many are being forwarded to slow clients.
#[test]
fn a_leak_among_referenced_responses_is_counted_alone() {
    check_forgotten(
        "
        399s reader a1..a12 is=none http=body request=GET,http://billing/charge
        399s reader a13..a25 is=none http=body referenced=yes request=GET,http://files/big
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x12, oldest 8m 20s, active 0s ~+4.0/min, reader none, GET http://billing/charge
                 response-silent count=12 silent=335000..500000ms
                 response-unreferenced count=12 total=12
                 requests top=["GET http://billing/charge" count=12 ] others=0
                 rising occurrence=WentSilent times=12 span_ms=165000 since_last_ms=335000
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x13, oldest 5m 20s, active 0s ~+4.0/min, reader none, GET http://files/big
                 silent-without-reader count=13 silent=140000..320000ms
                 requests top=["GET http://files/big" count=13 ] others=0
                 rising occurrence=WentSilent times=13 span_ms=180000 since_last_ms=140000
                 but response-referenced count=13 total=13 holder=None
        "#]],
    );
}

/// Unread data keeps arriving, so the connection is never silent.
#[test]
fn an_unread_stream_is_confirmed_in_an_audit() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body request=GET,http://events/
        450s receive a1..a25 bytes=100
        499s receive a1..a25 bytes=100
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s, reader none, GET http://events/
                 unread-growing count=25 unread_bytes=5000
                 response-unreferenced count=25 total=25
                 requests top=["GET http://events/" count=25 ] others=0
        "#]],
    );
}

/// A leak whose connections are in three states is confirmed as one.
#[test]
fn a_leak_in_several_states_is_confirmed_as_a_whole() {
    check(
        "
        0s snapshot
        1s open a1..a12 every=6s pid=10
        1s send a1..a12 bytes=10 every=6s
        2s receive a1..a8 bytes=60000 every=6s
        90s peer-closes a5..a8
        200s reader a1..a12 is=none http=body request=GET,http://billing/charge
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 close-wait certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 35s, active 0s, reader none, GET http://billing/charge
                 peer-closed count=4 ago=210000..210000ms
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
                 same-destination count=12
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 11s, active 0s, reader none, GET http://billing/charge
                 response-silent count=4 silent=233000..251000ms
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
                 same-destination count=12
                 separate-times occurrence=WentSilent times=4 span_ms=18000
              #3 undrained certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 59s, active 0s, reader none, GET http://billing/charge
                 unread-silent count=4 unread_bytes=240000 silent=280000..298000ms
                 separate-times occurrence=WentSilent times=4 span_ms=18000
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
                 same-destination count=12
        "#]],
    );
}

/// The finding is the same, whether or not a stale stack slot references one of its responses.
#[test]
fn a_stale_stack_slot_makes_no_new_finding() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body
        500s snapshot
        510s reader a1 is=none http=body referenced=yes
        511s snapshot
        511s report
        ",
        &expect![[r#"
            [8m 31s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 31s, active 11s ~+4.0/min, reader none
                 response-silent count=25 silent=151000..511000ms
                 response-unreferenced count=24 total=25
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=151000
                 but response-referenced count=1 total=25 holder=None
        "#]],
    );
}
