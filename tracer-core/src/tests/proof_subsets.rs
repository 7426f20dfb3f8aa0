//! What is proved of some connections says nothing of the others beside them.

use expect_test::expect;

use super::check;

/// Forty that are in hand and six that are forgotten, of each kind.
fn mixed(what: &str, expect: &expect_test::Expect) {
    check(
        &std::format!(
            "
            0s snapshot
            1s open a1..a6 every=20s pid=10
            1s open b1..b40 every=1s pid=10
            2s send a1..a6 b1..b40 bytes=100
            3s receive a1..a6 b1..b40 bytes=200
            {what}
            200s reader a1..a6 is=none http=body
            200s reader b1..b40 is=none http=body held=yes
            300s snapshot
            301s snapshot
            301s report
            "
        ),
        expect,
    );
}

#[test]
fn unread_data_in_hand_is_not_convicted_with_what_is_proved() {
    mixed(
        "150s receive a1..a6 b1..b40 bytes=60000",
        &expect![[r#"
            [5m 1s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, stood 1s, reader none
                 360200 bytes lie unread on 6 sockets, and no more came for 2m 31s
                 nothing was read in the 2m 31s they were watched
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
              #2 undrained possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, stood 1s, reader none
                 2400600 bytes lie unread on 40 sockets, and no more came for 2m 31s
                 nothing was read in the 2m 31s they were watched
                 they may all have gone silent at one time, as by a restart
                 on 40 of 40 a goroutine may have the response on its stack and come back to it
        "#]],
    );
}

#[test]
fn closed_ones_in_hand_are_not_convicted_with_what_is_proved() {
    mixed(
        "150s peer-closes a1..a6 b1..b40",
        &expect![[r#"
            [5m 1s]
              #1 close-wait certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, stood 1s, reader none
                 the peer closed 6 sockets 2m 31s ago and nothing was sent since
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, stood 1s, reader none
                 the peer closed 40 sockets 2m 31s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 on 40 of 40 a goroutine may have the response on its stack and come back to it
        "#]],
    );
}

#[test]
fn dead_ones_in_hand_are_not_convicted_with_what_is_proved() {
    mixed(
        "150s peer-resets a1..a6 b1..b40",
        &expect![[r#"
            [5m 1s]
              #1 ghost certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, stood 1s, reader none
                 6 sockets dead for 2m 31s with the descriptor still open; ss does not show them
                 the process has not noticed on any of 6: it never looked again
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
              #2 ghost possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, stood 1s, reader none
                 40 sockets dead for 2m 31s with the descriptor still open; ss does not show them
                 they may all have died at one time, as by a restart
                 the process has not noticed on any of 40: it never looked again
                 on 40 of 40 a goroutine may have the response on its stack and come back to it
        "#]],
    );
}

/// A goroutine's stack keeps what is in a slot; that does not make two findings of one.
#[test]
fn a_stale_slot_does_not_split_unread_data() {
    check(
        "
        0s open a1..a25 every=5s pid=10
        1s send a1..a25 every=5s bytes=100
        1s receive a1..a25 every=5s bytes=60000
        200s reader a1..a24 is=none http=body
        200s reader a25 is=none http=body held=yes
        300s snapshot
        301s reader a2 is=none http=body held=yes
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 5m 2s, stood 2s ~+12.0/min, reader none
                 1500000 bytes lie unread on 25 sockets, and no more came for 3m 1s to 5m 1s
                 nothing was read in the 3m 1s to 5m 1s they were watched
                 they went silent at 13 separate times over 2m: rising
                 on 23 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 on 2 of 25 a goroutine may have the response on its stack and come back to it
        "#]],
    );
}

/// What was likely and is proved now is the same finding.
#[test]
fn a_proof_that_comes_later_makes_no_new_finding() {
    check(
        "
        0s snapshot
        1s open a1..a12 every=10s pid=10
        1s send a1..a12 every=10s bytes=100
        2s receive a1..a12 every=10s bytes=60000
        3s snapshot
        300s snapshot
        300s report
        310s reader a1..a12 is=none http=body
        311s snapshot
        311s report
        ",
        &expect![[r#"
            [5m]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 4m 59s, stood 0s ~+6.0/min
                 720000 bytes lie unread on 12 sockets, and no more came for 3m 8s to 4m 58s
                 nothing was read in the 0s to 4m 58s they were watched
                 whether somebody reads slowly takes 1m of watching to tell
                 they went silent at 12 separate times over 1m 50s: rising
            [5m 11s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x12, oldest 5m 10s, stood 11s ~+6.0/min, reader none
                 720000 bytes lie unread on 12 sockets, and no more came for 3m 19s to 5m 9s
                 nothing was read in the 3m 19s to 5m 9s they were watched
                 they went silent at 12 separate times over 1m 50s: rising
                 on 12 of 12 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
        "#]],
    );
}

/// Of each kind, eight that came one after the other where not all stacks could be looked
/// through.
fn unsearched(what: &str, expect: &expect_test::Expect) {
    check(
        &std::format!(
            "
            0s open a1..a8 every=15s pid=10
            0s send a1..a8 every=15s bytes=100
            0s receive a1..a8 every=15s bytes=200
            {what}
            300s snapshot
            300s report
            "
        ),
        expect,
    );
}

#[test]
fn silent_ones_that_could_not_be_looked_for_are_likely() {
    unsearched(
        "
        0s read a1..a8 every=15s
        150s reader a1..a8 is=none http=body held=unknown request=GET,http://billing/charge
        ",
        &expect![[r#"
            [5m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, stood 0s ~+4.0/min, reader none, GET http://billing/charge
                 8 sockets silent for 3m 15s to 5m with a response that was never read to its end nor closed
                 on 8 of 8 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 responses to GET http://billing/charge (8)
                 they went silent at 8 separate times over 1m 45s: rising
        "#]],
    );
}

#[test]
fn unread_ones_that_could_not_be_looked_for_are_likely() {
    unsearched(
        "
        0s receive a1..a8 every=15s bytes=3000
        150s reader a1..a8 is=none http=body held=unknown
        ",
        &expect![[r#"
            [5m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, stood 0s ~+4.0/min, reader none
                 8 sockets silent for 3m 15s to 5m with a response that was never read to its end nor closed
                 on 8 of 8 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 they went silent at 8 separate times over 1m 45s: rising
        "#]],
    );
}

#[test]
fn closed_ones_that_could_not_be_looked_for_are_likely() {
    unsearched(
        "
        1s peer-closes a1..a8 every=15s
        150s reader a1..a8 is=none http=body held=unknown
        ",
        &expect![[r#"
            [5m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, stood 0s ~+4.0/min, reader none
                 the peer closed 8 sockets 3m 14s to 4m 59s ago and nothing was sent since
                 they were closed at 8 separate times over 1m 45s: rising
                 on 8 of 8 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
        "#]],
    );
}

#[test]
fn dead_ones_that_could_not_be_looked_for_are_likely() {
    unsearched(
        "
        1s peer-resets a1..a8 every=15s
        150s reader a1..a8 is=none http=body held=unknown
        ",
        &expect![[r#"
            [5m]
              #1 ghost likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, stood 0s ~+4.0/min, reader none
                 8 sockets dead for 3m 14s to 4m 59s with the descriptor still open; ss does not show them
                 they died at 8 separate times over 1m 45s: rising
                 the process has not noticed on any of 8: it never looked again
                 on 8 of 8 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
        "#]],
    );
}

/// What all came at one time may be in somebody's hand.
#[test]
fn what_could_not_be_looked_for_and_came_at_one_time_is_possible() {
    check(
        "
        0s open a1..a25 b1..b3 pid=10
        1s send a1..a25 b1..b3 bytes=100
        2s receive a1..a25 b1..b3 bytes=200
        3s read a1..a25
        4s peer-closes b1..b3
        399s reader a1..a25 b1..b3 is=none http=body held=unknown
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s, reader none
                 25 sockets silent for 8m 18s with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 they may all have gone silent at one time, as by a restart
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x3, oldest 8m 20s, stood 0s, reader none
                 the peer closed 3 sockets 8m 16s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 on 3 of 3 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
        "#]],
    );
}

/// Those that somebody has in hand are not convicted with them.
#[test]
fn what_is_in_hand_is_not_convicted_with_what_could_not_be_looked_for() {
    check(
        "
        0s open a1..a25 b1..b10 every=15s pid=10
        0s send a1..a25 b1..b10 every=15s bytes=100
        0s receive a1..a25 b1..b10 every=15s bytes=200
        0s read a1..a25 b1..b10 every=15s
        599s reader a1..a25 is=none http=body held=unknown
        599s reader b1..b10 is=none http=body held=yes
        800s snapshot
        800s report
        ",
        &expect![[r#"
            [13m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x25, oldest 13m, stood 0s ~+4.0/min, reader none
                 25 sockets silent for 7m 20s to 13m with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 they went silent at 25 separate times over 6m: rising
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x10, oldest 7m 5s, stood 0s ~+4.0/min, reader none
                 10 sockets silent for 4m 50s to 7m 5s and nobody waits to read from them
                 on 10 of 10 a goroutine may have the response on its stack and come back to it
                 they went silent at 10 separate times over 2m 15s: rising
        "#]],
    );
}

/// The proof is looked for again, and what it says is the same finding.
#[test]
fn what_can_be_looked_for_later_is_the_same_finding() {
    check(
        "
        0s open a1..a25 every=15s pid=10
        0s send a1..a25 every=15s bytes=100
        0s receive a1..a25 every=15s bytes=200
        0s read a1..a25 every=15s
        399s reader a1..a25 is=none http=body held=unknown
        500s snapshot
        500s report
        501s reader a1..a25 is=none http=body
        502s snapshot
        502s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, stood 0s ~+4.0/min, reader none
                 25 sockets silent for 2m 20s to 8m 20s with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and nobody reads it; not all stacks could be looked through, so somebody may still have the response
                 they went silent at 25 separate times over 6m: rising
            [8m 22s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 22s, stood 2s ~+4.0/min, reader none
                 25 sockets silent for 2m 22s to 8m 22s with a response that was never read to its end nor closed
                 on 25 of 25 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they went silent at 25 separate times over 6m: rising
        "#]],
    );
}
