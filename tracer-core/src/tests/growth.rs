//! Groups of connections that grow.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::check;

#[test]
fn a_count_that_only_rises_is_growing_and_only_possible() {
    let mut minutes = String::new();
    for minute in 0..10 {
        let (at, first, last) = (minute * 40, minute * 5 + 1, minute * 5 + 5);
        writeln!(minutes, "{at}s open a{first}..a{last} pid=10\n{at}s snapshot").unwrap();
    }
    check(
        &format!("{minutes} 360s report"),
        &expect![[r#"
            [6m]
              #1 growing possible: p10[10] outbound 10.0.0.1:443 x50, oldest 6m, active 2m +7.5/min
                 count-rose windows=5 from=20 to=45
        "#]],
    );
}

#[test]
fn growth_raises_the_confidence_of_another_verdict() {
    let mut minutes = String::new();
    for minute in 0..10 {
        let (at, first, last) = (minute * 40, minute * 2 + 1, minute * 2 + 6);
        writeln!(minutes, "{at}s open a{first}..a{last} pid=10").unwrap();
        writeln!(minutes, "{at}s receive a{first}..a{last} bytes=9000\n{at}s snapshot").unwrap();
    }
    check(
        &format!("{minutes} 360s report"),
        &expect![[r#"
            [6m]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x16, oldest 6m, active 4m 40s +3.0/min
                 unread-silent count=16 unread_bytes=144000 silent=80000..360000ms
                 nothing-read watched=80000..360000ms
                 rising occurrence=WentSilent times=8 span_ms=280000 since_last_ms=80000
                 count-rose windows=5 from=12 to=22
        "#]],
    );
}

/// Ten minutes of a group that grows by five every forty seconds.
fn growing() -> String {
    let mut timeline = String::new();
    for step in 0..10 {
        let (at, first, last) = (step * 40, step * 5 + 1, step * 5 + 5);
        writeln!(timeline, "{at}s open a{first}..a{last} pid=10\n{at}s snapshot").unwrap();
    }
    timeline
}

/// Growth of the group says nothing about one connection: `--idle` applies to it as to any other.
#[test]
fn recent_events_in_a_growing_group_are_no_finding() {
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

/// One stale connection does not hide the growth of many others.
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

/// Growth in the number of a group's healthy connections does not raise the confidence of a few
/// suspicious ones.
#[test]
fn growth_of_the_others_is_no_evidence() {
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
                 but single-cause-possible
        "#]],
    );
}
