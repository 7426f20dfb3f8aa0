//! Whether anything has changed, which determines how often snapshots are taken.

use super::{timeline::Player, world};
use crate::{Detector, Direction, Input, Options, Timestamp};

/// Whether `latest` changes anything after `before`.
fn has_changed(before: &str, latest: &str) -> bool {
    let mut player = Player::new(Options::default());
    player.play_all(before);
    player.detector.take_changed();
    player.play_all(latest);
    player.detector.take_changed()
}

const IDLE: &str = "
    0s open a pid=10
    0s receive a bytes=10
    1s snapshot
    2s snapshot
";

#[test]
fn another_snapshot_of_idle_connections_changes_nothing() {
    assert!(has_changed("", IDLE), "a new connection");
    assert!(!has_changed(IDLE, "3s snapshot"));
    assert!(!has_changed(IDLE, "3s keepalive a\n 4s snapshot"));
    assert!(!has_changed("", "1s snapshot"), "there is nothing");
}

#[test]
fn every_use_of_a_connection_is_a_change() {
    for action in [
        "receive a bytes=1",
        "send a bytes=1",
        "read a",
        "share a pid=11",
        "peer-closes a",
        "peer-resets a",
        "reconnect a",
        "close a",
        "open b pid=10",
    ] {
        assert!(has_changed(IDLE, &std::format!("3s {action}\n 4s snapshot")), "{action}");
        let lost = std::format!("{IDLE}\n 2s lose-events");
        let latest = std::format!("3s {action}\n 4s snapshot");
        assert!(has_changed(&lost, &latest), "{action}, without an event");
    }
}

#[test]
fn an_event_alone_is_a_change() {
    assert!(has_changed(IDLE, "3s open b pid=10\n 3s report"));
}

#[test]
fn a_new_verdict_is_a_change_and_the_same_verdict_is_not() {
    let leaking = "
        0s open a1..a6 pid=10
        1s receive a1..a6 bytes=9000
        2s snapshot
        3s snapshot
    ";
    assert!(!has_changed(leaking, "4s snapshot"));
    assert!(has_changed(leaking, "90s snapshot"), "it falls due");
    let found = std::format!("{leaking}\n 90s snapshot");
    assert!(!has_changed(&found, "91s snapshot"));
}

/// Responses are listed before they are old enough for a verdict.
#[test]
fn a_response_that_begins_or_returns_is_a_change() {
    let out = "
        0s open a pid=10
        0s reader a is=goroutine
        0s start-response a
        1s snapshot
        2s snapshot
    ";
    assert!(!has_changed(out, "3s snapshot"));
    assert!(has_changed(out, "61s snapshot"), "it is listed");
    let listed = std::format!("{out}\n 61s snapshot");
    assert!(!has_changed(&listed, "62s snapshot"));
    assert!(has_changed(&listed, "62s return-response a\n 63s snapshot"));
}

#[test]
fn a_connection_absent_from_snapshots_is_a_change_until_it_is_removed() {
    let mut world = world::World::default();
    world.now = Timestamp::from_ms(1_000);
    world.losing = true;
    world.open("a", 10, Direction::Outbound, "10.0.0.1:443".parse().unwrap());
    let mut detector = Detector::new(Options::default());
    let mut snapshot = |world: &mut world::World, second: u64| {
        world.now = Timestamp::from_ms(second * 1_000);
        let input = world.snapshot();
        detector.handle(input);
        detector.handle(Input::Tick(world.now));
        detector.take_changed()
    };
    assert_eq!((snapshot(&mut world, 2), snapshot(&mut world, 3)), (true, false));
    world.close("a");
    assert_eq!([4, 5, 6].map(|second| snapshot(&mut world, second)), [true, true, false]);
}
