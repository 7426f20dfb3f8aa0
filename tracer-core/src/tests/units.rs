//! Tests of smaller parts.

use std::{format, vec::Vec};

use super::{timeline::Player, world};
use crate::{
    ConnectionId, Direction, Goroutines, Input, Interval, Loss, Note, Options, Readers, Timestamp,
    group_size::GroupSize,
    separate_times::SeparateTimes,
    turnover::{Cleaned, Remaining, Turnover},
};

fn interval(earliest_s: u64, latest_s: u64) -> Interval {
    Interval {
        earliest: Timestamp::from_ms(earliest_s * 1_000),
        latest: Timestamp::from_ms(latest_s * 1_000),
    }
}

fn separate_times(intervals: &[(u64, u64)]) -> (usize, u64) {
    let intervals: Vec<Interval> =
        intervals.iter().map(|(earliest, latest)| interval(*earliest, *latest)).collect();
    let times = SeparateTimes::of(intervals, 5_000, 60_000);
    (times.count, times.span_ms)
}

#[test]
fn only_times_that_are_certainly_apart_count() {
    assert_eq!(separate_times(&[]), (0, 0));
    assert_eq!(separate_times(&[(10, 10)]), (1, 0));
    assert_eq!(separate_times(&[(10, 10), (12, 12), (15, 15)]).0, 1, "within the gap");
    assert_eq!(separate_times(&[(10, 10), (20, 20), (30, 30)]), (3, 20_000));
    assert_eq!(separate_times(&[(0, 100), (20, 90), (50, 95)]), (1, 0), "all may be one");
    assert_eq!(separate_times(&[(0, 5), (11, 70), (12, 15), (30, 30)]), (3, 25_000), "one unknown");
    assert_eq!(separate_times(&[(0, 10), (5, 90), (80, 100), (164, 170)]), (3, 154_000));
}

#[test]
fn a_run_counts_once_per_idle() {
    let run = |length_s: u64| -> Vec<(u64, u64)> { (0..=length_s).map(|s| (s, s)).collect() };
    assert_eq!(separate_times(&run(59)).0, 1);
    assert_eq!(separate_times(&run(60)).0, 1);
    assert_eq!(separate_times(&run(120)).0, 2);
    assert_eq!(separate_times(&run(600)).0, 10);
    let two_bursts: Vec<(u64, u64)> = (0..50).chain(56..90).map(|s| (s, s)).collect();
    assert_eq!(separate_times(&two_bursts).0, 2);
}

#[test]
fn rising_needs_three_times_and_a_span() {
    let of = |seconds: &[u64]| {
        SeparateTimes::of(seconds.iter().map(|second| interval(*second, *second)), 5_000, 60_000)
    };
    let now = Timestamp::from_ms(120_000);
    assert!(!of(&[0, 100]).is_still_accumulating(60_000, now));
    assert!(!of(&[0, 20, 40]).is_still_accumulating(60_000, now));
    assert!(of(&[0, 30, 60]).is_still_accumulating(60_000, now));
    assert!(of(&[0, 30, 60]).is_still_accumulating(60_000, Timestamp::from_ms(1_860_000)));
    assert!(
        !of(&[0, 30, 60]).is_still_accumulating(60_000, Timestamp::from_ms(1_861_000)),
        "it has ceased"
    );
}

/// The latest known count is kept until the process is gone.
#[test]
fn goroutines_are_in_the_summary_of_a_process() {
    let mut player = Player::new(Options { scoped: true, ..Options::default() });
    player.play_all("0s open a pid=10\n 1s snapshot");
    let process = world::process(10);
    let at = Timestamp::from_ms(1_000);
    let goroutines = Some(Goroutines { total: 9, read_loops: 4, write_loops: 3 });
    let answer = |goroutines| {
        Input::Readers(Readers { process, at, found: Vec::new(), goroutines, limits: Vec::new() })
    };
    for counted in [goroutines, None] {
        player.detector.handle(answer(counted));
        assert_eq!(player.detector.report().processes[0].goroutines, goroutines);
    }
    player.play_all("2s close a\n 3s snapshot\n 4s open b pid=10\n 5s snapshot");
    assert_eq!(player.detector.report().processes[0].goroutines, None);
}

