//! Connections that a process did not open: inherited by mistake, or passed on purpose.

use expect_test::expect;

use super::check;

/// A program that opens its pool and then forks twice, after which the parents exit.
#[test]
fn a_daemon_with_the_pool_of_its_parent_is_only_possible() {
    check(
        "
        0s snapshot
        1s open a1..a8 pid=10
        2s share a1..a8 pid=11 forked=2s
        2s forked-only pid=11
        3s unshare a1..a8 pid=10
        4s reader a1..a8 is=unknown
        4s snapshot
        100s snapshot
        101s snapshot
        101s report
        102s reader a1..a8 is=none
        135s snapshot
        135s report
        ",
        &expect![[r#"
            [1m 41s]
              #1 inherited possible: p11[11] outbound 10.0.0.1:443 x8, oldest 1m 40s, active 1s +0.0/min
                 opened-by-another count=8 silent=100000..100000ms
                 opener pid=10
                 but opener-not-seen
                 but reader-unknown count=8 total=8
            [2m 15s]
              #1 inherited possible: p11[11] outbound 10.0.0.1:443 x8, oldest 2m 14s, active 35s +0.0/min
                 opened-by-another count=8 silent=134000..134000ms
                 opener pid=10
                 but opener-not-seen
                 but reader-unknown count=8 total=8
        "#]],
    );
}

/// The parent still runs and has closed its own file descriptors.
#[test]
fn a_fork_that_keeps_copies_is_likely_while_its_parent_lives() {
    check(
        "
        0s snapshot
        1s open a1..a6 b1 pid=10
        2s share a1..a6 pid=11 forked=2s
        2s forked-only pid=11
        3s unshare a1..a6 pid=10
        4s reader a1..a6 is=none
        100s snapshot
        100s report
        101s reader a2 is=unknown
        102s snapshot
        102s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 inherited likely: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s, reader none
                 opened-by-another count=6 silent=99000..99000ms
                 opener pid=10
                 forked-from-opener
                 no-reader-no-epoll count=6
            [1m 42s]
              #1 inherited possible: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 41s, active 2s, reader mixed
                 opened-by-another count=6 silent=101000..101000ms
                 opener pid=10
                 forked-from-opener
                 but reader-unknown count=1 total=6
        "#]],
    );
}

/// A worker is started for each connection and receives it as a file descriptor.
#[test]
fn one_connection_that_was_passed_is_only_possible() {
    check(
        "
        0s snapshot
        1s accept a pid=10
        2s share a pid=11 forked=2s fd=4
        3s unshare a pid=10
        3s reader a is=unknown
        100s snapshot
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 41s]
              #1 inherited possible: p11[11] inbound :8080 x1, oldest 1m 40s, active 1s
                 opened-by-another count=1 silent=100000..100000ms
                 opener pid=10
                 close-on-exec-missing
                 no-thread-no-epoll count=1
                 but too-few-inherited count=1 count_min=5
        "#]],
    );
}

/// No code will read from a file descriptor that a program inherited by mistake.
#[test]
fn an_executed_child_without_a_reader_is_certain_at_the_second_inspection() {
    check(
        "
        0s snapshot
        1s open a1..a6 pid=10
        2s share a1..a6 pid=11 forked=2s
        3s unshare a1..a6 pid=10
        3s reader a1..a6 is=unknown
        100s snapshot
        100s report
        101s snapshot
        101s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 inherited likely: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 39s, active 0s
                 opened-by-another count=6 silent=99000..99000ms
                 opener pid=10
                 close-on-exec-missing
                 no-thread-no-epoll count=6
            [1m 41s]
              #1 inherited certain: p11[11] outbound 10.0.0.1:443 x6, oldest 1m 40s, active 1s
                 opened-by-another count=6 silent=100000..100000ms
                 opener pid=10
                 close-on-exec-missing
                 no-thread-no-epoll count=6
        "#]],
    );
}
