//! Findings when kernel memory cannot be read, as with sock_diag(7).

use expect_test::expect;

use super::check;

#[test]
fn a_close_wait_leak_is_dated_by_the_last_acknowledgment() {
    check(
        "
        0s sock-diag
        1s open a1..a23 every=6s pid=10
        6s peer-closes a1..a23 every=6s
        240s snapshot
        240s report
        ",
        &expect![[r#"
            [4m]
              #1 close-wait possible: p10[10] outbound 10.0.0.1:443 x23, oldest >3m 59s, active 0s
                 peer-closed count=23 ago=102000..239000ms
                 series occurrence=PeerClosed count=23 span_ms=127000 pause_max_ms=11000 since_last_ms=102000
                 but undecided watch_ms=360000
        "#]],
    );
}

#[test]
fn the_death_of_a_ghost_is_dated_by_watching() {
    check(
        "
        0s sock-diag
        1s open a1..a23 every=6s pid=10
        200s peer-resets a1..a23
        300s snapshot
        300s report
        363s snapshot
        363s report
        ",
        &expect![[r#"
            [5m] nothing
            [6m 3s]
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x23, oldest >6m 2s, active 0s +0.0/min
                 dead count=23 dead=63000..63000ms is_lower_bound=true
                 death-unnoticed count=23
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn ghosts_that_are_watched_dying_in_three_batches_are_only_possible() {
    check(
        "
        0s sock-diag
        1s open a1..a23 every=1s pid=10
        50s snapshot
        60s peer-resets a1..a8
        70s snapshot
        95s snapshot
        100s peer-resets a9..a15
        105s snapshot
        145s snapshot
        150s peer-resets a16..a23
        160s snapshot
        230s snapshot
        230s report
        ",
        &expect![[r#"
            [3m 50s]
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x23, oldest >3m 49s, active 1m 25s +0.0/min
                 dead count=23 dead=70000..160000ms is_lower_bound=true
                 separate-times occurrence=Died times=2 span_ms=75000
                 death-unnoticed count=23
                 but undecided watch_ms=435000
        "#]],
    );
}

#[test]
fn a_death_is_reported_to_the_process_if_no_error_is_pending() {
    check(
        "
        0s sock-diag
        1s open a1..a6 pid=10
        20s peer-resets a1..a6
        21s read a1..a6
        30s snapshot
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 ghost possible: p10[10] outbound 10.0.0.1:443 x6, oldest >1m 39s, active 0s +0.0/min
                 dead count=6 dead=70000..70000ms is_lower_bound=true
                 death-reported count=6 total=6
                 but single-cause-possible
        "#]],
    );
}
