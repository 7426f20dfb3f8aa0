//! Details below a finding, and text that the host chose.

use tracer_core::CallSiteReason;

use super::*;

#[test]
fn a_call_site_and_ipv6() {
    let report = fixture::report(vec![fixture::with_call_site(1)]);
    check(
        &report,
        PLAIN,
        &expect![[r#"
            #   PID  COMM  REMOTE                   COUNT  OLDEST  VERDICT
            1  4711  api   [2001:db8:..0:7334]:443     23     51m  body-not-closed (certain)

            #1  api[4711] -> [2001:db8:85a3::8a2e:370:7334]:443: body-not-closed (certain),
                23 ESTABLISHED
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

            ~ = estimated from the times at which connections went idle
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    check(
        &report,
        Style { width: 120, ..PLAIN },
        &expect![[r#"
            #   PID  COMM  REMOTE                         COUNT  OLDEST  GROWTH  VERDICT                    CALL SITE
            1  4711  api   [2001:db8:85a..:370:7334]:443     23     51m  ~+24/h  body-not-closed (certain)  ..omething billing.go:23

            #1  api[4711] -> [2001:db8:85a3::8a2e:370:7334]:443: body-not-closed (certain), 23 ESTABLISHED
                at main.(*Client).doSomething billing.go:23
                23 HTTP responses requested 50m ago, neither read to EOF nor closed
                heap search, all 23: Go's HTTP client is waiting for the response body to be read or closed, and nothing in the
                program can reach it any more
                requests: GET http://billing/charge (23)
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +13 more; all opened while tracing; oldest open for 51m
                container 4f3c2b1a0918
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error
                check.

            ~ = estimated from the times at which connections went idle
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
#[expect(clippy::too_many_lines, reason = "golden tables")]
fn leaked_responses_with_their_call_sites() {
    let mut leak = fixture::connections(1_204, TcpState::Established, "10.0.0.7:443");
    for connection in &mut leak {
        connection.responses = 1;
    }
    let leak = Finding {
        call_site: Some("main.doSomething billing.go:23".to_owned()),
        evidence: vec![Evidence::OpenResponses { count: 1_204, age: fixture::minutes(50, 50) }],
        connections: leak,
        count: 1_204,
        ..fixture::with_call_site(1)
    };
    let leak = Finding { remote: leak.connections.first().map(|it| it.remote), ..leak };
    let mut report = fixture::report(vec![leak, fixture::multiplexed(2)]);
    report.processes = fixture::mixed().processes;
    check(
        &report,
        PLAIN,
        &expect![[r#"
            #   PID  COMM  REMOTE        COUNT  OLDEST  GROWTH  VERDICT
            1  4711  api   10.0.0.7:443  1,204     51m  ~+24/h  body-not-closed (certain)
            2  4711  api   10.0.0.7:443      1     51m       -  body-not-closed (likely)

            #1  api[4711] -> 10.0.0.7:443: body-not-closed (certain), 1,204 ESTABLISHED
                at main.doSomething billing.go:23
                1,204 HTTP responses requested 50m ago, neither read to EOF nor closed
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1,194 more; all opened while
                tracing; oldest open for 51m
                container 4f3c2b1a0918
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer
                response.Body.Close() right after the error check.

            #2  api[4711] -> 10.0.0.7:443: body-not-closed (likely), 1 ESTABLISHED
                at main.export report.go:40
                53 MiB buffered in the process for 14 HTTP/2 streams on 1 connection; the
                application has read none of it for 50m
                only likely: for the connection it is unknown whether a reader is waiting
                fd 7; all opened while tracing; oldest open for 51m
                next: Close the body of every response on every path; in Go, put defer
                response.Body.Close() right after the error check.

            ~ = estimated from the times at which connections went idle
            api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in findings); +23
            TCP fds/min: limit reached in about 1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    check(
        &report,
        Style { width: 120, ..PLAIN },
        &expect![[r#"
            #   PID  COMM  REMOTE        COUNT  OLDEST  GROWTH  VERDICT                    READER     CALL SITE
            1  4711  api   10.0.0.7:443  1,204     51m  ~+24/h  body-not-closed (certain)  none       main.doSomething billing.go:23
            2  4711  api   10.0.0.7:443      1     51m       -  body-not-closed (likely)   goroutine  main.export report.go:40

            #1  api[4711] -> 10.0.0.7:443: body-not-closed (certain), 1,204 ESTABLISHED
                at main.doSomething billing.go:23
                1,204 HTTP responses requested 50m ago, neither read to EOF nor closed
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1,194 more; all opened while tracing; oldest open for 51m
                container 4f3c2b1a0918
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error
                check.

            #2  api[4711] -> 10.0.0.7:443: body-not-closed (likely), 1 ESTABLISHED
                at main.export report.go:40
                53 MiB buffered in the process for 14 HTTP/2 streams on 1 connection; the application has read none of it for 50m
                only likely: for the connection it is unknown whether a reader is waiting
                fd 7; all opened while tracing; oldest open for 51m
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error
                check.

            ~ = estimated from the times at which connections went idle
            api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in findings); +23 TCP fds/min: limit reached in about
            1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    check(
        &report,
        Style { width: 200, wide: true, ..PLAIN },
        &expect![[r#"
            #   PID  COMM  REMOTE        STATE        COUNT  OLDEST  GROWTH  VERDICT                    READER     REQUEST                    CALL SITE                       LOCAL           IDLE   UNREAD   UID
            1  4711  api   10.0.0.7:443  ESTABLISHED  1,204     51m  ~+24/h  body-not-closed (certain)  none       GET http://billing/charge  main.doSomething billing.go:23  10.0.0.5:*       50m  112 KiB  1000
            2  4711  api   10.0.0.7:443  ESTABLISHED      1     51m       -  body-not-closed (likely)   goroutine  -                          main.export report.go:40        10.0.0.5:40000   50m      0 B  1000
            No room for NETNS, EXE.

            #1  api[4711] -> 10.0.0.7:443: body-not-closed (certain), 1,204 ESTABLISHED
                at main.doSomething billing.go:23
                1,204 HTTP responses requested 50m ago, neither read to EOF nor closed
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +1,194 more; all opened while tracing; oldest open for 51m
                container 4f3c2b1a0918 of containerd, pod 6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5, pid 7 in its pid namespace
                command /usr/local/bin/api --config /etc/api.toml
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error check.

            #2  api[4711] -> 10.0.0.7:443: body-not-closed (likely), 1 ESTABLISHED
                at main.export report.go:40
                53 MiB buffered in the process for 14 HTTP/2 streams on 1 connection; the application has read none of it for 50m
                only likely: for the connection it is unknown whether a reader is waiting
                fd 7; all opened while tracing; oldest open for 51m
                next: Close the body of every response on every path; in Go, put defer response.Body.Close() right after the error check.

            ~ = estimated from the times at which connections went idle
            api[4711]: 1,240 of 65,536 fds open (1,211 TCP, 1,204 of them in findings); +23 TCP fds/min: limit reached in about 1d 22h; 3,630 goroutines, 1,204 in readLoop, 1,203 in writeLoop
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn hostile_strings_are_shown_as_text() {
    check(
        &fixture::hostile(),
        PLAIN,
        &expect![[r##"
            #   PID  COMM          REMOTE        COUNT  OLDEST   GROWTH  VERDICT
            1  4711  =\x1b[2J\n..  10.0.0.7:443      1     51m  +23/min  close-wait (likely)

            #1  =\x1b[2J\n"x",�\u{202e}[4711] -> 10.0.0.7:443: close-wait (likely),
                1 CLOSE_WAIT
                at @main\ttab evil.go:1
                requests: GET /\x1b[8mhidden text (1)
                only likely: inferred from timing and counts, not verified inside the
                process
                fd 7; all opened while tracing; oldest open for 51m
                also held by \x9b31m\u{200b}\r[666] fd 8
                container \x1b[31mdeadbee, exe /tmp/\u{202e}gpj.exe\n/bin/sh
                command sh -c \x1b]0;owned\x07
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "##]],
    );
    check(
        &fixture::hostile(),
        Style { width: u16::MAX, ..PLAIN },
        &expect![[r##"
            #   PID  COMM                     REMOTE        STATE       COUNT  OLDEST   GROWTH  VERDICT              REQUEST                          CALL SITE
            1  4711  =\x1b[2J\n"x",�\u{202e}  10.0.0.7:443  CLOSE_WAIT      1     51m  +23/min  close-wait (likely)  -GET http://h/\r\nSet-Cookie: a  @main\ttab evil.go:1

            #1  =\x1b[2J\n"x",�\u{202e}[4711] -> 10.0.0.7:443: close-wait (likely), 1 CLOSE_WAIT
                at @main\ttab evil.go:1
                requests: GET /\x1b[8mhidden text (1)
                only likely: inferred from timing and counts, not verified inside the process
                fd 7; all opened while tracing; oldest open for 51m
                also held by \x9b31m\u{200b}\r[666] fd 8
                container \x1b[31mdeadbee, exe /tmp/\u{202e}gpj.exe\n/bin/sh
                command sh -c \x1b]0;owned\x07
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "##]],
    );
}

/// Call sites that are known but differ are in the evidence.
#[test]
fn several_call_sites_are_not_unknown() {
    let reason = Some(CallSiteReason::SeveralCallSites);
    let several = Finding { call_site_reason: reason, ..fixture::stale_pool(1) };
    let text = page(&fixture::report(vec![several]), &fixture::context(), PLAIN, Confidence::Info);
    assert!(text.body.contains("\n#1 ") && !text.body.contains("call site"), "{}", text.body);
}
