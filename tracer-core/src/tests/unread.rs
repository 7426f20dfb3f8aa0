//! Who lets data lie: forgetful programs, slow ones, and ones that take one thing after the other.

use expect_test::expect;

use super::check;

/// Ranges of one file that are opened together and written to a slow disk one after another.
#[test]
fn parts_that_wait_for_their_turn_are_only_possible() {
    check(
        "
        0s snapshot
        1s open a1..a8 pid=10
        1s send a1..a8 bytes=100
        2s receive a1..a8 bytes=1000000
        3s snapshot
        60s read a1
        60s receive a1 bytes=100000
        61s snapshot
        120s read a1
        120s receive a1 bytes=100000
        121s snapshot
        121s report
        ",
        &expect![[r#"
            [2m 1s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x7, oldest 2m, stood 0s +0.0/min
                 7000000 bytes lie unread on 7 sockets, and no more came for 1m 59s
                 nothing was read in the 1m 59s they were watched
                 1 socket to the same peers being read meanwhile: these may have to wait for that
                 they may all have gone silent at one time, as by a restart
        "#]],
    );
}

/// The same for a look of three seconds.
#[test]
fn parts_that_wait_for_their_turn_are_only_possible_in_an_audit() {
    check(
        "
        0s lose
        1s open a1..a8 every=20s pid=10
        1s send a1..a8 every=20s bytes=100
        2s receive a1..a8 every=20s bytes=300000
        300s snapshot
        301s read a1
        301s receive a1 bytes=50000
        302s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x7, oldest >4m 42s, stood 3s ~+3.0/min
                 2100000 bytes lie unread on 7 sockets, and no more came for 2m 41s to 4m 41s
                 nothing was read in the 3s they were watched
                 1 socket to the same peers being read meanwhile: these may have to wait for that
                 whether somebody reads slowly takes 1m of watching to tell
                 they went silent at 7 separate times over 2m: rising
        "#]],
    );
}

/// Each reads a little now and then; the kernel lets the peer send on only once much was read.
#[test]
fn slow_readers_are_only_possible_in_an_audit() {
    check(
        "
        0s lose
        1s open a1..a8 every=20s pid=10
        1s send a1..a8 every=20s bytes=100
        2s receive a1..a8 every=20s bytes=2000000
        3s read a1..a8 every=20s
        4s receive a1..a8 every=20s bytes=2000000
        300s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x8, oldest >5m 2s, stood 3s ~+3.0/min
                 16000000 bytes lie unread on 8 sockets, and no more came for 2m 39s to 4m 59s
                 nothing was read in the 3s they were watched
                 more of 8 of 8 was read than a library does by itself: somebody has worked on them
                 whether somebody reads slowly takes 1m of watching to tell
                 they went silent at 8 separate times over 2m 20s: rising
        "#]],
    );
}

/// What was opened together fell silent together, whoever reads it.
#[test]
fn readers_that_began_together_are_only_possible_in_an_audit() {
    check(
        "
        0s lose
        1s open a1..a8 every=200ms pid=10
        1s send a1..a8 every=200ms bytes=100
        2s receive a1..a8 every=200ms bytes=2000000
        300s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x8, oldest >5m 2s, stood 3s
                 16000000 bytes lie unread on 8 sockets, and no more came for 4m 59s to 5m 1s
                 nothing was read in the 3s they were watched
                 whether somebody reads slowly takes 1m of watching to tell
                 they may all have gone silent at one time, as by a restart
        "#]],
    );
}

/// Responses of 10 MB of which a library took the beginning.
#[test]
fn what_nobody_has_touched_and_what_gathered_is_likely_in_an_audit() {
    check(
        "
        0s lose
        1s open a1..a25 every=6s pid=10
        1s send a1..a25 every=6s bytes=100
        2s receive a1..a25 every=6s bytes=380000
        3s read a1..a25 every=6s
        4s receive a1..a25 every=6s bytes=2000000
        300s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 2s, stood 3s ~+10.0/min
                 50000000 bytes lie unread on 25 sockets, and no more came for 2m 35s to 4m 59s
                 nothing was read in the 3s they were watched
                 whether somebody reads slowly takes 1m of watching to tell
                 they went silent at 25 separate times over 2m 24s: rising
        "#]],
    );
}

/// A program that also asks and reads as it should does not hide what it forgets.
#[test]
fn short_answers_that_are_read_beside_a_leak_do_not_excuse_it() {
    check(
        "
        0s lose
        0s open b1 pid=10
        1s open a1..a25 every=6s pid=10
        1s send a1..a25 every=6s bytes=100
        2s receive a1..a25 every=6s bytes=60000
        299s receive b1 bytes=500
        300s snapshot
        301s read b1
        301s send b1 bytes=100
        301s receive b1 bytes=500
        302s snapshot
        302s read b1
        302s send b1 bytes=100
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 2s, stood 3s ~+10.0/min
                 1500000 bytes lie unread on 25 sockets, and no more came for 2m 37s to 5m 1s
                 nothing was read in the 3s they were watched
                 whether somebody reads slowly takes 1m of watching to tell
                 they went silent at 25 separate times over 2m 24s: rising
        "#]],
    );
}
