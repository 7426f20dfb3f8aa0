//! Findings that are counted, and rows of several processes.

use tracer_core::Comm;

use super::*;

const LIKELY: Confidence = Confidence::Likely;
const WIDE: Style = Style { width: 200, ..PLAIN };

/// A server with 12 workers that leak, and what is not listed.
fn server() -> Report {
    let worker = |number: u32| {
        let id = u64::from(number) + 1;
        fixture::worker(id, fixture::process(901 + number, 4_000), 7 + number % 3)
    };
    let mut findings: Vec<Finding> = (0..12).map(worker).collect();
    findings.extend([fixture::inbound(20), fixture::stale_pool(21)]);
    findings.push(Finding { verdict: Verdict::Undrained, ..fixture::inbound(22) });
    let mut never_likely = fixture::retracted(31);
    never_likely.peak_confidence = Confidence::Possible;
    findings.extend([fixture::retracted(30), never_likely]);
    let mut report = fixture::report(findings);
    let summary = fixture::mixed().processes.remove(0);
    report.processes = (0..12)
        .map(|number| ProcessSummary {
            key: fixture::process(901 + number, 4_000),
            comm: Comm("python3".into()),
            tcp_fds: 12,
            fds_not_connected: 0,
            open_fds: Some(20 + u64::from(number)),
            ..summary.clone()
        })
        .collect();
    report
}

#[test]
fn at_80() {
    check_from(
        LIKELY,
        &server(),
        PLAIN,
        &expect![[r#"
            #           PID  COMM     REMOTE        COUNT  OLDEST  VERDICT
            1  12 processes  python3  10.0.0.7:443     96     51m  close-wait (likely)

            NOT LISTED            FINDINGS  CONNECTIONS  PROCESSES  LIST WITH
            ghost (possible)             1           12          1  --show possible
            undrained (possible)         1           12          1  --show possible
            stale-pool (info)            1            2          1  --show info

            #1  12 processes of python3 (billing.py) -> 10.0.0.7:443: close-wait (likely),
                96 CLOSE_WAIT
                pids 903 (9 connections), 906 (9), 909 (9), 912 (9), 902 (8), 905 (8),
                908 (8), 911 (8), 901 (7), 904 (7) +2 more
                details of python3[903], which has the most connections:
                the peer closed 9 connections 1m to 50m ago; the process has sent nothing
                since
                the peer closed them one by one (at 37 separate times over 49m), the latest
                1m ago
                only likely: inferred from timing and counts, not verified inside the
                process
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15; all opened while tracing; oldest open
                for 51m
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            retracted 12s ago: #30 undrained x5 api[4711] -> 10.0.0.8:443, active for 3m
            1 retracted finding was never likely or certain; --show possible lists it

            python3[912]: 31 of 65,536 fds open (12 TCP, 9 of them in findings); +23 TCP
            fds/min: limit reached in about 1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn at_200() {
    check_from(
        LIKELY,
        &server(),
        WIDE,
        &expect![[r#"
            #           PID  COMM     REMOTE        STATE       COUNT  OLDEST    GROWTH  VERDICT
            1  12 processes  python3  10.0.0.7:443  CLOSE_WAIT     96     51m  +276/min  close-wait (likely)

            NOT LISTED            FINDINGS  CONNECTIONS  PROCESSES  LIST WITH
            ghost (possible)             1           12          1  --show possible
            undrained (possible)         1           12          1  --show possible
            stale-pool (info)            1            2          1  --show info

            #1  12 processes of python3 (billing.py) -> 10.0.0.7:443: close-wait (likely), 96 CLOSE_WAIT
                pids 903 (9 connections), 906 (9), 909 (9), 912 (9), 902 (8), 905 (8), 908 (8), 911 (8), 901 (7), 904 (7) +2 more
                details of python3[903], which has the most connections:
                the peer closed 9 connections 1m to 50m ago; the process has sent nothing since
                the peer closed them one by one (at 37 separate times over 49m), the latest 1m ago
                only likely: inferred from timing and counts, not verified inside the process
                call site unknown: no stack was recorded; only runs with --pid or --go record the stacks of new connections
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15; all opened while tracing; oldest open for 51m
                next: Close the socket when a read returns EOF (0 bytes), and after errors.

            retracted 12s ago: #30 undrained x5 api[4711] -> 10.0.0.8:443, active for 3m: closed or used again
            1 retracted finding was never likely or certain; --show possible lists it

            python3[912]: 31 of 65,536 fds open (12 TCP, 9 of them in findings); +23 TCP fds/min: limit reached in about 1d 22h
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn possible_ones_are_listed_on_request() {
    let text = page(&server(), &fixture::context(), WIDE, Confidence::Possible).to_string();
    for listed in ["\n20           801  nginx", "\n#22 nginx[801]", "undrained (possible)"] {
        assert!(text.contains(listed), "{listed}: {text}");
    }
    assert!(!text.contains("  --show possible") && text.contains("stale-pool"), "{text}");
    assert!(text.contains("#31 undrained"), "{text}");
}

#[test]
fn nothing_is_likely() {
    let report = fixture::report(vec![fixture::inbound(1), fixture::stale_pool(2)]);
    check_from(
        LIKELY,
        &report,
        PLAIN,
        &expect![[r#"
            No likely or certain leaks found.

            NOT LISTED         FINDINGS  CONNECTIONS  PROCESSES  LIST WITH
            ghost (possible)          1           12          1  --show possible
            stale-pool (info)         1            2          1  --show info

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn only_information_is_not_listed() {
    let mut report = fixture::report(vec![fixture::stale_pool(1)]);
    report.coverage.complete = false;
    check_from(
        LIKELY,
        &report,
        PLAIN,
        &expect![[r#"
            No leaked connections found, but coverage is incomplete.

            NOT LISTED         FINDINGS  CONNECTIONS  PROCESSES  LIST WITH
            stale-pool (info)         1            2          1  --show info

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. COVERAGE IS INCOMPLETE.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn of_many_processes_those_nearest_to_their_limits_have_a_line() {
    let mut report = server();
    report.options.scoped = true;
    let summary = report.processes[0].clone();
    report.processes = (0..30)
        .map(|number| ProcessSummary {
            key: fixture::process(901 + number, 4_000),
            seconds_to_fd_limit: Some(10_000 - u64::from(number)),
            ..summary.clone()
        })
        .collect();
    let text = page(&report, &fixture::context(), WIDE, LIKELY).to_string();
    assert_eq!(text.matches(" fds open (").count(), 20, "{text}");
    assert!(text.contains("\npython3[930]: ") && !text.contains("\npython3[910]: "), "{text}");
    assert!(text.contains("\nand 10 more processes, farther from their limits;"), "{text}");
}
