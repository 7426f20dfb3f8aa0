#![allow(clippy::needless_raw_string_hashes, reason = "that is how expect-test writes them")]

use expect_test::{Expect, expect};
use tracer_core::{Comm, Evidence, Finding, Note, RecentlyClosed, Report, TcpState, Verdict};

use super::*;
use crate::output::fixture;

const PLAIN: Style = Style { color: false, width: 80, wide: false };

mod at_limit;
mod details;
mod many;
mod not_listed;
mod without_findings;

fn check(report: &Report, style: Style, expected: &Expect) {
    check_from(Confidence::Info, report, style, expected);
}

fn check_from(least: Confidence, report: &Report, style: Style, expected: &Expect) {
    let text = page(report, &fixture::context(), style, least).to_string();
    expected.assert_eq(&text.replace('\x1b', "^["));
    if !style.color {
        assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
        for line in text.lines() {
            assert!(text::width(line) <= usize::from(style.width), "too wide: {line}");
            assert_eq!(line.trim_end(), line);
        }
    }
}

#[test]
fn mixed_at_80() {
    check(
        &fixture::mixed(),
        PLAIN,
        &expect![[r#"
            #   PID  COMM   REMOTE         COUNT  OLDEST   GROWTH  VERDICT
            1  4711  api    10.0.0.7:443   1,204     51m  +23/min  close-wait (likely)
            2   801  nginx  inbound :8080     12    >51m        -  ghost (possible)
            3  4711  api    10.0.9.9:5432      2     51m    0/min  stale-pool (info)

            #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1,190 CLOSE_WAIT,
                14 ESTABLISHED
                the peer closed 1,204 connections 1m to 50m ago; the process has sent
                nothing since
                the peer closed them one by one (at 37 separate times over 49m), the latest
                1m ago
                only likely: inferred from timing and counts, not verified inside the
                process
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1,194 more; 1,190 opened while
                tracing, 14 before or unseen; oldest open for 51m
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
                12 connections have been in CLOSE for at least 50m with their fds still
                open; ss does not list them
                the process has received no error or EOF on any of the 12 connections: it
                has not used them since they died
                only possible: a single cause, such as a restart of the peer or a burst of
                load, may explain all of them
                call site unknown: 11 connections were opened before tracing began; 1 was
                opened while tracing, but only runs with --pid or --go record stacks
                fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 opened while tracing,
                11 before or unseen; oldest open for at least 51m
                also held by nginx-worker[802] on the same fds
                next: Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible
                --no-uprobes. A leak stays or grows; slow readers catch up and retries end.

            #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8; all opened while tracing; oldest open for 51m
                next: No action is needed; an idle timeout shorter than the peer's would
                avoid such connections.

            retracted 12s ago: #4 undrained x5 api[4711] -> 10.0.0.8:443, active for 3m

            > = at least, opened before tracing began
            api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in findings); +23
            TCP fds/min: limit reached in about 1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn mixed_at_200() {
    check(
        &fixture::mixed(),
        Style { width: 200, ..PLAIN },
        &expect![[r#"
            #   PID  COMM   REMOTE         STATE                    COUNT  OLDEST   GROWTH  VERDICT
            1  4711  api    10.0.0.7:443   CLOSE_WAIT, ESTABLISHED  1,204     51m  +23/min  close-wait (likely)
            2   801  nginx  inbound :8080  CLOSE                       12    >51m        -  ghost (possible)
            3  4711  api    10.0.9.9:5432  CLOSE_WAIT                   2     51m    0/min  stale-pool (info)

            #1  api[4711] -> 10.0.0.7:443: close-wait (likely), 1,190 CLOSE_WAIT, 14 ESTABLISHED
                the peer closed 1,204 connections 1m to 50m ago; the process has sent nothing since
                the peer closed them one by one (at 37 separate times over 49m), the latest 1m ago
                only likely: inferred from timing and counts, not verified inside the process
                call site unknown: no stack was recorded; only runs with --pid or --go record the stacks of new connections
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1,194 more; 1,190 opened while tracing, 14 before or unseen; oldest open for 51m
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
                12 connections have been in CLOSE for at least 50m with their fds still open; ss does not list them
                the process has received no error or EOF on any of the 12 connections: it has not used them since they died
                only possible: a single cause, such as a restart of the peer or a burst of load, may explain all of them
                call site unknown: 11 connections were opened before tracing began; 1 was opened while tracing, but only runs with --pid or --go record stacks
                fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 opened while tracing, 11 before or unseen; oldest open for at least 51m
                also held by nginx-worker[802] on the same fds
                next: Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible --no-uprobes. A leak stays or grows; slow readers catch up and retries end.

            #3  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded; only runs with --pid or --go record the stacks of new connections
                fds 7, 8; all opened while tracing; oldest open for 51m
                next: No action is needed; an idle timeout shorter than the peer's would avoid such connections.

            retracted 12s ago: #4 undrained x5 api[4711] -> 10.0.0.8:443, active for 3m: closed or used again

            > = at least, opened before tracing began
            api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in findings); +23 TCP fds/min: limit reached in about 1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn wide_at_200() {
    let report = fixture::report(vec![fixture::with_call_site(1), fixture::inbound(2)]);
    check(
        &report,
        Style { width: 200, wide: true, ..PLAIN },
        &expect![[r#"
            #   PID  COMM   REMOTE                              STATE        COUNT  OLDEST  GROWTH  VERDICT                    READER   REQUEST                    CALL SITE                                  UNREAD
            1  4711  api    [2001:db8:85a3::8a2e:370:7334]:443  ESTABLISHED     23     51m  ~+24/h  body-not-closed (certain)  none     GET http://billing/charge  main.(*Client).doSomething billing.go:23  112 KiB
            2   801  nginx  inbound :8080                       CLOSE           12    >51m       -  ghost (possible)           unknown  -                          -                                             0 B
            No room for LOCAL, IDLE, UID, NETNS, EXE.

            #1  api[4711] -> [2001:db8:85a3::8a2e:370:7334]:443: body-not-closed (certain), 23 ESTABLISHED
                at main.(*Client).doSomething billing.go:23
                23 HTTP responses requested 50m ago, neither read to EOF nor closed
                heap search, all 23: Go's HTTP client is waiting for the response body to be read or closed, and nothing in the program can reach it any more
                requests: GET http://billing/charge (23)
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +13 more; all opened while tracing; oldest open for 51m
                container 4f3c2b1a0918 of containerd, pod 6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5, pid 7 in its pid namespace
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error check.

            #2  nginx[801] inbound :8080: ghost (possible), 12 CLOSE
                12 connections have been in CLOSE for at least 50m with their fds still open; ss does not list them
                the process has received no error or EOF on any of the 12 connections: it has not used them since they died
                only possible: a single cause, such as a restart of the peer or a burst of load, may explain all of them
                call site unknown: 11 connections were opened before tracing began; 1 was opened while tracing, but only runs with --pid or --go record stacks
                fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 opened while tracing, 11 before or unseen; oldest open for at least 51m
                also held by nginx-worker[802] on the same fds
                next: Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible --no-uprobes. A leak stays or grows; slow readers catch up and retries end.

            ~ = estimated from the times at which connections went idle; > = at least, opened before tracing began
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn wide_at_80_names_hidden_columns() {
    let report = fixture::report(vec![fixture::stale_pool(1)]);
    check(
        &report,
        Style { wide: true, ..PLAIN },
        &expect![[r#"
            No leaked connections found. For information:

            #   PID  COMM  REMOTE         COUNT  OLDEST  GROWTH  VERDICT            READER
            1  4711  api   10.0.9.9:5432      2     51m   0/min  stale-pool (info)  unknown
            No room for STATE, LOCAL, IDLE, UNREAD, UID, NETNS, EXE.

            #1  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8; all opened while tracing; oldest open for 51m
                next: No action is needed; an idle timeout shorter than the peer's would
                avoid such connections.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn colored() {
    let report = fixture::report(vec![
        fixture::with_call_site(1),
        fixture::stale_pool(2),
        fixture::inbound(3),
        fixture::retracted(4),
    ]);
    check(
        &report,
        Style { color: true, ..PLAIN },
        &expect![[r#"
            ^[[1m#   PID  COMM   REMOTE                  COUNT  OLDEST  VERDICT^[[0m
            1  4711  api    [2001:db8:..:7334]:443     23     51m  ^[[1;31mbody-not-closed (certain)^[[0m
            3   801  nginx  inbound :8080              12    >51m  ^[[33mghost (possible)^[[0m
            ^[[2m2  4711  api    10.0.9.9:5432               2     51m  stale-pool (info)^[[0m

            ^[[1m#1  api[4711] -> [2001:db8:85a3::8a2e:370:7334]:443: body-not-closed (certain),^[[0m
            ^[[1m    23 ESTABLISHED^[[0m
                at main.(*Client).doSomething billing.go:23
                23 HTTP responses requested 50m ago, neither read to EOF nor closed
                heap search, all 23: Go's HTTP client is waiting for the response body to be
                read or closed, and nothing in the program can reach it any more
                requests: GET http://billing/charge (23)
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +13 more; all opened while tracing;
                oldest open for 51m
                container 4f3c2b1a0918
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer
                response.Body.Close() right after the error check.

            ^[[1m#3  nginx[801] inbound :8080: ghost (possible), 12 CLOSE^[[0m
                12 connections have been in CLOSE for at least 50m with their fds still
                open; ss does not list them
                the process has received no error or EOF on any of the 12 connections: it
                has not used them since they died
                only possible: a single cause, such as a restart of the peer or a burst of
                load, may explain all of them
                call site unknown: 11 connections were opened before tracing began; 1 was
                opened while tracing, but only runs with --pid or --go record stacks
                fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 opened while tracing,
                11 before or unseen; oldest open for at least 51m
                also held by nginx-worker[802] on the same fds
                next: Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible
                --no-uprobes. A leak stays or grows; slow readers catch up and retries end.

            ^[[1m#2  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT^[[0m
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8; all opened while tracing; oldest open for 51m
                next: No action is needed; an idle timeout shorter than the peer's would
                avoid such connections.

            ^[[2mretracted 12s ago: #4 undrained x5 api[4711] -> 10.0.0.8:443, active for 3m^[[0m

            ^[[2m~ = estimated from the times at which connections went idle; > = at least,^[[0m
            ^[[2mopened before tracing began^[[0m
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            ^[[2mThresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711^[[0m
            ^[[2mtracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC^[[0m
        "#]],
    );
}

#[test]
fn all_connections() {
    let mut report = fixture::report(Vec::new());
    report.unflagged = fixture::connections(2, TcpState::Established, "10.0.0.7:443");
    report.unflagged.extend(fixture::inbound(1).connections.drain(..1));
    report.unflagged[1].owners.clear();
    check(
        &report,
        PLAIN,
        &expect![[r#"
            No leaked connections found.

            3 connections without a finding:
             PID  COMM   FD  REMOTE                                STATE      AGE     IDLE
            4711  api     7  10.0.0.7:443                          ESTAB      51m      50m
               -  -       -  10.0.0.7:443                          ESTAB  50m 58s  49m 58s
             801  nginx  20  [2001:db8:85a3::8a2e:370:7334]:50123  CLOSE     >51m      50m

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    check(
        &report,
        Style { width: 160, ..PLAIN },
        &expect![[r#"
            No leaked connections found.

            3 connections without a finding:
             PID  COMM   FD  LOCAL               REMOTE                                STATE            AGE     IDLE  UNREAD
            4711  api     7  10.0.0.5:40000      10.0.0.7:443                          ESTABLISHED      51m      50m     0 B
               -  -       -  10.0.0.5:40001      10.0.0.7:443                          ESTABLISHED  50m 58s  49m 58s     0 B
             801  nginx  20  [2001:db8::5]:8080  [2001:db8:85a3::8a2e:370:7334]:50123  CLOSE           >51m      50m     0 B

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn all_holders_and_states() {
    let mut finding = fixture::inbound(1);
    for (number, connection) in (0..).zip(&mut finding.connections) {
        let state = [TcpState::Closed, TcpState::CloseWait, TcpState::Established][number % 3];
        connection.state = state;
        let workers = (803..811).map(|pid| fixture::owner(fixture::process(pid, 9), "worker", 5));
        connection.owners.extend(workers.filter(|_| number == 0));
    }
    check(
        &fixture::report(vec![finding]),
        Style { width: 120, ..PLAIN },
        &expect![[r#"
            #  PID  COMM   REMOTE         STATE  COUNT  OLDEST  GROWTH  VERDICT
            1  801  nginx  inbound :8080  mixed     12    >51m       -  ghost (possible)

            #1  nginx[801] inbound :8080: ghost (possible), 4 ESTABLISHED, 4 CLOSE, 4 CLOSE_WAIT
                12 connections have been in CLOSE for at least 50m with their fds still open; ss does not list them
                the process has received no error or EOF on any of the 12 connections: it has not used them since they died
                only possible: a single cause, such as a restart of the peer or a burst of load, may explain all of them
                call site unknown: 11 connections were opened before tracing began; 1 was opened while tracing, but only runs with
                --pid or --go record stacks
                fds 20, 21, 22, 23, 24, 25, 26, 27, 28, 29 +2 more; 1 opened while tracing, 11 before or unseen; oldest open for at
                least 51m
                also held by nginx-worker[802] on the same fds; worker[803] fd 5; worker[804] fd 5; worker[805] fd 5; worker[806] fd
                5; and 4 more processes
                next: Watch for longer: sudo tracer audit --pid 801 --for 3m --show possible --no-uprobes. A leak stays or grows;
                slow readers catch up and retries end.

            > = at least, opened before tracing began
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn no_width_breaks_a_number_or_a_line() {
    let mut report = fixture::mixed();
    report.findings.insert(0, fixture::with_call_site(9));
    for width in 0..=300 {
        for (wide, least) in
            [(false, Confidence::Info), (true, Confidence::Info), (false, Confidence::Likely)]
        {
            let text = page(&report, &fixture::context(), Style { width, wide, ..PLAIN }, least)
                .to_string();
            // The columns that identify a finding are kept however narrow the terminal is.
            for line in text.lines().filter(|_| width >= 70) {
                assert!(text::width(line) <= usize::from(width), "{width}: {line}");
            }
            assert!(text.contains("1,204") && text.contains("+1,194 more"), "{text}");
            assert!(text.contains("10,234 TCP sockets"), "{text}");
        }
    }
}
