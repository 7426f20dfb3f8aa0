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
              #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 6s, active 2m 6s +7.4/min
                 count-rose windows=5 from=20 to=45
            [6m 8s]
              #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 8s, active 2m 8s +7.3/min
                 count-rose windows=5 from=20 to=45
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
              #2 growing possible: p10[10] outbound 10.0.0.1:443 x49, oldest 6m 6s, active 2m 6s +7.4/min
                 count-rose windows=5 from=20 to=45
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x1, oldest 6m 6s, active 4m 46s
                 unread-silent count=1 unread_bytes=510 silent=365000..365000ms
                 nothing-read watched=365000..365000ms
                 but too-little-unread count=0 total=1 unread_min_bytes=4096 count_min=5
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
              #2 growing possible: p10[10] outbound 10.0.0.1:443 x49, oldest 6m 6s, active 2m 6s +7.4/min
                 count-rose windows=5 from=20 to=45
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x1, oldest 6m 6s, active 3m 26s
                 peer-closed count=1 ago=266000..266000ms
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
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 9s, active 0s
                 peer-closed count=6 ago=68000..68000ms
                 but single-event-possible
                 but eof-unconfirmed count=6 total=6
            [2m 30s]
              #2 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest 2m 29s, active 0s +0.0/min
                 dead count=6 dead=70000..70000ms is_lower_bound=false
                 death-unnoticed count=6
                 but single-event-possible
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
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x9, oldest 3m 19s, active 0s ~+6.0/min
                 peer-closed count=9 ago=60000..140000ms
                 rising event=PeerClosed times=9 span_ms=80000
            [4m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, active 40s ~+6.0/min
                 peer-closed count=12 ago=70000..180000ms
                 rising event=PeerClosed times=12 span_ms=110000
                 but thread-pool-possible
            [8h]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 7h 59m, active 7h 56m +0.0/min
                 peer-closed count=12 ago=28630000..28740000ms
                 ceased event=PeerClosed times=12 span_ms=110000 since_last_ms=28630000
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
        0s lose-events
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
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest >1h, active 0s +0.0/min
                 peer-closed count=6 ago=1000..3581000ms
                 but single-event-possible
                 but close-time-unknown count=6 total=6
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, active 50s ~+12.7/min
                 unread-silent count=20 unread_bytes=180000 silent=104000..199000ms
                 nothing-read watched=104000..199000ms
                 rising event=WentSilent times=10 span_ms=90000
            [3m 40s]
              #2 stale-pool info: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 40s, active 0s
                 peer-closed count=1 ago=9000..9000ms
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x20, oldest 3m 20s, active 1m 10s ~+12.7/min, retracted, peak likely x20
                 unread-silent count=20 unread_bytes=180000 silent=104000..199000ms
                 nothing-read watched=104000..199000ms
                 rising event=WentSilent times=10 span_ms=90000
        "#]],
    );
}

/// One look tells a slow reader from none only by what it cannot know.
#[test]
fn a_single_look_is_only_possible() {
    check(
        "
        0s lose-events
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        100s snapshot
        100s report
        103s snapshot
        103s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 40s, active 0s
                 unread-silent count=6 unread_bytes=54000 silent=99000..99000ms
                 but watched-too-briefly needed_ms=60000
                 but single-event-possible
            [1m 43s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 43s, active 3s
                 unread-silent count=6 unread_bytes=54000 silent=102000..102000ms
                 nothing-read watched=3000..3000ms
                 but watched-too-briefly needed_ms=60000
                 but single-event-possible
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
        0s leave-unidentified pid=10
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
        0s lose-events
        0s open a1..a6 pid=10
        5ms share a1..a6 pid=11 forked=5ms
        6ms unshare a1..a6 pid=10
        1s deliver-events
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
              #1 abandoned possible: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 41s, active 1s +0.0/min, reader none
                 silent-without-reader count=6 silent=101000..101000ms
                 no-reader count=6 total=6
                 but single-event-possible
                 but idle-pool-possible
              #2 abandoned possible: p12[12] outbound 10.0.0.1:443 x6, oldest >1m 40s, active 1s, reader none
                 silent-without-reader count=6 silent=100000..100000ms
                 no-reader count=6 total=6
                 but single-event-possible
                 but idle-pool-possible
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
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 3m 59s, active 2s, retracted, peak possible x12
                 peer-closed count=12 ago=181000..236000ms
                 separate-times event=PeerClosed times=6 span_ms=50000
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x12, oldest 2m 59s, active 2s, retracted, peak possible x12
                 dead count=12 dead=121000..176000ms is_lower_bound=false
                 separate-times event=Died times=6 span_ms=50000
                 death-unnoticed count=12
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
              #2 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m 6s, active 2m 6s +7.4/min
                 count-rose windows=5 from=32 to=57
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x12, oldest 6m 6s, active 4m 46s
                 peer-closed count=12 ago=365000..365000ms
                 but single-event-possible
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
              #1 unshared-pool possible: p10[10] outbound 10.0.0.1:443 x6, oldest 1d, active 0s, reader goroutine
                 idle-with-reader count=6 idle=86250000..86400000ms
                 separate-transports transports=6
                 opened-while-others-idle count=5 total=6
                 served-at-most-once count=6 total=6
                 ceased event=WentSilent times=6 span_ms=150000 since_last_ms=86250000
        "#]],
    );
}