/// A snapshot corrects the loss of events, but not of a response that did not fit in the ledger. A
/// stack that was not kept does not make a report incomplete.
#[test]
fn a_snapshot_corrects_lost_events_only() {
    let complete = |loss: Loss| {
        let mut player = Player::new(Options::default());
        player.play_all("1s snapshot");
        player.detector.handle(Input::Loss(loss));
        let before = player.detector.report().coverage.complete;
        player.play_all("2s snapshot");
        let coverage = player.detector.report().coverage;
        (before, coverage.complete, coverage.notes.len())
    };
    assert_eq!(complete(Loss { ring_full: 1, ..Loss::default() }), (false, true, 0));
    assert_eq!(complete(Loss { stacks_lost: 1, ..Loss::default() }), (true, true, 1));
    assert_eq!(complete(Loss { ledger_full: 1, ..Loss::default() }), (false, false, 0));
}

/// Events that are missing since the latest snapshot and all that were ever lost are counted
/// separately.
#[test]
fn lost_events_are_counted_as_of_the_latest_snapshot() {
    let mut player = Player::new(Options::default());
    let mut lost = |events, then: &str| {
        player.detector.handle(Input::Loss(Loss { ring_full: events, ..Loss::default() }));
        let before = player.detector.is_undecided();
        player.play_all(then);
        let coverage = player.detector.report().coverage;
        (before, coverage.uncorrected.events(), coverage.loss.events(), coverage.complete)
    };
    assert_eq!(lost(100, "1s snapshot"), (true, 0, 100, true));
    assert_eq!(lost(137, "2s report"), (true, 37, 137, false));
    assert_eq!(lost(137, "3s snapshot"), (true, 0, 137, true));
    assert_eq!(lost(137, "4s report"), (false, 0, 137, true));
}

fn facts_lost(timeline: &str) -> Vec<Note> {
    let mut player = Player::new(Options::default());
    player.play_all(timeline);
    player.detector.report().coverage.notes
}

#[test]
fn a_note_names_the_facts_that_lost_events_would_have_given() {
    let lost =
        |ages, openers, call_sites| Vec::from([Note::FactsLost { ages, openers, call_sites }]);
    let events_lost = "
        0s open old pid=10
        1s snapshot
        2s lose-events
        3s open a1..a3 pid=10
        4s deliver-events
        5s snapshot";
    assert_eq!(facts_lost(events_lost), lost(3, 3, 0));
    let others = format!("{events_lost}\n 6s open b pid=10\n 7s close a1..a2\n 8s snapshot");
    assert_eq!(facts_lost(&others), lost(1, 1, 0));
    assert_eq!(facts_lost(&format!("{others}\n 9s close a3\n 10s snapshot")), []);
    let with_stacks = events_lost.replace("1s snapshot", "0s open c pid=10 stack=7\n 1s snapshot");
    assert_eq!(facts_lost(&with_stacks), lost(3, 3, 3));
    // Connections that were open before the run began have lost no facts.
    let before =
        "0s open old pid=10\n 1s lose-events\n 2s close old\n 2s open a pid=11\n 3s snapshot";
    assert_eq!(facts_lost(before), []);
}

#[test]
fn a_connection_whose_stack_was_lost_has_no_call_site() {
    let mut player = Player::new(Options::default());
    player.play_all("0s open a pid=10 stack=7\n 0s open b1..b2 pid=10\n 1s snapshot");
    assert_eq!(player.detector.report().coverage.notes, []);
    player.detector.handle(Input::Loss(Loss { stacks_lost: 2, ..Loss::default() }));
    let cost = Note::FactsLost { ages: 0, openers: 0, call_sites: 2 };
    assert_eq!(player.detector.report().coverage.notes, [Note::StacksLost { count: 2 }, cost]);
}

/// Sizes of a group with `in_use` connections in use at `at_s` seconds.
fn in_use(in_use: usize, at_s: u64) -> GroupSize {
    let at = Timestamp::from_ms(at_s * 1_000);
    GroupSize { count: 60, in_use: (in_use, at), ..GroupSize::empty(at) }
}

