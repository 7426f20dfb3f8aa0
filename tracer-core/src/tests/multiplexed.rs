//! HTTP/2: many responses on one connection, which is in use all the while.

use expect_test::expect;

use super::check;

/// Fourteen streams of 4 MB each that nobody reads, on a connection that others use.
const FORGOTTEN: &str = "
    0s call-site stack=7 is=main.export,report.go:40
    0s call-site stack=8 is=main.watch,watch.go:5
    0s snapshot
    1s open a pid=10
    1s reader a is=goroutine
    2s hand-out a streams=14 held=4000000 stack=7
    2s hand-out a streams=3 first=20 held=0 stack=8
    5s receive a bytes=9000
    5s read a
";

fn check_forgotten(rest: &str, expect: &expect_test::Expect) {
    check(&[FORGOTTEN, rest].concat(), expect);
}

#[test]
fn streams_that_nobody_reads_are_found_on_a_busy_connection() {
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 2m 9s, stood 0s, at main.export report.go:40, responses 14
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 1m
            [2m 12s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 2m 11s, stood 2s, at main.export report.go:40, responses 14
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 1m 2s
            2m 10s flagged 0x1 body-not-closed likely at main.export report.go:40
        "#]],
    );
}

/// Nothing was received that could be read: watches and streams of gRPC.
#[test]
fn a_stream_on_which_nothing_lies_says_nothing() {
    check_forgotten(
        "
        60s give-back a streams=14
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
fn a_slow_reader_reads() {
    check_forgotten(
        "
        70s snapshot
        100s hand-out a streams=14 held=3000000
        101s snapshot
        150s hand-out a streams=14 held=2000000
        151s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s] nothing
        "#]],
    );
}

/// It was read from once, and may be paused.
#[test]
fn streams_that_were_read_are_only_possible() {
    check_forgotten(
        "
        70s snapshot
        100s hand-out a streams=14 held=3000000
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, at main.export report.go:40, responses 14
                 14 streams of HTTP/2 on 1 socket, 42 MB held in the program's memory, and nobody has read them for 1m 39s
                 14 of 14 were read for a while and may be paused
        "#]],
    );
}

#[test]
fn a_few_streams_are_only_possible() {
    check_forgotten(
        "
        60s give-back a streams=12
        70s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, at main.export report.go:40, responses 2
                 2 streams of HTTP/2 on 1 socket, 8000 kB held in the program's memory, and nobody has read them for 2m 10s
                 5 would be telling; so few may be responses that somebody will come back to
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
              #2 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, at main.export report.go:40, responses 14
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 2m 10s
                 the process itself waits for 14 peers to read: it may be passing data on
              #1 peer-not-reading info: p10[10] inbound :8080 x14, oldest 3m 17s, stood 2m 10s +0.0/min
                 840000 bytes cannot be sent on 14 sockets: the peer has read nothing for 3m 17s
                 the fault is the peer's: look there
        "#]],
    );
}

#[test]
fn a_stopped_process_is_not_accused() {
    check_forgotten(
        "
        70s snapshot
        71s stop pid=10
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s] nothing
        "#]],
    );
}

/// One connection, two places: each is a finding, and the connection has one verdict.
#[test]
fn a_connection_is_in_the_finding_of_each_call_site() {
    check_forgotten(
        "
        2s hand-out a streams=6 first=30 held=70000 stack=8
        70s snapshot
        200s snapshot
        200s report
        201s changes
        202s give-back a streams=14
        203s snapshot
        203s report
        204s changes
        205s give-back a streams=6 first=30
        206s snapshot
        206s report
        207s changes
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, at main.export report.go:40, responses 14
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 2m 10s
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, at main.watch watch.go:5, responses 6
                 6 streams of HTTP/2 on 1 socket, 420 kB held in the program's memory, and nobody has read them for 2m 10s
            3m 20s flagged 0x1 body-not-closed likely at main.export report.go:40
            [3m 23s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 22s, stood 3s, at main.watch watch.go:5, responses 6
                 6 streams of HTTP/2 on 1 socket, 420 kB held in the program's memory, and nobody has read them for 2m 13s
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 3s, at main.export report.go:40, responses 14, taken back
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 2m 10s
            [3m 26s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 22s, stood 6s, at main.watch watch.go:5, responses 6, taken back
                 6 streams of HTTP/2 on 1 socket, 420 kB held in the program's memory, and nobody has read them for 2m 13s
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 3s, at main.export report.go:40, responses 14, taken back
                 14 streams of HTTP/2 on 1 socket, 56 MB held in the program's memory, and nobody has read them for 2m 10s
            3m 26s retracted 0x1 body-not-closed likely at main.watch watch.go:5
        "#]],
    );
}

/// Half of its streams are as good as proved, the others may be paused: no other verdict has those,
/// though a surer one claims the connection.
#[test]
fn a_connection_with_two_call_sites_has_one_verdict() {
    check(
        "
        0s call-site stack=7 is=main.export,report.go:40
        0s call-site stack=8 is=main.download,files.go:5
        0s snapshot
        1s open a b1..b4 pid=10
        1s reader a is=goroutine
        2s hand-out a streams=6 held=5000 stack=7
        2s hand-out a streams=6 first=30 held=5000 stack=8
        3s receive a b1..b4 bytes=9000
        70s snapshot
        100s hand-out a streams=6 first=30 held=4000
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, reader goroutine, at main.export report.go:40, responses 6
                 6 streams of HTTP/2 on 1 socket, 30 kB held in the program's memory, and nobody has read them for 2m 10s
              #3 body-not-closed possible: p10[10] outbound 10.0.0.1:443 x1, oldest 3m 19s, stood 0s, reader goroutine, at main.download files.go:5, responses 6
                 6 streams of HTTP/2 on 1 socket, 24 kB held in the program's memory, and nobody has read them for 1m 39s
                 6 of 6 were read for a while and may be paused
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x4, oldest 3m 19s, stood 2m 10s +0.0/min
                 36000 bytes lie unread on 4 sockets, and no more came for 3m 17s
                 nothing was read in the 3m 17s they were watched
                 they may all have gone silent at one time, as by a restart
                 4 of 4 hold more than 4096 bytes, 5 would be telling: less can be TLS session tickets
        "#]],
    );
}
