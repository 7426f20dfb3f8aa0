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
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none, GET http://billing/charge
                 25 sockets silent for 2m 20s to 8m 20s with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (25)
                 they went silent at 25 separate times over 6m: rising
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
              #1 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min
                 25 sockets answered once and never used again, silent for 2m 20s to 8m 20s
                 they went silent at 25 separate times over 6m: rising
                 small responses that nobody reads to their end, and clients made anew for each request, look the same from outside
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
              #1 unshared-pool certain: p10[10] outbound 10.0.0.1:443 x25, oldest 11m, stood 0s ~+4.0/min, reader goroutine
                 25 sockets idle for 5m 40s to 11m, each with somebody waiting on it
                 they belong to 25 different http.Transports: one for all would share them
                 24 of 25 were opened while another one sat idle
                 25 of 25 served one request at the most
                 they went silent at 25 separate times over 6m: rising
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
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x25, oldest 15m, stood 0s ~+4.0/min, reader goroutine
                 25 sockets idle for 8m 3s to 8m 27s, each with somebody waiting on it
                 they belong to 25 different http.Transports: one for all would share them
                 0 of 25 served one request at the most
                 they went silent at 25 separate times over 6m: rising
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
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x25, oldest 11m, stood 0s ~+4.0/min, reader epoll
                 25 sockets idle for 5m 40s to 11m, each with somebody waiting on it
                 24 of 25 were opened while another one sat idle
                 25 of 25 served one request at the most
                 they went silent at 25 separate times over 6m: rising
                 silent streams, such as WebSockets, look the same
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
              #1 abandoned possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none
                 25 sockets silent for 2m 20s to 8m 20s and nobody waits to read from them
                 nobody waits to read from 25 of 25
                 they went silent at 25 separate times over 6m: rising
                 it may be an idle pool of a database or cache driver
        "#]],
    );
}