#[test]
fn numbers_near_the_largest_in_use_are_remembered_when_it_rises() {
    let mut turnover = Turnover::new(Direction::Outbound, Timestamp::default());
    let after = |at_s: u64| Timestamp::from_ms(at_s * 1_000);
    for (number, at_s) in [(48, 10), (50, 100), (50, 105), (49, 200), (48, 300)] {
        turnover.observe(in_use(number, at_s), 60_000);
    }
    assert_eq!(turnover.in_use_max, (50, after(105)));
    assert!(turnover.was_nearly_reached_twice(1, after(99)), "by 50 and by 49");
    assert!(!turnover.was_nearly_reached_twice(1, after(110)));
    assert!(turnover.was_nearly_reached_twice(2, after(150)), "by 49 and by 48");
    turnover.observe(in_use(51, 400), 60_000);
    assert!(turnover.was_nearly_reached_twice(2, after(150)), "by 49 and by 51");
    assert!(turnover.was_nearly_reached_twice(3, after(250)), "by 48 and by 51");
    assert!(!turnover.was_nearly_reached_twice(1, after(110)));
}

/// A dead connection that was closed.
fn cleaned(dead_s: u64, at_s: u64) -> Cleaned {
    let [dead_since, at] = [dead_s, at_s].map(|at_s| Timestamp::from_ms(at_s * 1_000));
    Cleaned {
        id: ConnectionId(1),
        at,
        dead_since,
        peer_closed: None,
        alive_max_since: 0,
        was_used: false,
        was_seen_dead: true,
    }
}

/// Three connections were closed 40s after they had died, with `--idle` 60s.
#[test]
fn what_died_lately_may_still_be_closed() {
    let options = Options::default();
    let after = |closed: &[(u64, u64)], direction: Direction, dead_s: u64, now_s: u64| {
        let mut turnover = Turnover::new(direction, Timestamp::default());
        for (dead_s, at_s) in closed {
            let cleaned = cleaned(*dead_s, *at_s);
            let size = in_use(1, *at_s);
            turnover.clean_up(cleaned.at, &[cleaned], &Remaining::default(), size, &options);
        }
        let [dead_since, now] = [dead_s, now_s].map(|at_s| Timestamp::from_ms(at_s * 1_000));
        turnover.may_still_close(dead_since, now, &options)
    };
    let closed = [(100, 140), (110, 150), (120, 160)];
    let [inbound, outbound] = [Direction::Inbound, Direction::Outbound];
    assert!(after(&closed, inbound, 90, 170), "a server closes in any order");
    assert!(!after(&closed, inbound, 89, 170), "twice the longest time has passed");
    assert!(after(&closed, outbound, 116, 170));
    assert!(!after(&closed, outbound, 114, 170), "one that died later was closed");
    assert!(!after(&closed[1..], inbound, 90, 170), "two are too few");
    assert!(!after(&[(100, 110), (110, 120), (120, 130)], inbound, 125, 132), "closed at once");
    let closed = [(100, 2_000), (110, 2_010), (120, 2_020)];
    assert!(after(&closed, inbound, 1_000, 2_200), "at most ten times --idle counts");
    assert!(!after(&closed, inbound, 999, 2_200));
}

/// `--min-count` rises by one step for each time that flagged connections were used again, at most
/// by four, and falls by one step per ten times `--idle`.
#[test]
fn min_count_rises_with_each_use_and_falls_again() {
    let options = Options { idle_ms: 10_000, ..Options::default() };
    let mut turnover = Turnover::new(Direction::Outbound, Timestamp::default());
    let raises = |turnover: &Turnover, at_s: u64| {
        turnover.raises(Timestamp::from_ms(at_s * 1_000), options.idle_ms)
    };
    for at_s in [100, 110, 120, 130, 140] {
        let used = Cleaned { was_used: true, ..cleaned(at_s, at_s) };
        let at = used.at;
        turnover.clean_up(at, &[used], &Remaining::default(), in_use(1, at_s), &options);
    }
    assert_eq!(raises(&turnover, 141), 4);
    assert_eq!(raises(&turnover, 239), 4);
    assert_eq!(raises(&turnover, 241), 3);
    assert_eq!(raises(&turnover, 541), 0);
}
