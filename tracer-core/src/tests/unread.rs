//! Unread data: leaks, slow readers, and programs that read one connection after another.

use std::{fmt::Write as _, string::String};

use expect_test::expect;

use super::{check, watched::watch};

/// Ranges of one file that are opened together and written to a slow disk one after another.
#[test]
fn downloads_that_are_read_in_turn_are_only_possible() {
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
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x7, oldest 2m, active 0s +0.0/min
                 unread-silent count=7 unread_bytes=7000000 silent=119000..119000ms
                 nothing-read watched=119000..119000ms
                 but others-being-read count=1
                 but single-cause-possible
        "#]],
    );
}

/// The same for an audit of three seconds.
#[test]
fn downloads_that_are_read_in_turn_are_only_possible_in_an_audit() {
    check(
        "
        0s lose-events
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
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x7, oldest >4m 42s, active 3s ~+3.0/min
                 unread-silent count=7 unread_bytes=2100000 silent=161000..281000ms
                 nothing-read watched=3000..3000ms
                 rising occurrence=WentSilent times=7 span_ms=120000 since_last_ms=161000
                 but others-being-read count=1
                 but watched-too-briefly needed_ms=60000
        "#]],
    );
}

/// Each reads a little now and then; the kernel lets the peer send more only once a large part of
/// the buffer is free.
#[test]
fn slow_readers_are_only_possible_in_an_audit() {
    check(
        "
        0s lose-events
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
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x8, oldest >5m 2s, active 3s ~+3.0/min
                 unread-silent count=8 unread_bytes=16000000 silent=159000..299000ms
                 nothing-read watched=3000..3000ms
                 rising occurrence=WentSilent times=8 span_ms=140000 since_last_ms=159000
                 but partly-read count=8 total=8
                 but watched-too-briefly needed_ms=60000
        "#]],
    );
}

/// Connections that were opened together went silent together, with or without a reader.
#[test]
fn readers_that_began_together_are_only_possible_in_an_audit() {
    check(
        "
        0s lose-events
        1s open a1..a8 every=200ms pid=10
        1s send a1..a8 every=200ms bytes=100
        2s receive a1..a8 every=200ms bytes=2000000
        300s snapshot
        303s snapshot
        303s report
        ",
        &expect![[r#"
            [5m 3s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x8, oldest >5m 2s, active 3s
                 unread-silent count=8 unread_bytes=16000000 silent=299600..301000ms
                 nothing-read watched=3000..3000ms
                 but watched-too-briefly needed_ms=60000
                 but single-cause-possible
        "#]],
    );
}

/// Responses of 10 MB, the beginning of which a library has buffered.
#[test]
fn untouched_responses_of_separate_times_are_likely_in_an_audit() {
    check(
        "
        0s lose-events
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 2s, active 3s ~+10.0/min
                 unread-silent count=25 unread_bytes=50000000 silent=155000..299000ms
                 nothing-read watched=3000..3000ms
                 rising occurrence=WentSilent times=25 span_ms=144000 since_last_ms=155000
                 but watched-too-briefly needed_ms=60000
        "#]],
    );
}

/// Responses that the program reads properly do not hide those that it leaks.
#[test]
fn short_responses_that_are_read_alongside_a_leak_do_not_cap_it() {
    check(
        "
        0s lose-events
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
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x25, oldest >5m 2s, active 3s ~+10.0/min
                 unread-silent count=25 unread_bytes=1500000 silent=157000..301000ms
                 nothing-read watched=3000..3000ms
                 rising occurrence=WentSilent times=25 span_ms=144000 since_last_ms=157000
                 but watched-too-briefly needed_ms=60000
        "#]],
    );
}

/// Streams of which only the status is needed are opened one after another. All keep receiving, so
/// a snapshot shows when data arrived last, not first.
#[test]
fn forgotten_streams_accumulate_however_rare_snapshots_are() {
    let mut timeline = String::from("0s open l1..l25 every=2s pid=10\n");
    timeline.push_str("0s send l1..l25 every=2s bytes=100\n");
    for second in 1..140 {
        let count = second.min(50) / 2;
        if count > 0 {
            writeln!(timeline, "{second}s receive l1..l{count} bytes=900").unwrap();
        }
    }
    for every_s in [2, 5, 9] {
        let reports = watch(10_000, every_s, 130, &timeline);
        assert_eq!(reports.last().unwrap().flagged, ["undrained likely x25"], "{every_s}");
    }
}
