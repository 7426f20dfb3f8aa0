//! How a verdict changes when the list of responses changes or is missing.

use expect_test::expect;

use super::{
    bodies::{FORGOTTEN, check_forgotten},
    check, check_with,
};
use crate::Options;

#[test]
fn a_returned_response_is_retracted() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s changes
        302s return-response a1..a9
        302s reader a1..a9 is=goroutine http=idle
        303s snapshot
        303s report
        304s changes
        ",
        &expect![[r#"
            5m flagged 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x9 body-not-closed certain at main.doSomething billing.go:23
            [5m 3s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 3s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9, retracted, peak certain x9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
            5m 3s retracted 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m 3s retracted 0x9 body-not-closed certain at main.doSomething billing.go:23
        "#]],
    );
}

/// The ledger could not be read for a while: the old list remains valid for a short time.
#[test]
fn a_missing_list_is_not_an_empty_one() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s lose-ledger pid=10
        302s snapshot
        303s snapshot
        304s snapshot
        304s report
        305s snapshot
        305s report
        306s find-ledger pid=10
        307s snapshot
        307s report
        ",
        &expect![[r#"
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 3s, active 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=183000..303000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=183000
            [5m 5s]
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 4s, active 0s ~+4.0/min, reader none
                 response-silent count=9 silent=183000..303000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=WentSilent times=9 span_ms=120000 since_last_ms=183000
            [5m 7s]
              #3 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 6s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=186000..306000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=186000
        "#]],
    );
}

/// The list is old: the file descriptor refers to another connection now.
#[test]
fn a_reused_fd_has_no_response() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        1s start-response a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        70s snapshot
        70s report
        71s lose-ledger pid=10
        72s close a1
        73s open b1 pid=10 fd=9
        73s send b1 bytes=10
        74s receive b1 bytes=10
        74s read b1
        74s reader b1 is=none
        75s snapshot
        140s snapshot
        140s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, active 0s, reader none, responses 1
                 open-responses count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
            [2m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, active 5s, reader none, responses 1, retracted, peak likely x1
                 open-responses count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

/// The same without events: the new connection was not in the previous snapshot.
#[test]
fn a_reused_fd_without_events_has_no_response() {
    check(
        "
        0s lose-events
        0s snapshot
        1s open a1 pid=10 fd=9
        1s start-response a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        2s snapshot
        70s snapshot
        70s report
        71s lose-ledger pid=10
        72s close a1
        73s open b1 pid=10 fd=9
        74s receive b1 bytes=10
        74s read b1
        74s reader b1 is=none
        75s snapshot
        140s snapshot
        140s report
        ",
        &expect![[r#"
            [1m 10s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 9s, active 0s, reader none, responses 1
                 open-responses count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
            [2m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 9s, active 1m 10s, reader none, responses 1, retracted, peak likely x1
                 open-responses count=1 age=69000..69000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

/// The timestamps that bound the age of a connection advance with every use; the request is older.
#[test]
fn the_bound_of_an_age_does_not_hide_a_response() {
    check(
        "
        0s lose-events
        0s open a1 pid=10
        2s start-response a1 streams=6 held=5000
        100s send a1 bytes=10
        100s receive a1 bytes=10
        101s read a1
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 40s, active 0s, responses 6
                 streams-unread streams=6 connections=1 buffered_bytes=30000 unread=99000..99000ms
        "#]],
    );
}

/// A child made the request on a connection that its parent owns as long as the parent holds it.
#[test]
fn a_ledger_does_not_count_for_the_connections_of_other_processes() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        2s share a1 pid=11 fd=9
        3s start-response a1 pid=11
        4s receive a1 bytes=10
        4s read a1
        5s reader a1 is=none http=body
        100s snapshot
        100s report
        101s unshare a1 pid=10
        102s snapshot
        102s report
        ",
        &expect![[r#"
            [1m 40s] nothing
            [1m 42s]
              #1 body-not-closed likely: p11[11] outbound 10.0.0.1:443 x1, oldest 1m 41s, active 0s, reader none, responses 1
                 open-responses count=1 age=99000..99000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

/// The fd number that another process has for a connection refers to a different connection in this
/// process.
#[test]
fn fds_are_those_of_the_process_itself() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        2s share a1 pid=11 fd=20
        3s open b1 pid=10 fd=20 to=10.0.0.2:443
        4s start-response b1
        5s receive a1 b1 bytes=10
        5s read a1 b1
        5s reader a1 b1 is=none http=body
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.2:443 x1, oldest 1m 37s, active 0s, reader none, responses 1
                 open-responses count=1 age=96000..96000ms
                 response-unreferenced count=1 total=1
                 but too-few-responses count=1 count_min=5
        "#]],
    );
}

#[test]
fn a_new_program_in_the_process_has_no_responses() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s exec pid=10
        301s reader a1..a9
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, active 0s ~+4.0/min
                 served-once count=9 silent=180000..300000ms
                 rising occurrence=WentSilent times=9 span_ms=120000 since_last_ms=180000
                 but cause-ambiguous
        "#]],
    );
}

/// The verdict stays when the peer or the kernel gives up.
#[test]
fn the_verdict_stays_when_the_peer_closes() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        300s report
        301s peer-closes a1..a9
        302s snapshot
        400s snapshot
        401s peer-resets a1..a4
        402s snapshot
        500s snapshot
        500s report
        501s changes
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
            [8m 20s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 8m 19s, active 3m 20s +0.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=379000..499000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=379000
            5m flagged 0x1 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x2 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x3 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x4 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x5 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x6 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x7 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x8 body-not-closed certain at main.doSomething billing.go:23
            5m flagged 0x9 body-not-closed certain at main.doSomething billing.go:23
        "#]],
    );
}

/// A stopped process gets no new finding; earlier findings stay.
#[test]
fn a_stopped_process_is_not_flagged() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        1s stop pid=10
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
                 but process-stopped
              incomplete
        "#]],
    );
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s stop pid=10
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, active 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 open-responses count=9 age=181000..301000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=181000
                 but process-stopped
              incomplete
        "#]],
    );
}

/// Responses that do not fit are counted, and make the report incomplete.
#[test]
fn responses_are_bounded() {
    check_with(
        Options { responses_max: 7, ..Options::default() },
        &[
            FORGOTTEN,
            "
            1s reader a1..a9 every=15s is=none http=body
            300s snapshot
            300s report
            301s return-response a1..a3
            302s snapshot
            302s report
            ",
        ]
        .concat(),
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x7, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 7
                 open-responses count=7 age=209000..299000ms
                 response-unreferenced count=7 total=7
                 rising occurrence=Requested times=7 span_ms=90000 since_last_ms=209000
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x2, oldest 3m 14s, active 0s, reader none
                 response-silent count=2 silent=178000..193000ms
                 response-unreferenced count=2 total=2
                 same-destination count=9
                 separate-times occurrence=WentSilent times=2 span_ms=15000
              incomplete
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 16s, active 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 open-responses count=6 age=181000..256000ms
                 response-unreferenced count=6 total=6
                 rising occurrence=Requested times=6 span_ms=75000 since_last_ms=181000
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 1s, active 2s, reader none
                 response-silent count=3 silent=270000..300000ms
                 response-unreferenced count=3 total=3
                 same-destination count=9
                 separate-times occurrence=WentSilent times=3 span_ms=30000
        "#]],
    );
}
