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
