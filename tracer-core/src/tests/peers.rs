//! Findings of which the peer is the cause.

use expect_test::expect;

use super::check;

#[test]
fn peers_that_answer_no_probe_are_orphaned() {
    check(
        "
        0s open a1..a6 pid=10
        10s keepalive a1..a6
        100s probe-unanswered a1..a6 count=3
        110s snapshot
        110s report
        ",
        &expect![[r#"
            [1m 50s]
              #1 orphaned likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 50s, active 0s
                 nothing-acknowledged count=6 silent=100000..100000ms
                 probes-unanswered count=6 total=6 consecutive_max=3
        "#]],
    );
}

#[test]
fn peers_that_acknowledge_nothing_are_orphaned() {
    check(
        "
        0s open a1..a6 pid=10
        10s retransmit a1..a6 count=6
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 orphaned likely: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 40s, active 0s
                 nothing-acknowledged count=6 silent=100000..100000ms
                 data-retransmitted count=6 total=6 retransmits_max=6
        "#]],
    );
}

/// A network that was down for a short time.
#[test]
fn a_peer_that_answered_recently_is_no_finding() {
    check(
        "
        0s open a1..a6 pid=10
        90s keepalive a1..a6
        100s probe-unanswered a1..a6 count=2
        110s snapshot
        110s report
        ",
        &expect![[r#"
            [1m 50s] nothing
        "#]],
    );
}

#[test]
fn a_peer_that_does_not_read_is_info() {
    check(
        "
        0s accept a1..a6 pid=10
        10s stall a1..a6 bytes=60000
        100s stall a1..a6 bytes=60000
        110s snapshot
        110s report
        ",
        &expect![[r#"
            [1m 50s]
              #1 peer-not-reading info: p10[10] inbound :8080 x6, oldest 1m 50s, active 0s
                 send-stalled count=6 unsent_bytes=360000 stalled=110000..110000ms
        "#]],
    );
}

/// Data in flight when the window closes is retransmitted, instead of window probes.
#[test]
fn a_window_may_close_on_data_in_flight() {
    check(
        "
        0s accept a1..a6 pid=10
        10s stall-in-flight a1..a6 bytes=60000
        50s stall-in-flight a1..a6 bytes=60000
        100s stall-in-flight a1..a6 bytes=60000
        110s snapshot
        110s report
        ",
        &expect![[r#"
            [1m 50s]
              #1 peer-not-reading info: p10[10] inbound :8080 x6, oldest 1m 50s, active 0s
                 send-stalled count=6 unsent_bytes=360000 stalled=110000..110000ms
        "#]],
    );
}

/// A host can always reach itself; but when TCP memory is short, the kernel drops data that is not
/// being read.
#[test]
fn a_loopback_peer_is_not_orphaned() {
    check(
        "
        0s open a1..a6 pid=10 to=127.0.0.1:8080
        10s retransmit a1..a6 count=6
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 peer-not-reading info: p10[10] outbound 127.0.0.1:8080 x6, oldest 1m 40s, active 0s
                 send-stalled count=6 unsent_bytes=600 stalled=90000..90000ms
        "#]],
    );
}
