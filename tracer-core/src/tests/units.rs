//! The smaller parts on their own.

use std::vec::Vec;

use crate::{Interval, Timestamp, duration::humane, moments::Moments};

fn interval(earliest_s: u64, latest_s: u64) -> Interval {
    Interval {
        earliest: Timestamp::from_ms(earliest_s * 1_000),
        latest: Timestamp::from_ms(latest_s * 1_000),
    }
}

fn moments(intervals: &[(u64, u64)]) -> (usize, u64) {
    let intervals: Vec<Interval> =
        intervals.iter().map(|(earliest, latest)| interval(*earliest, *latest)).collect();
    let moments = Moments::of(intervals, 5_000);
    (moments.separate, moments.spread_ms)
}

#[test]
fn moments_count_only_what_is_certainly_apart() {
    assert_eq!(moments(&[]), (0, 0));
    assert_eq!(moments(&[(10, 10)]), (1, 0));
    assert_eq!(moments(&[(10, 10), (12, 12), (15, 15)]), (1, 0), "within the gap");
    assert_eq!(moments(&[(10, 10), (20, 20), (30, 30)]), (3, 20_000));
    assert_eq!(moments(&[(0, 100), (20, 90), (50, 95)]), (1, 0), "all may be one");
    assert_eq!(moments(&[(0, 10), (5, 60), (20, 30), (50, 70)]), (3, 40_000));
}

#[test]
fn rising_needs_three_times_and_the_time() {
    let of = |seconds: &[u64]| {
        Moments::of(seconds.iter().map(|second| interval(*second, *second)), 5_000)
    };
    assert!(!of(&[0, 100]).rising(60_000));
    assert!(!of(&[0, 20, 40]).rising(60_000));
    assert!(of(&[0, 30, 60]).rising(60_000));
}

#[test]
fn durations_read_like_speech() {
    let table = [
        (0, "0s"),
        (59_999, "59s"),
        (60_000, "1m"),
        (90_000, "1m 30s"),
        (51 * 60_000, "51m"),
        (125 * 60_000, "2h 5m"),
        (86_400_000, "1d"),
        (100 * 3_600_000, "4d 4h"),
    ];
    for (milliseconds, text) in table {
        assert_eq!(humane(milliseconds), text);
    }
}
