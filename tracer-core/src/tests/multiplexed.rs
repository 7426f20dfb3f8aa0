//! HTTP/2: many responses on one connection that stays in use.

use expect_test::expect;

use super::check;

/// Fourteen streams of 4 MB each that are never read, on a connection that other streams use.
const FORGOTTEN: &str = "
    0s call-site stack=7 is=main.export,report.go:40
    0s call-site stack=8 is=main.watch,watch.go:5
    0s snapshot
    1s open a pid=10
    1s reader a is=goroutine
    2s start-response a streams=14 held=4000000 stack=7
    2s start-response a streams=3 first=20 held=0 stack=8
    5s receive a bytes=9000
    5s read a
";

fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
    check(&[FORGOTTEN, rest].concat(), expect);
}

#[test]
fn unread_streams_are_found_on_a_busy_connection() {
    check_forgotten(
        "
        70s snapshot
        70s report
        129s send a bytes=10
        129s receive a bytes=10
        129s read a
        130s snapshot
        130s report
        131s send a bytes=10
        131s receive a bytes=10
        131s read a
        132s snapshot
        132s report
        133s changes
        ",
        &expect![[r#"
            [1m 10s] nothing
            [2m 10s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 2m 9s, active 0s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=60000..60000ms
            [2m 12s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 2m 11s, active 2s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=62000..62000ms
            2m 10s flagged 0x1 body-not-closed likely at main.export report.go:40
        "#]],
    );
}

/// No data was received, so there is nothing to read: watches and gRPC streams.
#[test]
fn a_stream_without_data_is_no_finding() {
    check_forgotten(
        "
        60s return-response a streams=14
        70s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s] nothing
        "#]],
    );
}

#[test]
fn a_slow_reader_is_no_finding() {
    check_forgotten(
        "
        70s snapshot
        100s start-response a streams=14 held=3000000
        101s snapshot
        150s start-response a streams=14 held=2000000
        151s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s] nothing
        "#]],
    );
}

/// Each was read from once, and may be paused.
#[test]
fn streams_that_were_read_are_only_possible() {
    check_forgotten(
        "
        70s snapshot
        100s start-response a streams=14 held=3000000
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=42000000 unread=99000..99000ms
                 but pause-possible count=14 total=14
        "#]],
    );
}

#[test]
fn a_few_streams_are_only_possible() {
    check_forgotten(
        "
        60s return-response a streams=12
        70s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.export report.go:40, responses 2
                 streams-unread streams=2 connections=1 buffered_bytes=8000000 unread=130000..130000ms
                 but too-few-responses count=2 count_min=5
        "#]],
    );
}

#[test]
fn a_proxy_with_slow_clients_is_only_possible() {
    check_forgotten(
        "
        3s accept b1..b14 pid=10
        4s stall b1..b14 bytes=60000
        70s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=130000..130000ms
                 but send-blocked connections=14
              #1 peer-not-reading info: p10[10] inbound :8080 x14, oldest 3m 17s, active 2m 10s +0.0/min
                 send-stalled count=14 unsent_bytes=840000 stalled=197000..197000ms
        "#]],
    );
}

#[test]
fn a_stopped_process_is_not_flagged() {
    check_forgotten(
        "
        70s snapshot
        71s stop pid=10
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=130000..130000ms
                 but process-stopped
              incomplete
        "#]],
    );
}

/// One connection, two call sites: each is a finding, and the connection has one verdict.
#[test]
fn a_connection_is_in_the_finding_of_each_call_site() {
    check_forgotten(
        "
        2s start-response a streams=6 first=30 held=70000 stack=8
        70s snapshot
        200s snapshot
        200s report
        201s changes
        202s return-response a streams=14
        203s snapshot
        203s report
        204s changes
        205s return-response a streams=6 first=30
        206s snapshot
        206s report
        207s changes
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.export report.go:40, responses 14
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=130000..130000ms
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, at main.watch watch.go:5, responses 6
                 streams-unread streams=6 connections=1 buffered_bytes=420000 unread=130000..130000ms
            3m 20s flagged 0x1 body-not-closed likely at main.export report.go:40
            [3m 23s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 22s, active 3s, at main.watch watch.go:5, responses 6
                 streams-unread streams=6 connections=1 buffered_bytes=420000 unread=133000..133000ms
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 3s, at main.export report.go:40, responses 14, retracted, peak likely x1
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=130000..130000ms
            [3m 26s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 22s, active 6s, at main.watch watch.go:5, responses 6, retracted, peak likely x1
                 streams-unread streams=6 connections=1 buffered_bytes=420000 unread=133000..133000ms
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 3s, at main.export report.go:40, responses 14, retracted, peak likely x1
                 streams-unread streams=14 connections=1 buffered_bytes=56000000 unread=130000..130000ms
            3m 26s retracted 0x1 body-not-closed likely at main.watch watch.go:5
        "#]],
    );
}

/// Half of its streams are likely leaked, the others may be paused: the latter get no other
/// verdict, even if a rule with a higher confidence claims the connection.
#[test]
fn a_connection_with_two_call_sites_has_one_verdict() {
    check(
        "
        0s call-site stack=7 is=main.export,report.go:40
        0s call-site stack=8 is=main.download,files.go:5
        0s snapshot
        1s open a b1..b4 pid=10
        1s reader a is=goroutine
        2s start-response a streams=6 held=5000 stack=7
        2s start-response a streams=6 first=30 held=5000 stack=8
        3s receive a b1..b4 bytes=9000
        70s snapshot
        100s start-response a streams=6 first=30 held=4000
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, reader goroutine, at main.export report.go:40, responses 6
                 streams-unread streams=6 connections=1 buffered_bytes=30000 unread=130000..130000ms
              #3 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, active 0s, reader goroutine, at main.download files.go:5, responses 6
                 streams-unread streams=6 connections=1 buffered_bytes=24000 unread=99000..99000ms
                 but pause-possible count=6 total=6
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x4, oldest 3m 19s, active 2m 10s +0.0/min
                 unread-silent count=4 unread_bytes=36000 silent=197000..197000ms
                 nothing-read watched=197000..197000ms
                 but single-cause-possible
                 but too-little-unread count=4 total=4 unread_min_bytes=4096 count_min=5
        "#]],
    );
}
