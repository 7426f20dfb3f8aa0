//! After a connection was used again, it is suspected again only after a longer pause.

use std::{fmt::Write as _, string::String, vec::Vec};

use super::watched::{ReportAt, watch};

/// Consumers that read all pending data every 40 s, starting at 30 s, `times` times.
fn paused(times: u64) -> String {
    let mut timeline = String::from(
        "
        0s open a1..a8 every=1s pid=10
        0s send a1..a8 every=1s bytes=100
        1s receive a1..a8 every=1s bytes=500000
        ",
    );
    for number in 0..times {
        let at_s = 40 * (number + 1);
        write!(
            timeline,
            "
            {at_s}s read a1..a8 every=1s
            {at_s}s receive a1..a8 every=1s bytes=300000
            "
        )
        .unwrap();
    }
    timeline
}

/// After the first pause, pauses of the same length are not suspicious.
#[test]
fn a_consumer_that_pauses_again_and_again_does_not_flap() {
    let reports = watch(10_000, 2, 410, &paused(10));
    let is_found = |it: &&ReportAt| !it.flagged.is_empty() || !it.possible.is_empty();
    let found: Vec<u64> = reports.iter().filter(is_found).map(|it| it.at_s).collect();
    assert!(found.contains(&30) && found.iter().all(|at_s| *at_s < 50), "found at {found:?}");
}

/// A consumer that stops permanently is suspicious after three times its longest pause.
#[test]
fn a_consumer_that_stops_for_good_is_found() {
    let reports = watch(10_000, 2, 360, &paused(3));
    let after = || reports.iter().filter(|it| it.at_s > 60);
    let first = after().find(|it| !it.possible.is_empty()).unwrap().at_s;
    assert!((230..=270).contains(&first), "found at {first} s");
    let complete = |it: &&ReportAt| it.at_s > 270 && it.possible != ["undrained possible x8"];
    assert_eq!(after().filter(complete).count(), 0);
}
