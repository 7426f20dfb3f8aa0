//! The summary of a process.

use std::format;

use super::timeline::Player;
use crate::Options;

/// The limit applies to file descriptors of every type; the model host has 100.
#[test]
fn other_open_fds_count_toward_the_limit() {
    let mut player = Player::new(Options::default());
    player.play_all(
        "
        0s snapshot
        1s open a1..a23 every=6s pid=10
        6s peer-closes a1..a23 every=6s
        30s snapshot
        240s snapshot
        ",
    );
    let report = player.detector.report();
    let [process] = report.processes.as_slice() else { panic!("{report:?}") };
    assert_eq!((process.tcp_fds, process.open_fds, process.fd_limit), (23, Some(100), Some(1_024)));
    let per_min_milli = u64::try_from(process.growth_per_min_milli.unwrap()).unwrap();
    assert_eq!(process.seconds_to_fd_limit, Some((1_024 - 100) * 60_000 / per_min_milli));
}

/// A rate that covers only a few of the leaked connections would name a limit that is too far away.
#[test]
fn a_rate_is_estimated_only_if_it_covers_most_leaked_connections() {
    let growing = "1s open a1..a23 every=6s pid=10\n6s peer-closes a1..a23 every=6s\n";
    let at_once = "2s open b1..b40 pid=10 to=10.0.0.2:443\n10s peer-closes b1..b40\n";
    let rate = |timeline: &str| {
        let mut player = Player::new(Options::default());
        player.play_all(&format!("{timeline}240s snapshot\n"));
        player.detector.report().processes[0].growth_per_min_milli
    };
    assert!(rate(growing).is_some_and(|rate| rate > 0));
    assert_eq!(rate(&format!("{growing}{at_once}")), None);
}
