//! What becomes of a verdict when the ledger's page says something else, or nothing.

use std::vec::Vec;

use expect_test::expect;

use super::{
    bodies::{FORGOTTEN, check_forgotten},
    check, check_with,
};
use crate::{
    HttpStream, Ledger, OpenResponse, Options, ProcessKey, StackId, Timestamp, pages::Pages,
};

#[test]
fn what_is_given_back_is_taken_back() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s changes
        302s give-back a1..a9
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
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 3s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9, taken back
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
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

/// Nobody could read the ledger for a while: what it said holds for as long as that is short.
#[test]
fn a_page_that_is_missing_is_not_an_empty_one() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        300s snapshot
        301s lose-page pid=10
        302s snapshot
        303s snapshot
        304s snapshot
        304s report
        305s snapshot
        305s report
        306s find-page pid=10
        307s snapshot
        307s report
        ",
        &expect![[r#"
            [5m 4s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 3s, stood 4s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 3s to 5m 3s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
            [5m 5s]
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 4s, stood 0s ~+4.0/min, reader none
                 9 sockets silent for 3m 3s to 5m 3s with a response that was never read to its end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they went silent at 9 separate times over 2m: rising
            [5m 7s]
              #3 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 6s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 6s to 5m 6s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// The page is of before: the descriptor is another connection's now.
#[test]
fn a_descriptor_that_was_used_again_has_no_response() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        1s hand-out a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        70s snapshot
        70s report
        71s lose-page pid=10
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, stood 0s, reader none, responses 1
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
            [2m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest 1m 9s, stood 5s, reader none, responses 1, taken back
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// The same where no event tells: whatever dates the new connection, it was not there at the look
/// before.
#[test]
fn a_descriptor_that_was_used_again_unseen_has_no_response() {
    check(
        "
        0s lose
        0s snapshot
        1s open a1 pid=10 fd=9
        1s hand-out a1
        1s receive a1 bytes=200
        1s read a1
        1s reader a1 is=none http=body
        2s snapshot
        70s snapshot
        70s report
        71s lose-page pid=10
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
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 9s, stood 0s, reader none, responses 1
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
            [2m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 9s, stood 1m 10s, reader none, responses 1, taken back
                 1 response requested 1m 9s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// The stamps that bound the age of a connection move with every use; the request is older.
#[test]
fn the_bound_of_an_age_does_not_hide_a_response() {
    check(
        "
        0s lose
        0s open a1 pid=10
        2s hand-out a1 streams=6 held=5000
        100s send a1 bytes=10
        100s receive a1 bytes=10
        101s read a1
        101s snapshot
        200s snapshot
        200s report
        ",
        &expect![[r#"
            [3m 20s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x1, oldest >1m 40s, stood 0s, responses 6
                 6 streams of HTTP/2 on 1 socket, 30 kB held in the program's memory, and nobody has read them for 1m 39s
                 where they were requested is not known
        "#]],
    );
}

/// A child made the request on a connection that its parent answers for, as long as that has it.
#[test]
fn a_ledger_says_nothing_of_what_others_answer_for() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        2s share a1 pid=11 fd=9
        3s hand-out a1 pid=11
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
              #1 body-not-closed likely: p11[11] outbound 10.0.0.1:443 x1, oldest 1m 41s, stood 0s, reader none, responses 1
                 1 response requested 1m 39s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

/// The number that another process has for a connection is in this one another connection's.
#[test]
fn descriptors_are_those_of_the_process_itself() {
    check(
        "
        0s snapshot
        1s open a1 pid=10 fd=9
        2s share a1 pid=11 fd=20
        3s open b1 pid=10 fd=20 to=10.0.0.2:443
        4s hand-out b1
        5s receive a1 b1 bytes=10
        5s read a1 b1
        5s reader a1 b1 is=none http=body
        100s snapshot
        100s report
        ",
        &expect![[r#"
            [1m 40s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.2:443 x1, oldest 1m 37s, stood 0s, reader none, responses 1
                 1 response requested 1m 36s ago, neither read to the end nor closed
                 on 1 of 1 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 where they were requested is not known
                 5 would be telling; so few may be responses that somebody will come back to
        "#]],
    );
}

#[test]
fn another_program_in_the_process_has_nothing_out() {
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
              #2 never-reused possible: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 0s ~+4.0/min
                 9 sockets answered once and never used again, silent for 3m to 5m
                 they went silent at 9 separate times over 2m: rising
                 small responses that nobody reads to their end, and clients made anew for each request, look the same from outside
        "#]],
    );
}

/// Whose fault it is does not change when the peer gives up, or the kernel does.
#[test]
fn it_stays_what_it_is_when_the_peer_closes() {
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
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 2m 59s to 4m 59s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
            [8m 20s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 8m 19s, stood 3m 20s +0.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 6m 19s to 8m 19s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
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

/// Nothing is held against a process that cannot act; what was found before stays.
#[test]
fn a_stopped_process_is_not_accused() {
    check_forgotten(
        "
        1s reader a1..a9 every=15s is=none http=body
        1s stop pid=10
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m] nothing
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
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, stood 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 9
                 9 responses requested 3m 1s to 5m 1s ago, neither read to the end nor closed
                 on 9 of 9 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 9 separate times over 2m: rising
        "#]],
    );
}

/// What did not fit is counted, and makes the report incomplete.
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
            301s give-back a1..a3
            302s snapshot
            302s report
            ",
        ]
        .concat(),
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x7, oldest 4m 59s, stood 0s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 7
                 7 responses requested 3m 29s to 4m 59s ago, neither read to the end nor closed
                 on 7 of 7 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 7 separate times over 1m 30s: rising
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x2, oldest 3m 14s, stood 0s, reader none
                 2 sockets silent for 2m 58s to 3m 13s with a response that was never read to its end nor closed
                 on 2 of 2 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they went silent at 2 separate times over 15s
              incomplete
            [5m 2s]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x6, oldest 4m 16s, stood 2s ~+4.0/min, reader none, at main.doSomething billing.go:23, responses 6
                 6 responses requested 3m 1s to 4m 16s ago, neither read to the end nor closed
                 on 6 of 6 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they were requested at 6 separate times over 1m 15s: rising
              #2 abandoned certain: p10[10] outbound 10.0.0.1:443 x3, oldest 5m 1s, stood 2s, reader none
                 3 sockets silent for 4m 30s to 5m with a response that was never read to its end nor closed
                 on 3 of 3 Go's HTTP client waits for the response to be read or closed, and no goroutine reads it or has it on its stack
                 they went silent at 3 separate times over 30s
        "#]],
    );
}

const PROCESS: ProcessKey = ProcessKey { start_time_ns: 1, pid: 10 };

fn at(second: u64) -> Timestamp {
    Timestamp::from_ms(second * 1_000)
}

fn out(fd: u32, second: u64, stream: Option<(u32, u64)>) -> OpenResponse {
    let stream =
        stream.map(|(id, held_bytes)| HttpStream { id, held_bytes, read_mark: held_bytes });
    OpenResponse { fd, since: at(second), stack: Some(StackId(1)), stream }
}

fn page(second: u64, open: &[OpenResponse]) -> Ledger {
    Ledger { process: PROCESS, at: at(second), open: open.to_vec(), limits: None }
}

#[test]
fn a_descriptor_has_one_response_of_http_1_and_that_is_the_latest() {
    let mut pages = Pages::new(100);
    pages.take(page(9, &[out(5, 3, None), out(4, 2, None), out(5, 7, None), out(5, 1, None)]), 1);
    assert_eq!(pages.on(PROCESS, 5).iter().map(|it| it.since).collect::<Vec<_>>(), [at(7)]);
    assert_eq!(pages.on(PROCESS, 4).len(), 1);
    assert_eq!((pages.on(PROCESS, 6).len(), pages.on(PROCESS, 3).len()), (0, 0));
}

/// Since when none of the bytes was read is carried from page to page, as long as it is the same
/// response.
#[test]
fn a_stream_is_watched_from_page_to_page() {
    let mut pages = Pages::new(100);
    let mut watch = |second, since, held_bytes, read_mark| {
        let mut response = out(5, since, Some((3, held_bytes)));
        response.stream = response.stream.map(|stream| HttpStream { read_mark, ..stream });
        pages.take(page(second, &[response]), second);
        let stream = pages.on(PROCESS, 5)[0].stream.unwrap();
        (stream.held_bytes, stream.unmoved_since, stream.was_read)
    };
    assert_eq!(watch(10, 1, 500, 9), (500, at(10), false));
    assert_eq!(watch(11, 1, 500, 9), (500, at(10), false));
    assert_eq!(watch(12, 1, 700, 9), (700, at(10), false), "more has come");
    assert_eq!(
        watch(13, 1, 700, 8),
        (700, at(13), true),
        "the application has read, and as much has come"
    );
    assert_eq!(watch(14, 1, 700, 8), (700, at(13), true));
    assert_eq!(watch(15, 9, 700, 8), (700, at(15), false), "the number is another stream's now");
}

#[test]
fn pages_together_keep_so_many_responses() {
    let mut pages = Pages::new(3);
    let other = ProcessKey { pid: 11, ..PROCESS };
    let two = [out(1, 1, None), out(2, 1, None)];
    assert!(pages.take(page(9, &two), 1));
    assert!(!pages.take(page(10, &two), 2), "nothing new is out");
    pages.take(Ledger { process: other, ..page(10, &two) }, 2);
    assert_eq!((pages.on(other, 1).len(), pages.on(other, 2).len(), pages.left_out()), (1, 0, 1));
    assert!(pages.take(page(11, &[]), 3), "all were given back");
    pages.take(Ledger { process: other, ..page(11, &two) }, 3);
    assert_eq!((pages.on(other, 2).len(), pages.left_out()), (1, 0));
    pages.retain(3, |key| *key != other);
    assert_eq!(pages.on(other, 1), []);
}
