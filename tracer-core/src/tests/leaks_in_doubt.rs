//! Leaks whose evidence is nearly the same as that of a healthy program.

use std::format;

use super::timeline;
use crate::Options;

/// Until data is sent, the kernel still has the time at which the connection was established.
#[test]
fn the_opening_is_known_of_connections_on_which_nothing_was_sent() {
    let never_read = |snapshots: &str| {
        let timeline = format!(
            "
            0s lose-events
            1s accept a1..a6 every=20s pid=10
            2s receive a1..a6 every=20s bytes=100
            {snapshots}
            173s report
            "
        );
        timeline::run(&timeline, Options::default())
    };

    // Before tracing, and between two snapshots of it.
    for snapshots in ["170s snapshot\n173s snapshot", "0s snapshot\n170s snapshot\n173s snapshot"] {
        let report = never_read(snapshots);
        assert!(report.contains("never-read likely: p10[10] inbound :8080 x6"), "{report}");
    }
}

/// This does not indicate that the process returns to them: it still leaves them open.
#[test]
fn a_process_that_receives_eof_late_and_does_not_close_leaks() {
    let report = timeline::run(
        "
        0s snapshot
        1s open a1..a6 every=2m pid=10
        2s peer-closes a1..a6 every=2m
        70s snapshot
        71s read a1
        190s snapshot
        191s read a2
        310s snapshot
        311s read a3
        430s snapshot
        431s read a4
        550s snapshot
        551s read a5
        670s snapshot
        671s read a6
        672s snapshot
        672s report
        ",
        Options::default(),
    );
    assert!(report.contains("close-wait likely: p10[10] outbound 10.0.0.1:443 x6"), "{report}");
}

/// The time for which to watch falls as the series grows, until it is too long to be a burst.
#[test]
fn a_short_series_without_a_pause_is_decided_soon() {
    let report = timeline::run(
        "
        1s open a1..a75 every=2s pid=10
        2s peer-closes a1..a75 every=2s
        215s snapshot
        215s report
        ",
        Options::default(),
    );
    assert!(report.contains("close-wait possible: p10[10] outbound 10.0.0.1:443 x75"), "{report}");
    let caveat = "short-series lasted_ms=148000 needed_ms=180000 watch_ms=120000";
    assert!(report.contains(caveat), "{report}");
}
