//! What a look into the process adds to what the kernel shows.

use expect_test::expect;

use super::check;

/// Twenty-five requests, four a minute, and nothing unread: what an audit sees of a Go program that
/// forgets the bodies of small responses.
const FORGOTTEN: &str = "
    0s open a1..a25 every=15s pid=10
    0s send a1..a25 every=15s bytes=100
    0s receive a1..a25 every=15s bytes=200
    0s read a1..a25 every=15s
";

fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
    check(&[FORGOTTEN, rest].concat(), expect);
}

#[test]
fn a_forgotten_response_is_proved_by_its_read_loop() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body request=GET,http://billing/charge
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none, GET http://billing/charge
                 response-silent count=25 silent=140000..500000ms
                 response-unreferenced count=25 total=25
                 requests top=["GET http://billing/charge" count=25 ] others=0
                 rising event=WentSilent times=25 span_ms=360000
        "#]],
    );
}

/// The same connections, and the kernel shows the same of them.
#[test]
fn a_shared_pool_is_nothing() {
    check_forgotten(
        "
        399s reader a1..a25 is=goroutine http=idle transport=1
        900s snapshot
        900s report
        ",
        &expect![[r#"
            [15m] nothing
        "#]],
    );
}

#[test]
fn without_a_look_it_cannot_be_told() {
    check_forgotten(
        "
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min
                 served-once count=25 silent=140000..500000ms
                 rising event=WentSilent times=25 span_ms=360000
                 but cause-ambiguous
        "#]],
    );
}

#[test]
fn a_client_for_each_request_is_an_unshared_pool() {
    check_forgotten(
        "
        399s reader a1..a25 is=goroutine http=idle transport=each
        700s snapshot
        700s report
        ",
        &expect![[r#"
            [11m]
              #1 unshared-pool certain: p10[10] outbound 10.0.0.1:443 x25, oldest 11m, active 0s ~+4.0/min, reader goroutine
                 idle-with-reader count=25 idle=340000..700000ms
                 separate-transports transports=25
                 opened-while-others-idle count=24 total=25
                 served-at-most-once count=25 total=25
                 rising event=WentSilent times=25 span_ms=360000
        "#]],
    );
}

/// One transport for each of many tenants, used again and again.
#[test]
fn several_clients_that_are_used_again_are_a_design() {
    check_forgotten(
        "
        399s reader a1..a25 is=goroutine http=idle transport=each
        390s send a1..a25 every=1s bytes=100
        391s send a1..a25 every=1s bytes=100
        392s send a1..a25 every=1s bytes=100
        393s send a1..a25 every=1s bytes=100
        900s snapshot
        900s report
        ",
        &expect![[r#"
            [15m]
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x25, oldest 15m, active 0s ~+4.0/min, reader goroutine
                 idle-with-reader count=25 idle=483000..507000ms
                 separate-transports transports=25
                 served-at-most-once count=0 total=25
                 rising event=WentSilent times=25 span_ms=360000
        "#]],
    );
}

#[test]
fn elsewhere_silent_streams_look_like_an_unshared_pool() {
    check(
        "
        0s snapshot
        0s open a1..a25 every=15s pid=10
        0s send a1..a25 every=15s bytes=100
        0s receive a1..a25 every=15s bytes=200
        0s read a1..a25 every=15s
        399s reader a1..a25 is=epoll
        700s snapshot
        700s report
        ",
        &expect![[r#"
            [11m]
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x25, oldest 11m, active 0s ~+4.0/min, reader epoll
                 idle-with-reader count=25 idle=340000..700000ms
                 opened-while-others-idle count=24 total=25
                 served-at-most-once count=25 total=25
                 rising event=WentSilent times=25 span_ms=360000
                 but stream-possible
        "#]],
    );
}

#[test]
fn nobody_reads_and_nothing_is_proved() {
    check_forgotten(
        "
        399s reader a1..a25 is=none
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none
                 silent-without-reader count=25 silent=140000..500000ms
                 no-reader count=25 total=25
                 rising event=WentSilent times=25 span_ms=360000
                 but idle-pool-possible
        "#]],
    );
}

/// A proxy: each response waits until its own slow client has taken what it has.
#[test]
fn a_response_that_somebody_has_in_hand_is_only_possible() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body referenced=yes request=GET,http://files/big
        380s receive a1..a25 bytes=60000
        500s snapshot
        501s snapshot
        501s report
        ",
        &expect![[r#"
            [8m 21s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, active 1s, reader none, GET http://files/big
                 unread-silent count=25 unread_bytes=1500000 silent=121000..121000ms
                 nothing-read watched=121000..121000ms
                 requests top=["GET http://files/big" count=25 ] others=0
                 but single-event-possible
                 but response-referenced count=25 total=25
        "#]],
    );
}

/// The same without a look: what it waits for shows on its other side.
#[test]
fn a_proxy_whose_clients_do_not_read_is_only_possible() {
    check_forgotten(
        "
        0s accept b1..b25 pid=10
        380s receive a1..a25 bytes=60000
        380s stall b1..b25 bytes=60000
        500s snapshot
        501s snapshot
        501s report
        ",
        &expect![[r#"
            [8m 21s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, active 1s
                 unread-silent count=25 unread_bytes=1500000 silent=121000..121000ms
                 nothing-read watched=121000..121000ms
                 but single-event-possible
                 but send-blocked connections=25
              #2 peer-not-reading info: p10[10] inbound :8080 x25, oldest 8m 21s, active 1s
                 send-stalled count=25 unsent_bytes=1500000 stalled=501000..501000ms
        "#]],
    );
}

#[test]
fn a_large_response_is_proved_too() {
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
                 rising event=WentSilent times=25 span_ms=360000
                 response-unreferenced count=25 total=25
                 requests top=["GET http://files/big" count=25 ] others=0
        "#]],
    );
}

#[test]
fn the_proof_makes_dead_ones_certain() {
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

/// A goroutine's stack keeps what is in a slot until something else is put there: of the latest
/// response as a rule.
#[test]
fn a_stale_slot_does_not_hide_a_leak() {
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
                 rising event=WentSilent times=25 span_ms=360000
                 but response-referenced count=1 total=25
        "#]],
    );
}

/// Some responses are forgotten, and as many are being passed on to slow clients.
#[test]
fn a_leak_beside_responses_in_hand_is_counted_alone() {
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
                 rising event=WentSilent times=12 span_ms=165000
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x13, oldest 5m 20s, active 0s ~+4.0/min, reader none, GET http://files/big
                 silent-without-reader count=13 silent=140000..320000ms
                 requests top=["GET http://files/big" count=13 ] others=0
                 rising event=WentSilent times=13 span_ms=180000
                 but response-referenced count=13 total=13
        "#]],
    );
}

/// Events that nobody reads go on to come, so that the connection never is silent.
#[test]
fn a_stream_that_nobody_reads_is_proved_in_an_audit() {
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

/// Four are fewer than N, and nothing is asked.
#[test]
fn a_response_or_two_may_be_somebodys_work() {
    check(
        "
        0s open a1..a4 pid=10
        0s receive a1..a4 bytes=200
        0s read a1..a4
        399s reader a1..a4 is=none http=body
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s] nothing
        "#]],
    );
}

/// What a look said holds until the connection is used, and only as long as later looks agree.
#[test]
fn an_answer_does_not_outlive_itself() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body
        500s snapshot
        500s report
        510s reader a1..a25
        511s snapshot
        511s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none
                 response-silent count=25 silent=140000..500000ms
                 response-unreferenced count=25 total=25
                 rising event=WentSilent times=25 span_ms=360000
            [8m 31s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 31s, active 0s ~+4.0/min
                 served-once count=25 silent=151000..511000ms
                 rising event=WentSilent times=25 span_ms=360000
                 but cause-ambiguous
        "#]],
    );
}

#[test]
fn a_server_that_never_reads_is_certain_if_nobody_waits() {
    check(
        "
        0s accept a1..a9 every=10s pid=10
        0s receive a1..a9 every=10s bytes=80
        299s reader a1..a9 is=none
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 never-read certain: p10[10] inbound :8080 x9, oldest 5m, active 0s ~+6.0/min, reader none
                 never-read count=9 received_bytes=720 waiting=220000..300000ms
                 rising event=WentSilent times=9 span_ms=80000
                 no-reader count=9 total=9
        "#]],
    );
}

/// A program that is stuck does not get to its connections; it has not forgotten them.
#[test]
fn what_an_epoll_watches_is_not_forgotten() {
    check_forgotten(
        "
        0s receive a1..a25 every=15s bytes=60000
        399s reader a1..a25 is=epoll registered=yes
        500s snapshot
        501s snapshot
        501s report
        ",
        &expect![[r#"
            [8m 21s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, active 1s ~+4.0/min, reader epoll
                 unread-silent count=25 unread_bytes=1500000 silent=141000..501000ms
                 nothing-read watched=141000..501000ms
                 rising event=WentSilent times=25 span_ms=360000
                 but reader-waiting count=25 total=25
        "#]],
    );
}

#[test]
fn an_executed_child_that_inherited_is_certain() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s share a1..a6 pid=11 forked=2s
        3s unshare a1..a6 pid=10
        2s reader a1..a6 is=none
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 inherited certain: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s, reader none
                 opened-by-another count=6 silent=99000..99000ms
                 opener pid=10
                 close-on-exec-missing
                 no-reader-no-epoll count=6
        "#]],
    );
}

/// An inetd hands connections over as standard input; a worker has them in its epoll, or reads.
#[test]
fn connections_that_are_handed_over_are_not_inherited() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s share a1..a6 pid=11 forked=2s fd=0
        1s open b1..b6 pid=10
        2s share b1..b6 pid=12 forked=2s
        2s reader b1..b6 is=none registered=yes
        1s open c1..c6 pid=10
        2s share c1..c6 pid=13 forked=2s
        2s reader c1..c6 is=thread
        1s open d1..d6 pid=10
        2s share d1..d6 pid=14
        2s reader d1..d6 is=none
        1s open e1..e3 pid=10
        2s share e1..e3 pid=15 forked=2s
        2s forked-only pid=15
        2s reader e1..e3 is=none
        3s unshare a1..a6 b1..b6 c1..c6 d1..d6 e1..e3 pid=10
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 abandoned possible: p14[14] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s, reader none
                 silent-without-reader count=6 silent=99000..99000ms
                 no-reader count=6 total=6
                 but single-event-possible
                 but idle-pool-possible
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s, reader none
                 silent-without-reader count=6 silent=99000..99000ms
                 no-reader count=6 total=6
                 but single-event-possible
                 but idle-pool-possible
        "#]],
    );
}

/// One leak whose connections have come to be in three states is one leak.
#[test]
fn a_leak_in_several_states_is_proved_as_a_whole() {
    check(
        "
        0s snapshot
        1s open a1..a12 every=5s pid=10
        1s send a1..a12 bytes=10 every=5s
        2s receive a1..a8 bytes=60000 every=5s
        90s peer-closes a5..a8
        200s reader a1..a12 is=none http=body request=GET,http://billing/charge
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 close-wait certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 39s, active 0s, reader none, GET http://billing/charge
                 peer-closed count=4 ago=210000..210000ms
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 19s, active 0s, reader none, GET http://billing/charge
                 response-silent count=4 silent=244000..259000ms
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
                 separate-times event=WentSilent times=2 span_ms=10000
              #3 undrained certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 59s, active 0s, reader none, GET http://billing/charge
                 unread-silent count=4 unread_bytes=240000 silent=283000..298000ms
                 separate-times event=WentSilent times=2 span_ms=10000
                 response-unreferenced count=4 total=4
                 requests top=["GET http://billing/charge" count=4 ] others=0
        "#]],
    );
}

/// The same finding, whether or not a stack's stale slot holds one of it just now.
#[test]
fn a_stale_slot_makes_no_new_finding() {
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
                 rising event=WentSilent times=25 span_ms=360000
                 but response-referenced count=1 total=25
        "#]],
    );
}
