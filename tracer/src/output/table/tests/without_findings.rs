//! What the table says where there is nothing to accuse.

use super::*;

#[test]
fn nothing_found() {
    check(
        &fixture::report(Vec::new()),
        PLAIN,
        &expect![[r#"
            No leaked connections found.

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
        "#]],
    );
}

#[test]
fn nothing_found_but_much_unseen() {
    check(
        &fixture::incomplete(),
        PLAIN,
        &expect![[r#"
            No leaked connections found, but not everything could be seen.

            Note: accept: not attached (fexit: not permitted); which process accepted a
                  connection is known from the next snapshot on
            Note: tracer runs inside a pid namespace: processes outside of it are not seen
            Seen: 10,234 TCP sockets, 3 snapshots, 1,234 events lost. NOT COMPLETE:
            1 snapshot failed, 5 connections did not fit into the connection table,
            5 responses in flight did not fit into the list, 2 processes could not be read.
            Not judged: 2 mptcp, 1 smc.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s
        "#]],
    );
}

#[test]
fn nothing_found_but_something_worth_knowing() {
    let mut report = fixture::report(vec![fixture::stale_pool(1)]);
    report.started_at = report.at;
    report.coverage.loss.ring_full = 7;
    check(
        &report,
        PLAIN,
        &expect![[r#"
            No leaked connections found. Worth knowing:

            #   PID  COMM  REMOTE         COUNT  OLDEST  GROWTH  VERDICT
            1  4711  api   10.0.9.9:5432      2     51m   0/min  stale-pool (info)

            #1  api[4711] -> 10.0.9.9:5432: stale-pool (info), 2 CLOSE_WAIT
                the peer closed 2 connections 50m ago; the process has sent nothing since
                call site unknown: no stack was recorded (--pid records the stacks of new
                connections)
                fds 7, 8; all traced
                next: Nothing is needed; an idle timeout shorter than the peer's would avoid
                it.

            Seen: 10,234 TCP sockets, 3 snapshots, 7 events lost. Complete: later snapshots
            made up for the loss.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC
        "#]],
    );
}
