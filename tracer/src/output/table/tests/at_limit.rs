//! Processes at their limit of open files.

use super::*;

/// A process with *possible* findings that has this many of 1,024 fds open.
fn full(open_fds: u64, count: usize) -> Report {
    let connections =
        fixture::connections(u32::try_from(count).unwrap(), TcpState::CloseWait, "10.0.0.7:443");
    let finding = Finding { confidence: Confidence::Possible, ..fixture::finding(1, connections) };
    let mut report = fixture::report(vec![finding]);
    report.processes = vec![ProcessSummary {
        open_fds: Some(open_fds),
        fd_limit: Some(1_024),
        tcp_fds: 3,
        ..fixture::mixed().processes.remove(0)
    }];
    report
}

fn first_line(report: &Report, least: Confidence) -> String {
    let text = page(report, &fixture::context(), PLAIN, least).body;
    text.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_process_at_its_limit_comes_first_and_its_findings_are_listed() {
    let mut report = full(1_024, 700);
    check_from(
        Confidence::Likely,
        &report,
        PLAIN,
        &expect![[r#"
            AT ITS FD LIMIT: api[4711] has 1,024 of 1,024 fds open; 700 are in finding #1

            #   PID  COMM  REMOTE        COUNT  OLDEST   GROWTH  VERDICT
            1  4711  api   10.0.0.7:443    700     51m  +23/min  close-wait (possible)

            #1  api[4711] -> 10.0.0.7:443: close-wait (possible), 700 CLOSE_WAIT
                the peer closed 700 connections 1m to 50m ago; the process has sent nothing
                since
                the peer closed them one by one (at 37 separate times over 49m), the latest
                1m ago
                only possible: a healthy program can show the same timing and counts
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 +690 more; all opened while tracing;
                oldest open for 51m
                next: Watch for longer: sudo tracer audit --pid 4711 --for 3m --show
                possible --no-uprobes. A leak stays or grows; slow readers catch up and
                retries end.

            api[4711]: 1,024 of 1,024 fds open (3 TCP, 700 of them in findings)
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    report.findings[0].count = 400;
    report.findings[0].connections.truncate(400);
    let expected =
        "AT ITS FD LIMIT: api[4711] has 1,024 of 1,024 fds open; 400 are in findings that";
    assert_eq!(first_line(&report, Confidence::Likely), expected);
    assert!(first_line(&report, Confidence::Possible).ends_with("400 are in finding #1"));
    report.findings.clear();
    let expected = "AT ITS FD LIMIT: api[4711] has 1,024 of 1,024 fds open; only 3 of them TCP, so";
    assert_eq!(first_line(&report, Confidence::Likely), expected);
    report.processes[0].tcp_fds = 1_000;
    let expected = "AT ITS FD LIMIT: api[4711] has 1,024 of 1,024 fds open; 1,000 of them TCP, not";
    assert_eq!(first_line(&report, Confidence::Likely), expected);
}

#[test]
fn near_the_limit() {
    let near = first_line(&full(973, 10), Confidence::Possible);
    assert_eq!(
        near,
        "NEAR ITS FD LIMIT: api[4711] has 973 of 1,024 fds open; 10 are in finding #1"
    );
    assert!(first_line(&full(972, 10), Confidence::Possible).starts_with('#'));
}

#[test]
fn it_is_red() {
    let style = Style { color: true, ..PLAIN };
    let text = page(&full(1_024, 700), &fixture::context(), style, Confidence::Likely).body;
    assert!(text.starts_with("\x1b[1;31mAT ITS FD LIMIT: "), "{text}");
}

#[test]
fn a_possible_finding_with_most_fds_is_listed_from_80_percent_of_the_limit() {
    let nothing = "No likely or certain leaks found.";
    for (open_fds, count, is_listed) in
        [(820, 411, true), (820, 410, false), (819, 700, false), (1_024, 513, true)]
    {
        let report = full(open_fds, count);
        let text = page(&report, &fixture::context(), PLAIN, Confidence::Likely).body;
        assert_eq!(text.contains("\n#1  api[4711]"), is_listed, "{open_fds} {count}: {text}");
        assert_eq!(text.contains(nothing), !is_listed, "{open_fds} {count}: {text}");
        assert_eq!(text.contains("NOT LISTED"), !is_listed, "{open_fds} {count}: {text}");
    }
    let mut report = full(1_024, 700);
    report.findings[0].confidence = Confidence::Info;
    let text = page(&report, &fixture::context(), PLAIN, Confidence::Likely).body;
    assert!(text.contains("NOT LISTED"), "information stays folded: {text}");
}

#[test]
fn many_processes_at_their_limits_are_counted() {
    let mut report = full(1_024, 700);
    let summary = report.processes[0].clone();
    report.processes = (0..9)
        .map(|number| ProcessSummary { key: fixture::process(100 + number, 9), ..summary.clone() })
        .collect();
    let text = page(&report, &fixture::context(), PLAIN, Confidence::Possible).body;
    assert_eq!(text.matches("AT ITS FD LIMIT").count(), 5);
    assert!(text.contains("\n4 more processes are at or near the fd limit; -o json has all\n"));
}
