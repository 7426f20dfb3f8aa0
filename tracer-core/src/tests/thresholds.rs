//! Thresholds that differ from the defaults.

use std::string::String;

use expect_test::expect;

use super::{check_with, timeline};
use crate::Options;

/// The headline of a timeline's only finding.
fn headline(timeline: &str, options: Options) -> String {
    let report = timeline::run(timeline, options);
    report.lines().find(|line| line.contains("p10")).unwrap_or(&report).into()
}

#[test]
fn a_pool_is_as_large_as_the_option() {
    let dead = "
        0s open a1..a6 pid=10
        1s peer-resets a1..a6
        100s snapshot
        101s report";
    let with = |pool_size| headline(dead, Options { pool_size, ..Options::default() });
    assert!(with(6).contains("stale-pool"), "{}", with(6));
    assert!(with(5).contains("ghost"), "{}", with(5));
    assert!(with(5).contains("possible"), "{}", with(5));
}

#[test]
fn as_many_as_a_pool_keeps_are_not_likely() {
    let rising = "
        0s open a1..a6 every=30s pid=10
        1s peer-resets a1..a6 every=30s
        300s snapshot
        301s report";
    let with = |pool_size| headline(rising, Options { pool_size, ..Options::default() });
    assert!(with(6).contains("stale-pool"), "{}", with(6));
    assert!(with(5).contains("ghost likely"), "{}", with(5));
}

#[test]
fn unread_data_counts_from_the_size_of_the_option() {
    let unread = "
        0s open a1..a6 every=20s pid=10
        1s receive a1..a6 every=20s bytes=9000
        110s snapshot
        180s snapshot
        181s report";
    let with =
        |unread_min_bytes| headline(unread, Options { unread_min_bytes, ..Options::default() });
    assert!(with(8_999).contains("likely"), "{}", with(8_999));
    assert!(with(9_000).contains("possible"), "{}", with(9_000));
}

/// Each snapshot counts the connections that do not fit, and freed space is reused.
#[test]
fn connections_are_bounded() {
    check_with(
        Options { connections_max: 6, ..Options::default() },
        "
        0s open a1..a9 pid=10
        1s peer-resets a1..a9
        100s snapshot
        101s report
        102s close a1..a7
        103s snapshot
        104s snapshot
        105s report",
        &expect![[r#"
            [1m 40s]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x6, oldest 1m 40s, active 0s
                 dead count=6 dead=99000..99000ms is_lower_bound=false
                 death-unnoticed count=6
                 but single-cause-possible
              incomplete
            [1m 44s]
              #1 stale-pool info: p10[10] outbound 10.0.0.1:443 x2, oldest >1m 44s, active 4s
                 dead count=2 dead=103000..103000ms is_lower_bound=false
                 death-unnoticed count=2
                 but single-cause-possible
        "#]],
    );
}
