//! Connections that look like a leak and are too young to be judged.

use std::string::ToString as _;

use super::{timeline::Player, world::process};
use crate::{Options, Question, RecentlyClosed};

/// What a report says about them after these events.
fn after(events: &str) -> Option<RecentlyClosed> {
    let mut player = Player::new(Options::default());
    player.play_all(events);
    player.detector.report().coverage.recently_closed
}

fn expected(pid: u32, count: u64, total: u64) -> RecentlyClosed {
    let comm = crate::Comm(std::format!("p{pid}").as_str().into());
    RecentlyClosed { process: process(pid), comm, count, total }
}

#[test]
fn they_are_counted_until_they_can_be_judged() {
    let closed = |until: &str| {
        after(&("1s open a1..a9 pid=10\n100s peer-closes a1..a9\n".to_string() + until))
    };
    assert_eq!(closed("101s snapshot"), Some(expected(10, 9, 9)));
    assert_eq!(closed("159s snapshot"), Some(expected(10, 9, 9)));
    assert_eq!(closed("161s snapshot"), None, "they are judged");
    assert_eq!(closed("102s close a1..a9\n103s snapshot"), None);
}

#[test]
fn the_process_with_the_most_is_named_if_it_has_enough() {
    let of = |counts: [u32; 2]| {
        let [one, other] = counts;
        after(&std::format!(
            "1s open a1..a{one} pid=10
             1s open b1..b{other} pid=11
             100s peer-closes a1..a{one}
             100s peer-closes b1..b{other}
             110s snapshot"
        ))
    };
    assert_eq!(of([4, 4]), None, "fewer than --min-count each");
    assert_eq!(of([5, 2]), Some(expected(10, 5, 7)));
    assert_eq!(of([5, 6]), Some(expected(11, 6, 11)));
    assert_eq!(of([6, 6]), Some(expected(10, 6, 12)), "the one that started first");
}

#[test]
fn connections_that_are_open_at_both_ends_are_not_among_them() {
    assert_eq!(after("1s open a1..a9 pid=10\n90s snapshot"), None);
}

/// Whether a process is at its fd limit is known only from an answer about it.
#[test]
fn processes_that_may_be_at_their_fd_limit_are_asked_about() {
    let is_asked = |events: &str| {
        let mut player = Player::new(Options::default());
        player.play_all(events);
        let questions = player.detector.questions(player.detector.report().at);
        questions.contains(&Question::Process(process(10)))
    };
    assert!(is_asked("1s open a1..a5 pid=10\n100s peer-closes a1..a5\n110s snapshot"));
    assert!(!is_asked("1s open a1..a5 pid=10\n100s peer-closes a1..a4\n110s snapshot"));
    assert!(is_asked("1s open a1..a256 pid=10\n110s snapshot"));
    assert!(!is_asked("1s open a1..a255 pid=10\n110s snapshot"));
}
