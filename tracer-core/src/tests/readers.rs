//! Findings from inspections of a process, in addition to the kernel's fields.

use expect_test::expect;

use super::check;

/// Twenty-five requests, four per minute, and nothing unread: what an audit sees of a Go program
/// that does not close the bodies of small responses.
const FORGOTTEN: &str = "
    0s open a1..a25 every=15s pid=10
    0s send a1..a25 every=15s bytes=100
    0s receive a1..a25 every=15s bytes=200
    0s read a1..a25 every=15s
";

pub(super) fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
    check(&[FORGOTTEN, rest].concat(), expect);
}

#[test]
fn a_forgotten_response_is_confirmed_by_its_read_loop() {
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
        "#]],
    );
}

/// The same connections: the kernel's fields do not differ.
#[test]
fn a_shared_pool_is_no_finding() {
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
fn without_an_inspection_it_is_only_possible() {
    check_forgotten(
        "
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min
                 served-once count=25 silent=140000..500000ms
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=340000
        "#]],
    );
}

/// One transport for each of many tenants, used repeatedly.
#[test]
fn several_clients_that_are_reused_are_only_possible() {
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=540000
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=340000
                 but stream-possible
        "#]],
    );
}

#[test]
fn no_reader_without_confirmation_is_only_possible() {
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
                 but idle-pool-possible
        "#]],
    );
}

/// A proxy: each response waits for its own slow client.
#[test]
fn a_referenced_response_is_only_possible() {
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
                 but single-cause-possible
                 but response-referenced count=25 total=25 holder=None
        "#]],
    );
}

/// The same without an inspection: the connections to the clients show what the proxy is waiting
/// for.
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
                 but single-cause-possible
                 but send-blocked connections=25
              #2 peer-not-reading info: p10[10] inbound :8080 x25, oldest 8m 21s, active 1s
                 send-stalled count=25 unsent_bytes=1500000 stalled=501000..501000ms
        "#]],
    );
}

/// Four are fewer than `--min-count`, so no question is asked.
#[test]
fn a_few_responses_may_still_be_read() {
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

/// An answer is valid until the connection is used, and only as long as later inspections agree.
#[test]
fn an_answer_is_replaced_by_the_next_inspection() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body
        500s snapshot
        500s report
        510s reader a1..a25
        541s snapshot
        541s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none
                 response-silent count=25 silent=140000..500000ms
                 response-unreferenced count=25 total=25
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
            [9m 1s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 9m 1s, active 0s ~+4.0/min
                 served-once count=25 silent=181000..541000ms
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=181000
                 but cause-ambiguous
        "#]],
    );
}

#[test]
fn a_server_that_never_reads_is_likely_without_a_reader() {
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
              #1 never-read likely: p10[10] inbound :8080 x9, oldest 5m, active 0s ~+6.0/min, reader none
                 never-read count=9 received_bytes=720 waiting=220000..300000ms
                 rising occurrence=WentSilent times=9 span_ms=80000 since_last_ms=220000
                 no-reader count=9 total=9
        "#]],
    );
}

/// A program that is stuck does not handle its connections, but has not leaked them.
#[test]
fn connections_watched_by_an_epoll_are_only_possible() {
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
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=141000
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

/// inetd passes connections as standard input; a worker has them in its epoll, or reads them.
#[test]
fn connections_that_are_passed_on_purpose_are_not_inherited() {
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
                 but single-cause-possible
                 but idle-pool-possible
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s, reader none
                 silent-without-reader count=6 silent=99000..99000ms
                 no-reader count=6 total=6
                 but single-cause-possible
                 but idle-pool-possible
        "#]],
    );
}
