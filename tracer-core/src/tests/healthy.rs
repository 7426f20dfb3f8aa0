//! Programs that look bad from one side and are not, and leaks that hide behind something.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::check;

/// Ten minutes of a group that grows by five every forty seconds.
fn growing() -> String {
    let mut timeline = String::new();
    for step in 0..10 {
        let (at, first, last) = (step * 40, step * 5 + 1, step * 5 + 5);
        writeln!(timeline, "{at}s open a{first}..a{last} pid=10\n{at}s snapshot").unwrap();
    }
    timeline
}

/// That its group grows says nothing of a connection: T holds for it as for any other.
#[test]
fn what_happened_this_moment_to_members_of_a_growing_group() {
    check(
        &format!(
            "{}
            365s receive a1..a5 bytes=5000
            366s snapshot
            366s report
            367s peer-resets a6..a45
            368s snapshot
            368s report
            ",
            growing()
        ),
        &expect![[r#"
            [6m 6s]
              #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 6s, stood 2m 6s +7.4/min
                 the count rose in 5 of 5 windows, from 20 to 45, and the oldest stay
            [6m 8s]
              #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 8s, stood 2m 8s +7.3/min
                 the count rose in 5 of 5 windows, from 20 to 45, and the oldest stay
        "#]],
    );
}

#[test]
fn a_session_ticket_in_a_growing_group() {
    check(
        &format!(
            "{}
            1s receive a1 bytes=510
            366s snapshot
            366s report
            ",
            growing()
        ),
        &expect![[r#"
            [6m 6s]
              #2 growing possible: p10[10] outbound 10.0.0.1:443 x49, oldest 6m 6s, stood 2m 6s +7.4/min
                 the count rose in 5 of 5 windows, from 20 to 45, and the oldest stay
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x1, oldest 6m 6s, stood 4m 46s
                 510 bytes lie unread on 1 socket, and no more came for 6m 5s
                 nothing was read in the 6m 5s they were watched
                 0 of 1 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
        "#]],
    );
}

/// One stale connection among many does not hide that the many grow.
#[test]
fn growth_behind_a_stale_connection() {
    check(
        &format!(
            "{}
            100s peer-closes a1
            366s snapshot
            366s report
            ",
            growing()
        ),
        &expect![[r#"
            [6m 6s]
              #2 growing possible: p10[10] outbound 10.0.0.1:443 x49, oldest 6m 6s, stood 2m 6s +7.4/min
                 the count rose in 5 of 5 windows, from 20 to 45, and the oldest stay
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x1, oldest 6m 6s, stood 3m 26s
                 the peer closed 1 socket 4m 26s ago and nothing was sent since
        "#]],
    );
}

/// The FIN comes with the answer, and reading exactly the answer takes it along: the pool does not
/// know that its connections are stale.
#[test]
fn a_pool_whose_connections_ended_with_their_answers() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s receive a1..a6 bytes=500
        2s peer-closes a1..a6
        2s read a1..a6
        70s snapshot
        70s report
        80s peer-resets a1..a6
        150s snapshot
        150s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 9s, stood 0s
                 the peer closed 6 sockets 1m 8s ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 nothing is unread on 6 of 6; whether the process knows of the end was not seen
            [2m 30s]
              #2 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest 2m 29s, stood 0s +0.0/min
                 6 sockets dead for 1m 10s with the descriptor still open; ss does not show them
                 they may all have died at one time, as by a restart
                 the process has not noticed on any of 6: it never looked again
        "#]],
    );
}

/// A pool of twelve that goes stale one by one looks like a leak while it does, and not any more
/// once it has been left alone for long.
#[test]
fn a_rise_that_ceased_long_ago() {
    check(
        "
        0s snapshot
        1s open a1..a12 pid=10
        60s peer-closes a1..a12 every=10s
        200s snapshot
        200s report
        240s snapshot
        240s report
        8h snapshot
        8h report
        ",
        &expect![[r#"
            [3m 20s]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x9, oldest 3m 19s, stood 0s ~+6.0/min
                 the peer closed 9 sockets 1m to 2m 20s ago and nothing was sent since
                 they were closed at 9 separate times over 1m 20s: rising
            [4m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, stood 40s ~+6.0/min
                 the peer closed 12 sockets 1m 10s to 3m ago and nothing was sent since
                 they were closed at 12 separate times over 1m 50s: rising
                 a pool with a connection for each thread looks the same while it ebbs
            [8h]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 7h 59m, stood 7h 56m +0.0/min
                 the peer closed 12 sockets 7h 57m to 7h 59m ago and nothing was sent since
                 they were closed at 12 separate times over 1m 50s, and none for 7h 57m
        "#]],
    );
}

#[test]
fn a_stopped_process_can_close_nothing() {
    check(
        "
        0s accept a1..a12 every=10s pid=10
        0s accept b1..b12 every=10s pid=10
        2s stop pid=10
        5s peer-closes a1..a12 every=10s
        5s peer-resets b1..b12 every=10s
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
        "#]],
    );
}

/// Subscribers said what they want once; the server sends and need not read.
#[test]
fn a_server_that_only_sends() {
    check(
        "
        0s accept a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        50s send a1..a6 bytes=100
        99s send a1..a6 bytes=100
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s] nothing
        "#]],
    );
}

/// Looks may be rare; what came just before one has not been unread since the one before.
#[test]
fn data_that_has_just_arrived() {
    check(
        "
        0s accept a1..a6 pid=10
        5s snapshot
        300s receive a1..a6 bytes=5000
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s] nothing
        "#]],
    );
}

/// All events are lost, and the sockets are connected anew between two looks.
#[test]
fn sockets_that_were_connected_again() {
    check(
        "
        0s lose
        0s open a1..a6 pid=10
        1s peer-closes a1..a6
        9s snapshot
        10s reconnect a1..a6
        20s snapshot
        3600s peer-closes a1..a6
        3601s snapshot
        3601s report
        ",
        &expect![[r#"
            [1h]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest >1h, stood 0s +0.0/min
                 the peer closed 6 sockets 1s to 59m ago and nothing was sent since
                 they may all have been closed at one time, as by a restart
                 of 6 it cannot be told when the peer closed: keepalive probes hide it
        "#]],
    );
}

/// Of a finding's sockets some close and one goes on to another state: what was found is told.
#[test]
fn a_finding_that_falls_apart_is_taken_back() {
    check(
        "
        0s open a1..a20 every=5s pid=10
        1s receive a1..a20 bytes=9000 every=5s
        150s snapshot
        200s snapshot
        200s report
        210s close a2..a20
        211s peer-closes a1
        220s snapshot
        220s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, stood 50s ~+12.7/min
                 180000 bytes lie unread on 20 sockets, and no more came for 1m 44s to 3m 19s
                 nothing was read in the 1m 44s to 3m 19s they were watched
                 they went silent at 10 separate times over 1m 30s: rising
            [3m 40s]
              #2 stale-pool info: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 40s, stood 0s
                 the peer closed 1 socket 9s ago and nothing was sent since
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, stood 1m 10s ~+12.7/min, taken back
                 180000 bytes lie unread on 20 sockets, and no more came for 1m 44s to 3m 19s
                 nothing was read in the 1m 44s to 3m 19s they were watched
                 they went silent at 10 separate times over 1m 30s: rising
        "#]],
    );
}

/// One look tells a slow reader from none only by what it cannot know.
#[test]
fn a_single_look_is_only_possible() {
    check(
        "
        0s lose
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        100s snapshot
        100s report
        103s snapshot
        103s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 40s, stood 0s
                 54000 bytes lie unread on 6 sockets, and no more came for 1m 39s
                 whether somebody reads slowly takes 1m of watching to tell
                 they may all have gone silent at one time, as by a restart
            [1m 43s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 43s, stood 3s
                 54000 bytes lie unread on 6 sockets, and no more came for 1m 42s
                 nothing was read in the 3s they were watched
                 whether somebody reads slowly takes 1m of watching to tell
                 they may all have gone silent at one time, as by a restart
        "#]],
    );
}

/// Where there are too many processes to ask about at once, those whose turn has not come may well
/// be stopped.
#[test]
fn a_process_that_was_not_asked_about_is_not_accused() {
    check(
        "
        0s open a1..a9 every=20s pid=10
        0s receive a1..a9 every=20s bytes=60000
        0s mute pid=10
        300s snapshot
        301s snapshot
        301s report
        ",
        &expect![[r#"
            [5m 1s] nothing
        "#]],
    );
}

/// The age of what was not seen to open comes from a coarse clock.
#[test]
fn a_program_that_connects_as_it_starts_has_inherited_nothing() {
    check(
        "
        0s lose
        0s open a1..a6 pid=10
        5ms share a1..a6 pid=11 forked=5ms
        6ms unshare a1..a6 pid=10
        1s found
        100s snapshot
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s] nothing
        "#]],
    );
}

/// A process that ran before it had them was given them: over a Unix socket, by systemd's store
/// of descriptors.
#[test]
fn what_was_handed_over_later_was_not_inherited() {
    check(
        "
        0s open a1..a6 pid=10
        1s open b1..b6 pid=10
        2s snapshot
        4s snapshot
        5s share a1..a6 pid=11 forked=3s
        5s unshare a1..a6 pid=10
        6s unshare b1..b6 pid=10
        7s snapshot
        9s snapshot
        9s share b1..b6 pid=12 forked=8s fd=9
        9s reader a1..a6 b1..b6 is=none
        100s snapshot
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s]
              #1 abandoned possible: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 41s, stood 1s +0.0/min, reader none
                 6 sockets silent for 1m 41s and nobody waits to read from them
                 nobody waits to read from 6 of 6
                 they may all have gone silent at one time, as by a restart
                 it may be an idle pool of a database or cache driver
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest >1m 40s, stood 1s, reader none
                 6 sockets silent for 1m 40s and nobody waits to read from them
                 nobody waits to read from 6 of 6
                 they may all have gone silent at one time, as by a restart
                 it may be an idle pool of a database or cache driver
        "#]],
    );
}

/// Whoever reads slowly goes on to read what a peer left that has closed, or is gone.
#[test]
fn slow_readers_of_what_is_left_have_not_forgotten_it() {
    check(
        "
        0s snapshot
        1s open a1..a24 every=5s pid=10
        3s receive a1..a24 bytes=4000000 every=5s
        4s peer-closes a1..a12 every=5s
        64s peer-resets a13..a24 every=5s
        240s snapshot
        241s read a1..a24
        241s receive a1..a24 bytes=1
        242s snapshot
        242s report
        ",
        &expect![[r#"
            [4m 2s]
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, stood 2s, taken back
                 the peer closed 12 sockets 3m 1s to 3m 56s ago and nothing was sent since
                 they were closed at 6 separate times over 50s
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x12, oldest 2m 59s, stood 2s, taken back
                 12 sockets dead for 2m 1s to 2m 56s with the descriptor still open; ss does not show them
                 they died at 6 separate times over 50s
                 the process has not noticed on any of 12: it never looked again
        "#]],
    );
}

/// That the healthy ones of a group grow makes a few bad ones no surer.
#[test]
fn growth_of_the_others_says_nothing() {
    let mut timeline = String::from("0s open b1..b12 pid=10\n1s peer-closes b1..b12\n");
    timeline.push_str(&growing());
    timeline.push_str("366s snapshot\n366s report\n");
    check(
        &timeline,
        &expect![[r#"
        [6m 6s]
          #2 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 6s, stood 2m 6s +7.4/min
             the count rose in 5 of 5 windows, from 32 to 57, and the oldest stay
          #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 6m 6s, stood 4m 46s
             the peer closed 12 sockets 6m 5s ago and nothing was sent since
             they may all have been closed at one time, as by a restart
    "#]],
    );
}

/// Several kinds of clients in one program, each with a connection that served at its start.
#[test]
fn half_a_dozen_transports_are_a_design() {
    check(
        "
        0s open a1..a6 every=30s pid=10
        0s send a1..a6 every=30s bytes=100
        0s receive a1..a6 every=30s bytes=500
        0s read a1..a6 every=30s
        200s reader a1..a6 is=goroutine http=idle transport=each
        24h snapshot
        24h report
        ",
        &expect![[r#"
            [1d]
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1d, stood 0s, reader goroutine
                 6 sockets idle for 23h 57m to 1d, each with somebody waiting on it
                 they belong to 6 different http.Transports: one for all would share them
                 5 of 6 were opened while another one sat idle
                 6 of 6 served one request at the most
                 they went silent at 6 separate times over 2m 30s, and none for 23h 57m
        "#]],
    );
}
