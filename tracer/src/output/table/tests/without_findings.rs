//! The table without findings.

use super::*;

#[test]
fn no_findings() {
    check(
        &fixture::report(Vec::new()),
        PLAIN,
        &expect![[r#"
            No leaked connections found.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn no_findings_and_incomplete_coverage() {
    check(
        &fixture::incomplete(),
        PLAIN,
        &expect![[r#"
            No leaked connections found, but coverage is incomplete.

            Note: accept: not attached (fexit: not permitted); which process accepted a
                  connection is known only from the next snapshot on
            Note: tracer runs inside a pid namespace: processes outside it are not visible
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; 1,234 events
            lost. COVERAGE IS INCOMPLETE: 1 snapshot failed, 5 connections did not fit in
            the connection table, 5 open responses did not fit in the list of open
            responses, so they are not tracked, 2 processes could not be read, 34 events
            were lost since the latest snapshot began. Run as root, in the host's pid
            namespace. Not analyzed (not plain TCP): 2 mptcp, 1 smc.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}

#[test]
fn what_is_too_early_to_tell_is_said_first() {
    let mut report = fixture::report(Vec::new());
    let process = fixture::mixed().processes[0].key;
    report.coverage.recently_closed =
        Some(RecentlyClosed { process, comm: Comm("ap\u{1b}i".into()), count: 96, total: 1_101 });
    check(
        &report,
        PLAIN,
        &expect![[r#"
            No leaked connections found. ap\x1bi[4711] has 96 of 1,101 open connections that
            the peer closed less than 1m ago (--idle): too early to tell.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
            lost. Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
    report.findings = fixture::mixed().findings;
    let text = page(&report, &fixture::context(), PLAIN, Confidence::Likely).to_string();
    let note = text.lines().position(|line| line.starts_with("Note: ap")).unwrap();
    let observed = text.lines().position(|line| line.starts_with("Observed")).unwrap();
    assert!(note < observed, "{text}");
}

#[test]
fn a_run_about_a_process_without_sockets_says_so_first() {
    let mut report = fixture::report(Vec::new());
    let (process, comm) = (fixture::mixed().processes[0].key, Comm("sh".into()));
    report.coverage.notes.push(Note::DescendantsNotObserved { process, comm, descendants: 2 });
    check(
        &report,
        PLAIN,
        &expect![[r#"
        No leaked connections found. sh[4711] has had no TCP sockets so far, and its 2
        descendants are not observed; add --children to include descendants.

        Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events
        lost. Coverage is complete.
        Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
        tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
    "#]],
    );
}

#[test]
fn only_information() {
    let mut report = fixture::report(vec![fixture::stale_pool(1)]);
    report.started_at = report.at;
    report.coverage.loss.ring_full = 7;
    check(
        &report,
        PLAIN,
        &expect![[r#"
            No leaked connections found. For information:

            #   PID  COMM  REMOTE         COUNT  OLDEST  GROWTH  VERDICT
            1  4711  api   10.0.9.9:5432      2     51m   0/min  stale-pool (info)

            #1  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded; only runs with --pid or --go
                record the stacks of new connections
                fds 7, 8; all opened while tracing; oldest open for 51m
                next: No action is needed; an idle timeout shorter than the peer's would
                avoid such connections.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots; 7 events lost.
            Coverage is complete: later snapshots corrected the loss.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}
