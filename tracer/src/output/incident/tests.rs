use expect_test::{Expect, expect};
use tracer_core::{Report, TcpState};

use super::*;
use crate::output::{
    fixture,
    history::History,
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
fn a_leak_is_told_with_who_since_when_how_sure_and_which_line() {
    check(
        &fixture::grown(),
        &expect![[r#"
            api[4711] certainly leaks 23 connections to [2001:db8:85a3::8a2e:370:7334]:443, since
            2026-03-01 11:09:00 UTC, requested at main.(*Client).doSomething billing.go:23.
            The application received HTTP responses and neither read them to EOF nor closed them.
            Their number grows by about 24/h. If the descriptors of the process go on to grow by
            23/min, its limit of 65,536 open files is hit in 1d 22h, at 2026-03-03 10:00:00 UTC.
            1 other finding is below.

            1. Mend main.(*Client).doSomething billing.go:23: close the body of every response on
               every path; in Go, put defer response.Body.Close() right after the error check.
            2. Until that is deployed: a restart of api[4711] gives its descriptors back. If it goes
               on as it did, it has none left at 2026-03-03 10:00:00 UTC.
            3. Then record again, and see that it is gone: tracer diff night.rec AFTER.rec

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 51m"#]],
    );
}

#[test]
fn what_is_only_possible_is_not_accused() {
    let report = fixture::report(vec![fixture::inbound(2)]);
    check(
        &report,
        &expect![[r#"
            nginx[801] possibly leaks 12 connections accepted on port 8080, since before 2026-03-01
            11:09:00 UTC; the line of code is not known.
            The connections are dead (TCP state CLOSE), and the process still has their file
            descriptors open; ss does not list them.

            1. Find out whether it is a leak: something healthy can look the same. The evidence of
               finding 2 says what is known.
            2. If it is one: Close the socket when a read or write fails: the error path does not do
               so. Where in the code is not known: tracer --pid 801 names the line for connections
               that it sees being made.
            3. Until that is deployed: a restart of nginx[801] gives its descriptors back.
            4. Then record again, and see that it is gone: tracer diff night.rec AFTER.rec

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
}

#[test]
fn streams_on_one_connection_are_counted() {
    check(
        &fixture::report(vec![fixture::multiplexed(1)]),
        &expect![[r#"
            api[4711] likely leaks 14 responses on 1 connection to 10.0.0.7:443, since 2026-03-01
            11:09:00 UTC, requested at main.export report.go:40.
            The application received HTTP responses and neither read them to EOF nor closed them.

            1. Mend main.export report.go:40: close the body of every response on every path; in Go,
               put defer response.Body.Close() right after the error check.
            2. Until that is deployed: a restart of api[4711] gives its descriptors back.
            3. Then record again, and see that it is gone: tracer diff night.rec AFTER.rec

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
}

#[test]
fn what_was_taken_back_is_told_with_how_to_see_it() {
    check(
        &fixture::report(vec![fixture::retracted(4)]),
        &expect![[r#"
            No leak stands any more; 1 finding was taken back: api[4711] had up to 5 connections to
            10.0.0.8:443, undrained (likely), which were closed or used again by 2026-03-01 11:59:48
            UTC.

            1. Make this document as of when it stood: --at 2026-03-01T11:59:47.999Z
            2. If connections are still suspected: only what was silent for 1m counts; a lower --idle
               may show more, and so may a longer recording.

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
}

#[test]
fn that_nothing_was_found_is_said() {
    check(
        &fixture::report(vec![fixture::stale_pool(3)]),
        &expect![[r#"
            No leaked connections found.

            1. If connections are still suspected: only what was silent for 1m counts; a lower --idle
               may show more, and so may a longer recording.

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
    check(
        &fixture::incomplete(),
        &expect![[r#"
            No leaked connections found, but not everything could be seen.
            Not everything could be seen: 1 snapshot failed, 5 connections did not fit into the
            connection table, 5 responses in flight did not fit into the list, 2 processes could not
            be read.

            1. If connections are still suspected: only what was silent for 1m counts; a lower --idle
               may show more, and so may a longer recording.
            2. See below what could not be seen, and record again without that.

            Note: accept: not attached (fexit: not permitted); which process accepted a connection is
                  known from the next snapshot on
            Note: tracer runs inside a pid namespace: processes outside of it are not seen
            Seen: 10,234 TCP sockets, 3 snapshots, 1,234 events lost. NOT COMPLETE: 1 snapshot failed,
            5 connections did not fit into the connection table, 5 responses in flight did not fit
            into the list, 2 processes could not be read. Not judged: 2 mptcp, 1 smc.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
}

#[test]
fn a_leak_that_is_spread_names_the_port() {
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
            api[4711] likely leaks 6 connections to port 443 of 6 addresses, since before 2026-03-01
            11:09:00 UTC, opened at dial net.c:7.
            The peer has closed the connections, and the process has not. Their number grows by about
            23/min.

            1. Close the socket when a read returns EOF (0 bytes), and after errors. The connections
               come from dial net.c:7.
            2. Until that is deployed: a restart of api[4711] gives its descriptors back.
            3. Then record again, and see that it is gone: tracer diff night.rec AFTER.rec

            Seen: 10,234 TCP sockets, 3 snapshots, 0 events lost. Complete.
            tracer 0.1.0 on web1, 2026-03-01 12:00:00 UTC, watched for 3s"#]],
    );
}
