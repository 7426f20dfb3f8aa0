//! Connections that died one after another, without a pause that would make them several clusters.

use std::{format, string::String};

use expect_test::expect;

use super::{check, timeline::Player};
use crate::{Caveat, Confidence, Evidence, Options, Report};

/// What an audit of 3 s shows at `at_s`. Until then, a client leaks a response every two seconds;
/// every other one is small.
fn audit_of_unread(at_s: u64) -> Report {
    let last = at_s / 4;
    audit(
        &format!(
            "0s open a1..a{last} every=4s pid=10
            0s send a1..a{last} every=4s bytes=100
            0s receive a1..a{last} every=4s bytes=300
            2s open b1..b{last} every=4s pid=10
            2s send b1..b{last} every=4s bytes=100
            2s receive b1..b{last} every=4s bytes=300000"
        ),
        at_s,
    )
}

/// What an audit of 3 s shows at `at_s`.
fn audit(timeline: &str, at_s: u64) -> Report {
    let mut player = Player::new(Options::default());
    let (start, end) = ("0s lose-events\n0s limit pid=10 fds=20000 files=5", at_s + 3);
    player.play_all(&format!("{start}\n{timeline}\n{at_s}s snapshot\n{end}s snapshot"));
    player.detector.report()
}

/// The longer the leak has lasted, the sooner it is decided.
#[test]
fn the_time_to_watch_becomes_shorter_until_the_leak_is_likely() {
    let mut shortest_ms = u64::MAX;
    for at_s in (80..260).step_by(7) {
        let report = audit_of_unread(at_s);
        let [finding] = report.findings.as_slice() else { panic!("{report:?}") };
        let is_series =
            |it: &Evidence| matches!(it, Evidence::Series { count, .. } if *count == finding.count);
        assert!(finding.evidence.iter().any(is_series), "{at_s} {finding:?}");
        let cause = finding.caveats.iter().find(|it| it.is_about_cause());
        assert_eq!(cause, None, "{at_s}");
        let watch_ms = finding.caveats.iter().find_map(|caveat| match caveat {
            Caveat::ShortSeries { watch_ms, .. } => Some(*watch_ms),
            Caveat::Undecided { .. } => panic!("{at_s} {finding:?}"),
            _ => None,
        });
        if finding.confidence > Confidence::Possible {
            assert!(at_s >= 240, "{at_s}");
            continue;
        }
        assert!(at_s < 250, "{at_s}");
        let watch_ms = watch_ms.unwrap();
        assert!(watch_ms <= shortest_ms && watch_ms <= 240_000, "{at_s} {watch_ms}");
        shortest_ms = watch_ms;
    }
    assert_eq!(shortest_ms, 120_000, "twice --idle");
}

/// 30 connections per minute, as soon as the series has lasted for half of `--idle`.
#[test]
fn a_series_has_a_rate() {
    for at_s in [100, 154, 200, 260] {
        let report = audit_of_unread(at_s);
        let per_min_milli = report.findings[0].growth_per_min_milli.unwrap();
        assert!((29_000..31_000).contains(&per_min_milli), "{at_s} {per_min_milli}");
        let [process] = report.processes.as_slice() else { panic!("{report:?}") };
        assert_eq!(process.growth_per_min_milli, Some(per_min_milli));
        let left = (20_000 - process.open_fds.unwrap()) * 60_000;
        assert_eq!(process.seconds_to_fd_limit, Some(left / u64::try_from(per_min_milli).unwrap()));
    }
}

/// Of `old` connections to another server it is unknown how fast they came.
fn with_others(old: u64) -> Report {
    let others = format!(
        "0s open c1..c{old} pid=10 to=10.0.0.2:443
        0s receive c1..c{old} bytes=300000"
    );
    let timeline = "0s open a1..a90 every=2s pid=10
        0s send a1..a90 every=2s bytes=100
        0s receive a1..a90 every=2s bytes=300000";
    audit(&format!("{others}\n{timeline}"), 180)
}

#[test]
fn the_rate_of_a_process_is_unknown_unless_that_of_nearly_all_its_leaks_is_known() {
    for (others, is_known) in [(6, true), (12, false), (70, false)] {
        let report = with_others(others);
        let [process] = report.processes.as_slice() else { panic!("{report:?}") };
        let growth = (process.growth_per_min_milli, process.seconds_to_fd_limit);
        assert_eq!((growth.0.is_some(), growth.1.is_some()), (is_known, is_known), "{others}");
    }
}

/// One CLOSE_WAIT per second, for a minute.
fn close_wait(then: &str) -> String {
    format!(
        "
        0s lose-events
        0s open a1..a62 every=1s pid=10
        0s send a1..a62 every=1s bytes=100
        0s receive a1..a62 every=1s bytes=500
        0s read a1..a62 every=1s
        0s peer-closes a1..a62 every=1s
        {then}
        "
    )
}

#[test]
fn a_series_that_goes_on() {
    check(
        &close_wait("122s snapshot\n125s snapshot\n125s report"),
        &expect![[r#"
        [2m 5s]
          #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x62, oldest >2m 5s, active 3s ~+60.0/min
             peer-closed count=62 ago=64000..125000ms
             series occurrence=PeerClosed count=62 span_ms=61000 pause_max_ms=1000 since_last_ms=64000
             but short-series lasted_ms=61000 needed_ms=180000 watch_ms=179000
    "#]],
    );
}

/// It has been over for a long time, and nothing followed.
#[test]
fn a_series_that_has_ended() {
    check(
        &close_wait("20m snapshot\n1203s snapshot\n1203s report"),
        &expect![[r#"
        [20m]
          #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x62, oldest >20m, active 3s
             peer-closed count=62 ago=1142000..1203000ms
             series occurrence=PeerClosed count=62 span_ms=61000 pause_max_ms=1000 since_last_ms=1142000
             but single-burst-possible
    "#]],
    );
}

/// The server closes its connections within 20 s. All were opened before.
#[test]
fn a_slow_restart_of_the_server_is_a_single_cause() {
    check(
        "
        0s open a1..a60 pid=10
        10s send a1..a60 bytes=100
        11s receive a1..a60 bytes=500
        12s read a1..a60
        30s snapshot
        40s peer-closes a1..a60 every=300ms
        130s snapshot
        130s report
        ",
        &expect![[r#"
            [2m 10s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x60, oldest 2m 10s, active 0s +0.0/min
                 peer-closed count=60 ago=72300..90000ms
                 series occurrence=PeerClosed count=60 span_ms=17700 pause_max_ms=300 since_last_ms=72300
                 but single-cause-possible
        "#]],
    );
}

/// Two series with a pause between them are two clusters, as before.
#[test]
fn series_with_a_pause_between_them() {
    check(
        &close_wait(
            "90s open b1..b60 every=1s pid=10
            90s send b1..b60 every=1s bytes=100
            90s peer-closes b1..b60 every=1s
            210s snapshot\n213s snapshot\n213s report",
        ),
        &expect![[r#"
            [3m 33s]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x122, oldest >3m 33s, active 3s
                 peer-closed count=122 ago=64000..213000ms
                 separate-times occurrence=PeerClosed times=2 span_ms=149000
                 but undecided watch_ms=181000
        "#]],
    );
}