/// A proxy: each response waits until its own slow client has taken what it has.
#[test]
fn a_response_that_somebody_has_in_hand_is_only_possible() {
    check_forgotten(
        "
        399s reader a1..a25 is=none http=body held=yes request=GET,http://files/big
        380s receive a1..a25 bytes=60000
        500s snapshot
        501s snapshot
        501s report
        ",
        &expect![[r#"
            [8m 21s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, stood 1s, reader none, GET http://files/big
                 1500000 bytes lie unread on 25 sockets, and no more came for 2m 1s
                 nothing was read in the 2m 1s they were watched
                 they may all have gone silent at one time, as by a restart
                 on 25 of 25 a goroutine may have the response on its stack and come back to it
                 responses to GET http://files/big (25)
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
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, stood 1s
                 1500000 bytes lie unread on 25 sockets, and no more came for 2m 1s
                 nothing was read in the 2m 1s they were watched
                 they may all have gone silent at one time, as by a restart
                 the process itself waits for 25 peers to read: it may be passing data on
              #2 peer-not-reading info: p10[10] inbound :8080 x25, oldest 8m 21s, stood 1s
                 1500000 bytes cannot be sent on 25 sockets: the peer has read nothing for 8m 21s
                 the fault is the peer's: look there
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
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none, GET http://files/big
                 1500000 bytes lie unread on 25 sockets, and no more came for 2m 20s to 8m 20s
                 they went silent at 25 separate times over 6m: rising
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://files/big (25)
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
              #1 ghost certain: p10[10] outbound 10.0.0.1:443 x13, oldest 5m 20s, stood 0s, reader none
                 13 sockets dead for 1m 40s with the descriptor still open; ss does not show them
                 the process has not noticed on any of 13: it never looked again
                 on 13 of 13 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (8), GET http://billing/refund (5)
              #2 close-wait certain: p10[10] outbound 10.0.0.1:443 x12, oldest 8m 20s, stood 0s, reader none, GET http://billing/charge
                 the peer closed 12 sockets 1m 40s ago and nothing was sent since
                 on 12 of 12 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (12)
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
        399s reader a25 is=none http=body held=yes request=GET,http://billing/charge
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none, GET http://billing/charge
                 25 sockets silent for 2m 20s to 8m 20s with a response that was never read to its end nor closed
                 on 24 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 on 1 of 25 a goroutine may have the response on its stack and come back to it
                 responses to GET http://billing/charge (25)
                 they went silent at 25 separate times over 6m: rising
        "#]],
    );
}

/// Some responses are forgotten, and as many are being passed on to slow clients.
#[test]
fn a_leak_beside_responses_in_hand_is_counted_alone() {
    check_forgotten(
        "
        399s reader a1..a12 is=none http=body request=GET,http://billing/charge
        399s reader a13..a25 is=none http=body held=yes request=GET,http://files/big
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x12, oldest 8m 20s, stood 0s ~+4.0/min, reader none, GET http://billing/charge
                 12 sockets silent for 5m 35s to 8m 20s with a response that was never read to its end nor closed
                 on 12 of 12 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (12)
                 they went silent at 12 separate times over 2m 45s: rising
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x13, oldest 5m 20s, stood 0s ~+4.0/min, reader none, GET http://files/big
                 13 sockets silent for 2m 20s to 5m 20s and nobody waits to read from them
                 on 13 of 13 a goroutine may have the response on its stack and come back to it
                 responses to GET http://files/big (13)
                 they went silent at 13 separate times over 3m: rising
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
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s, reader none, GET http://events/
                 5000 bytes lie unread on 25 sockets, and more still comes
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://events/ (25)
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
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none
                 25 sockets silent for 2m 20s to 8m 20s with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they went silent at 25 separate times over 6m: rising
            [8m 31s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 31s, stood 0s ~+4.0/min
                 25 sockets answered once and never used again, silent for 2m 31s to 8m 31s
                 they went silent at 25 separate times over 6m: rising
                 small responses that nobody reads to their end, and clients made anew for each request, look the same from outside
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
              #1 never-read certain: p10[10] inbound :8080 x9, oldest 5m, stood 0s ~+6.0/min, reader none
                 9 sockets accepted, 720 bytes arrived, and not one was ever read for 3m 40s to 5m
                 they went silent at 9 separate times over 1m 20s: rising
                 nobody waits to read from 9 of 9
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
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 21s, stood 1s ~+4.0/min, reader epoll
                 1500000 bytes lie unread on 25 sockets, and no more came for 2m 21s to 8m 21s
                 nothing was read in the 2m 21s to 8m 21s they were watched
                 they went silent at 25 separate times over 6m: rising
                 somebody waits to read from 25 of 25
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
              #1 inherited certain: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 39s, stood 0s, reader none
                 6 sockets opened before this process began, by one that holds them no more; silent for 1m 39s
                 opened by pid 10
                 this process executes another program: close-on-exec was missing
                 nobody waits to read from them, and no epoll has them
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
        2s spawn pid=15
        2s reader e1..e3 is=none
        3s unshare a1..a6 b1..b6 c1..c6 d1..d6 e1..e3 pid=10
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 abandoned possible: p14[14] outbound 10.0.0.1:443 x6, oldest 1m 39s, stood 0s, reader none
                 6 sockets silent for 1m 39s and nobody waits to read from them
                 nobody waits to read from 6 of 6
                 they may all have gone silent at one time, as by a restart
                 it may be an idle pool of a database or cache driver
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest 1m 39s, stood 0s, reader none
                 6 sockets silent for 1m 39s and nobody waits to read from them
                 nobody waits to read from 6 of 6
                 they may all have gone silent at one time, as by a restart
                 it may be an idle pool of a database or cache driver
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
              #1 close-wait certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 39s, stood 0s, reader none, GET http://billing/charge
                 the peer closed 4 sockets 3m 30s ago and nothing was sent since
                 on 4 of 4 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (4)
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 19s, stood 0s, reader none, GET http://billing/charge
                 4 sockets silent for 4m 4s to 4m 19s with a response that was never read to its end nor closed
                 on 4 of 4 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (4)
                 they went silent at 2 separate times over 10s
              #3 undrained certain: p10[10] outbound 10.0.0.1:443 x4, oldest 4m 59s, stood 0s, reader none, GET http://billing/charge
                 240000 bytes lie unread on 4 sockets, and no more came for 4m 43s to 4m 58s
                 they went silent at 2 separate times over 10s
                 on 4 of 4 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 responses to GET http://billing/charge (4)
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
        510s reader a1 is=none http=body held=yes
        511s snapshot
        511s report
        ",
        &expect![[r#"
            [8m 31s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 31s, stood 11s ~+4.0/min, reader none
                 25 sockets silent for 2m 31s to 8m 31s with a response that was never read to its end nor closed
                 on 24 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 on 1 of 25 a goroutine may have the response on its stack and come back to it
                 they went silent at 25 separate times over 6m: rising
        "#]],
    );
}
