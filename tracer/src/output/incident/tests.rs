use expect_test::{Expect, expect};
use tracer_core::{Report, TcpState};

use super::*;
use crate::output::{
    fixture,
    history::History,
    quantity::plain,
    table::{self, Style},
};

fn check(report: &Report, expected: &Expect) {
    let context = fixture::context();
    let history = History::default();
    let incident = fixture::incident(report, &history, &context);
    let style = Style { color: false, width: 90, wide: false };
    expected.assert_eq(&table::summary(&incident, style));
}

#[test]
fn a_leak_has_process_time_confidence_and_call_site() {
    check(
        &fixture::grown(),
        &expect![[r#"
            api[4711] leaks 23 connections to [2001:db8:85a3::8a2e:370:7334]:443 (certain), the oldest
            opened 2026-03-01 11:09:00 UTC; requested at main.(*Client).doSomething billing.go:23.
            The application received HTTP responses and neither read them to EOF nor closed them. The
            number of connections grows by about 24/h. If the number of open fds of the process keeps
            growing by 23/min, its limit of 65,536 is reached in about 1d 22h, at 2026-03-03 10:00:00
            UTC. 1 other finding: tracer replay lists it.

            1. Fix main.(*Client).doSomething billing.go:23: close the body of every response on every
               path; in Go, put defer response.Body.Close() right after the error check.
            2. Until the fix is deployed, a restart of api[4711] frees its fds. At the current rate,
               the process reaches its fd limit at 2026-03-03 10:00:00 UTC.
            3. Then record again and check that the leak is gone: tracer diff night.rec AFTER.rec

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 51m; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}

#[test]
fn a_possible_leak_is_to_be_confirmed_first() {
    let report = fixture::report(vec![fixture::inbound(2)]);
    check(
        &report,
        &expect![[r#"
            nginx[801] may leak 12 connections accepted on port 8080 (possible), the oldest opened
            before 2026-03-01 11:09:00 UTC; call site unknown.
            The connections are dead (TCP state CLOSE), and the process still has their file
            descriptors open; ss does not list them.

            1. Find out whether it is a leak: a healthy program can look the same. Watch for longer:
               sudo tracer audit --pid 801 --for 3m --show possible --no-uprobes. A leak stays or
               grows; slow readers catch up and retries end.
            2. If it is a leak: close the socket when a read or write fails: the error path does not
               do so. The call site is unknown: 11 connections were opened before tracing began; 1 was
               opened while tracing, but only runs with --pid or --go record stacks.
            3. Until the fix is deployed, a restart of nginx[801] frees its fds.
            4. Then record again and check that the leak is gone: tracer diff night.rec AFTER.rec

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}

#[test]
fn a_possible_leak_that_is_not_listed_is_mentioned() {
    let report = fixture::report(vec![fixture::inbound(2)]);
    let (context, history) = (fixture::context(), History::default());
    let mut incident = fixture::incident(&report, &history, &context);
    incident.least = Confidence::Likely;
    assert_eq!(incident.headline(), "No likely or certain leaks found.");
    assert_eq!(
        plain(&steps(&incident)[0]),
        "1 finding is possible: a healthy program can look the same; --show possible lists it."
    );
}

#[test]
fn equal_leaks_of_several_processes_are_one() {
    let worker = |id| fixture::worker(id, fixture::process(900, id), 6);
    let report = fixture::report((1..=12).map(worker).collect());
    let (context, history) = (fixture::context(), History::default());
    let incident = fixture::incident(&report, &history, &context);
    assert_eq!(
        plain(&incident.headline()),
        "12 processes of python3 leak 72 connections to 10.0.0.7:443 (likely), the oldest opened \
         2026-03-01 11:09:00 UTC; call site unknown."
    );
    assert_eq!(
        plain(&steps(&incident)[1]),
        "Until the fix is deployed, a restart of 12 processes of python3 frees their fds."
    );
    assert!(
        !incident.lede(words::others_below).concat().contains("below"),
        "{:?}",
        incident.lede(words::others_below)
    );
}

#[test]
fn streams_on_one_connection_are_counted() {
    check(
        &fixture::report(vec![fixture::multiplexed(1)]),
        &expect![[r#"
            api[4711] leaks 14 responses on 1 connection to 10.0.0.7:443 (likely), the oldest opened
            2026-03-01 11:09:00 UTC; requested at main.export report.go:40.
            The application received HTTP responses and neither read them to EOF nor closed them.

            1. Fix main.export report.go:40: close the body of every response on every path; in Go,
               put defer response.Body.Close() right after the error check.
            2. Until the fix is deployed, a restart of api[4711] frees its fds.
            3. Then record again and check that the leak is gone: tracer diff night.rec AFTER.rec

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}

#[test]
fn a_retracted_finding_and_how_to_show_it() {
    check(
        &fixture::report(vec![fixture::retracted(4)]),
        &expect![[r#"
            No active leaks; 1 finding was retracted: api[4711] had up to 5 connections to
            10.0.0.8:443, undrained (likely); they were closed or used again by 2026-03-01 11:59:48
            UTC.

            1. Create this report for the time when the finding was active: --at
               2026-03-01T11:59:47.999Z
            2. If you still suspect a leak: only connections that have been idle for 1m are reported;
               use a lower --idle or record for longer.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}

#[test]
fn no_findings() {
    check(
        &fixture::report(vec![fixture::stale_pool(3)]),
        &expect![[r#"
            No leaked connections found.

            1. If you still suspect a leak: only connections that have been idle for 1m are reported;
               use a lower --idle or record for longer.

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
    check(
        &fixture::incomplete(),
        &expect![[r#"
            No leaked connections found, but coverage is incomplete.
            COVERAGE IS INCOMPLETE: 1 snapshot failed, 5 connections did not fit in the connection
            table, 5 open responses did not fit in the list of open responses, so they are not
            tracked, 2 processes could not be read, 34 events were lost since the latest snapshot
            began. Run as root, in the host's pid namespace.

            1. If you still suspect a leak: only connections that have been idle for 1m are reported;
               use a lower --idle or record for longer.
            2. Fix what made coverage incomplete (see below), and record again.

            Note: accept: not attached (fexit: not permitted); which process accepted a connection is
                  known only from the next snapshot on
            Note: tracer runs inside a pid namespace: processes outside it are not visible
            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; 1,234 events lost.
            COVERAGE IS INCOMPLETE: 1 snapshot failed, 5 connections did not fit in the connection
            table, 5 open responses did not fit in the list of open responses, so they are not
            tracked, 2 processes could not be read, 34 events were lost since the latest snapshot
            began. Run as root, in the host's pid namespace. Not analyzed (not plain TCP): 2 mptcp,
            1 smc.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}

#[test]
fn a_leak_to_many_addresses_names_the_port() {
    let connections = fixture::connections(6, TcpState::CloseWait, "10.0.0.7:443");
    let finding = Finding {
        call_site: Some("dial net.c:7".to_owned()),
        remote: None,
        remotes: 6,
        oldest_age_is_lower_bound: true,
        growth_is_reconstructed: true,
        ..fixture::finding(1, connections)
    };
    check(
        &fixture::report(vec![finding]),
        &expect![[r#"
            api[4711] leaks 6 connections to port 443 of 6 addresses (likely), the oldest opened
            before 2026-03-01 11:09:00 UTC; opened at dial net.c:7.
            The peer has closed the connections, and the process has not. The number of connections
            grows by about 23/min.

            1. Close the socket when a read returns EOF (0 bytes), and after errors. The connections
               come from dial net.c:7.
            2. Until the fix is deployed, a restart of api[4711] frees its fds.
            3. Then record again and check that the leak is gone: tracer diff night.rec AFTER.rec

            Observed 10,234 TCP sockets of 14 processes in 3 snapshots over 3s; no events lost.
            Coverage is complete.
            Thresholds: --idle 60s, --min-count 5. Command: tracer --pid 4711
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC"#]],
    );
}
