//! Confirmation of some connections says nothing about others in the same group.

use expect_test::expect;

use super::check;

/// Forty referenced connections and six leaked ones.
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
            200s reader b1..b40 is=none http=body referenced=yes
            300s snapshot
            301s snapshot
            301s report
            "
        ),
        expect,
    );
}

#[test]
fn unread_referenced_connections_are_not_flagged_with_confirmed_ones() {
    mixed(
        "150s receive a1..a6 b1..b40 bytes=60000",
        &expect![[r#"
            [5m 1s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, active 1s, reader none
                 unread-silent count=6 unread_bytes=360200 silent=151000..151000ms
                 nothing-read watched=151000..151000ms
                 response-unreferenced count=6 total=6
              #2 undrained possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, active 1s, reader none
                 unread-silent count=40 unread_bytes=2400600 silent=151000..151000ms
                 nothing-read watched=151000..151000ms
                 but single-cause-possible
                 but response-referenced count=40 total=40 holder=None
        "#]],
    );
}

#[test]
fn closed_referenced_connections_are_not_flagged_with_confirmed_ones() {
    mixed(
        "150s peer-closes a1..a6 b1..b40",
        &expect![[r#"
            [5m 1s]
              #1 close-wait certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, active 1s, reader none
                 peer-closed count=6 ago=151000..151000ms
                 response-unreferenced count=6 total=6
              #2 close-wait possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, active 1s, reader none
                 peer-closed count=40 ago=151000..151000ms
                 but single-cause-possible
                 but response-referenced count=40 total=40 holder=None
        "#]],
    );
}

#[test]
fn dead_referenced_connections_are_not_flagged_with_confirmed_ones() {
    mixed(
        "150s peer-resets a1..a6 b1..b40",
        &expect![[r#"
            [5m 1s]
              #1 ghost certain: p10[10] outbound 10.0.0.1:443 x6, oldest 5m, active 1s, reader none
                 dead count=6 dead=151000..151000ms is_lower_bound=false
                 death-unnoticed count=6
                 response-unreferenced count=6 total=6
              #2 ghost possible: p10[10] outbound 10.0.0.1:443 x40, oldest 5m, active 1s, reader none
                 dead count=40 dead=151000..151000ms is_lower_bound=false
                 death-unnoticed count=40
                 but single-cause-possible
                 but response-referenced count=40 total=40 holder=None
        "#]],
    );
}

/// A stack slot keeps a reference until it is overwritten; that does not split a finding.
#[test]
fn a_stale_stack_slot_does_not_split_unread_data() {
    check(
        "
        0s open a1..a25 every=6s pid=10
        1s send a1..a25 every=6s bytes=100
        1s receive a1..a25 every=6s bytes=60000
        200s reader a1..a24 is=none http=body
        200s reader a25 is=none http=body referenced=yes
        300s snapshot
        301s reader a2 is=none http=body referenced=yes
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x25, oldest 5m 2s, active 2s ~+10.0/min, reader none
                 unread-silent count=25 unread_bytes=1500000 silent=157000..301000ms
                 nothing-read watched=157000..301000ms
                 rising occurrence=WentSilent times=25 span_ms=144000 since_last_ms=157000
                 response-unreferenced count=23 total=25
                 but response-referenced count=2 total=25 holder=None
        "#]],
    );
}

/// A likely finding that is confirmed later is the same finding.
#[test]
fn a_later_confirmation_makes_no_new_finding() {
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
        331s snapshot
        331s report
        ",
        &expect![[r#"
            [5m]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 4m 59s, active 0s ~+6.0/min
                 unread-silent count=12 unread_bytes=720000 silent=188000..298000ms
                 nothing-read watched=0..298000ms
                 rising occurrence=WentSilent times=12 span_ms=110000 since_last_ms=188000
                 but watched-too-briefly needed_ms=60000
            [5m 31s]
              #1 undrained certain: p10[10] outbound 10.0.0.1:443 x12, oldest 5m 30s, active 31s ~+6.0/min, reader none
                 unread-silent count=12 unread_bytes=720000 silent=219000..329000ms
                 nothing-read watched=219000..329000ms
                 rising occurrence=WentSilent times=12 span_ms=110000 since_last_ms=219000
                 response-unreferenced count=12 total=12
        "#]],
    );
}

/// Eight connections, opened one after another, in a process in which not all stacks could be
/// scanned.
fn scan_incomplete(what: &str, expect: &expect_test::Expect) {
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
fn silent_connections_of_an_incomplete_scan_are_likely() {
    scan_incomplete(
        "
        0s read a1..a8 every=15s
        150s reader a1..a8 is=none http=body referenced=unknown request=GET,http://billing/charge
        ",
        &expect![[r#"
            [5m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, active 0s ~+4.0/min, reader none, GET http://billing/charge
                 response-silent count=8 silent=195000..300000ms
                 requests top=["GET http://billing/charge" count=8 ] others=0
                 rising occurrence=WentSilent times=8 span_ms=105000 since_last_ms=195000
                 but scan-incomplete count=8 total=8
        "#]],
    );
}

#[test]
fn unread_connections_of_an_incomplete_scan_are_likely() {
    scan_incomplete(
        "
        0s receive a1..a8 every=15s bytes=3000
        150s reader a1..a8 is=none http=body referenced=unknown
        ",
        &expect![[r#"
            [5m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, active 0s ~+4.0/min, reader none
                 response-silent count=8 silent=195000..300000ms
                 rising occurrence=WentSilent times=8 span_ms=105000 since_last_ms=195000
                 but scan-incomplete count=8 total=8
        "#]],
    );
}

#[test]
fn closed_connections_of_an_incomplete_scan_are_likely() {
    scan_incomplete(
        "
        1s peer-closes a1..a8 every=15s
        150s reader a1..a8 is=none http=body referenced=unknown
        ",
        &expect![[r#"
            [5m]
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, active 0s ~+4.0/min, reader none
                 peer-closed count=8 ago=194000..299000ms
                 rising occurrence=PeerClosed times=8 span_ms=105000 since_last_ms=194000
                 but scan-incomplete count=8 total=8
        "#]],
    );
}

#[test]
fn dead_connections_of_an_incomplete_scan_are_likely() {
    scan_incomplete(
        "
        1s peer-resets a1..a8 every=15s
        150s reader a1..a8 is=none http=body referenced=unknown
        ",
        &expect![[r#"
            [5m]
              #1 ghost likely: p10[10] outbound 10.0.0.1:443 x8, oldest 5m, active 0s ~+4.0/min, reader none
                 dead count=8 dead=194000..299000ms is_lower_bound=false
                 rising occurrence=Died times=8 span_ms=105000 since_last_ms=194000
                 death-unnoticed count=8
                 but scan-incomplete count=8 total=8
        "#]],
    );
}

/// Responses that were all requested at the same time may still be referenced.
#[test]
fn connections_of_an_incomplete_scan_requested_together_are_possible() {
    check(
        "
        0s open a1..a25 b1..b3 pid=10
        1s send a1..a25 b1..b3 bytes=100
        2s receive a1..a25 b1..b3 bytes=200
        3s read a1..a25
        4s peer-closes b1..b3
        399s reader a1..a25 b1..b3 is=none http=body referenced=unknown
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s, reader none
                 response-silent count=25 silent=498000..498000ms
                 but scan-incomplete count=25 total=25
                 but single-cause-possible
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x3, oldest 8m 20s, active 0s, reader none
                 peer-closed count=3 ago=496000..496000ms
                 but single-cause-possible
                 but scan-incomplete count=3 total=3
        "#]],
    );
}

/// Referenced connections are not flagged along with those whose scan was incomplete.
#[test]
fn referenced_connections_are_not_flagged_with_those_of_an_incomplete_scan() {
    check(
        "
        0s open a1..a25 b1..b10 every=15s pid=10
        0s send a1..a25 b1..b10 every=15s bytes=100
        0s receive a1..a25 b1..b10 every=15s bytes=200
        0s read a1..a25 b1..b10 every=15s
        599s reader a1..a25 is=none http=body referenced=unknown
        599s reader b1..b10 is=none http=body referenced=yes
        800s snapshot
        800s report
        ",
        &expect![[r#"
            [13m]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x25, oldest 13m, active 0s ~+4.0/min, reader none
                 response-silent count=25 silent=440000..800000ms
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=440000
                 but scan-incomplete count=25 total=25
              #2 abandoned possible: p10[10] outbound 10.0.0.1:443 x10, oldest 7m 5s, active 0s ~+4.0/min, reader none
                 silent-without-reader count=10 silent=290000..425000ms
                 rising occurrence=WentSilent times=10 span_ms=135000 since_last_ms=290000
                 but response-referenced count=10 total=10 holder=None
        "#]],
    );
}

/// The scan is repeated, and its result belongs to the same finding.
#[test]
fn a_later_complete_scan_makes_no_new_finding() {
    check(
        "
        0s open a1..a25 every=15s pid=10
        0s send a1..a25 every=15s bytes=100
        0s receive a1..a25 every=15s bytes=200
        0s read a1..a25 every=15s
        399s reader a1..a25 is=none http=body referenced=unknown
        500s snapshot
        500s report
        501s reader a1..a25 is=none http=body
        502s snapshot
        502s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned likely: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 20s, active 0s ~+4.0/min, reader none
                 response-silent count=25 silent=140000..500000ms
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=140000
                 but scan-incomplete count=25 total=25
            [8m 22s]
              #1 abandoned certain: p10[10] outbound 10.0.0.1:443 x25, oldest 8m 22s, active 2s ~+4.0/min, reader none
                 response-silent count=25 silent=142000..502000ms
                 response-unreferenced count=25 total=25
                 rising occurrence=WentSilent times=25 span_ms=360000 since_last_ms=142000
        "#]],
    );
}
