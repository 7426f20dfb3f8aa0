//! Connections to the same port of many addresses.

use std::{fmt::Write as _, format, string::String};

use expect_test::expect;

use super::check;

/// One connection to each of 60 addresses, opened every six seconds, each with one small response;
/// then `rest`.
fn one_each(rest: &str, expect: &expect_test::Expect) {
    let mut timeline = String::from("0s snapshot\n");
    for number in 1..=60 {
        let at = number * 6;
        writeln!(timeline, "{at}s open a{number} pid=10 to=10.0.1.{number}:443").unwrap();
        writeln!(timeline, "{at}s send a{number} bytes=100").unwrap();
        writeln!(timeline, "{at}s receive a{number} bytes=200").unwrap();
        writeln!(timeline, "{at}s read a{number}").unwrap();
    }
    check(&format!("{timeline}{rest}"), expect);
}

#[test]
fn a_leak_of_one_response_at_each_of_many_addresses_is_one_leak() {
    one_each(
        "
        399s reader a1..a60 is=none http=body request=GET,http://billing/charge
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 abandoned certain: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, active 0s ~+10.0/min, reader none, GET http://billing/charge
                 response-silent count=60 silent=140000..494000ms
                 response-unreferenced count=60 total=60
                 requests top=["GET http://billing/charge" count=60 ] others=0
                 rising occurrence=WentSilent times=60 span_ms=354000 since_last_ms=140000
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=57
        "#]],
    );
}

/// The call sites are known, and one address has more connections than the others.
#[test]
fn a_leak_to_many_addresses_is_judged_by_call_site() {
    one_each(
        "
        361s open b1..b3 pid=10 to=10.0.1.7:443
        361s start-response a1..a50 b1..b3 stack=7
        361s start-response a51..a60 stack=8
        361s send a1..a60 b1..b3 bytes=100
        362s receive a1..a60 b1..b3 bytes=200
        363s read a1..a60 b1..b3
        0s call-site stack=7 is=main.get,api.go:23
        0s call-site stack=8 is=main.put,api.go:42
        399s reader a1..a60 b1..b3 is=none http=body
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 body-not-closed certain: p10[10] outbound 50 addresses :443 x53, oldest 8m 14s, active 0s, reader none, at main.get api.go:23, responses 53
                 open-responses count=53 age=139000..139000ms
                 response-unreferenced count=53 total=53
                 destinations top=[10.0.1.7:443 count=4 10.0.1.1:443 count=1 10.0.1.2:443 count=1 ] others=47
              #2 body-not-closed certain: p10[10] outbound 10 addresses :443 x10, oldest 3m 14s, active 0s, reader none, at main.put api.go:42, responses 10
                 open-responses count=10 age=139000..139000ms
                 response-unreferenced count=10 total=10
                 destinations top=[10.0.1.51:443 count=1 10.0.1.52:443 count=1 10.0.1.53:443 count=1 ] others=7
        "#]],
    );
}

/// A crawler that keeps its connections, or a client with one connection for each endpoint.
#[test]
fn idle_connections_to_many_addresses_are_no_finding() {
    one_each(
        "
        399s reader a1..a60 is=goroutine http=idle transport=each
        900s snapshot
        900s report
        901s reader a1..a60 is=none
        960s snapshot
        960s report
        ",
        &expect![[r#"
            [15m] nothing
            [16m] nothing
        "#]],
    );
}

/// A session that visited many hosts, each of which closed its connection; it has not received EOF.
#[test]
fn one_stale_connection_to_each_of_many_hosts_is_only_possible() {
    one_each(
        "
        10s peer-closes a1..a60 every=6s
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 close-wait possible: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, active 0s ~+10.0/min
                 peer-closed count=60 ago=136000..490000ms
                 rising occurrence=PeerClosed times=60 span_ms=354000 since_last_ms=136000
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=57
        "#]],
    );
}

/// The process received EOF on each and closed none.
#[test]
fn connections_left_open_after_eof_at_once_are_only_possible() {
    one_each(
        "
        400s peer-closes a1..a60
        400s snapshot
        401s read a1..a60
        402s snapshot
        500s snapshot
        500s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 close-wait possible: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, active 0s +0.0/min
                 peer-closed count=60 ago=100000..100000ms
                 eof-received count=60 total=60
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=57
                 but single-cause-possible
        "#]],
    );
}

#[test]
fn dead_connections_to_many_addresses_are_only_possible_unless_reported_to_the_process() {
    one_each(
        "
        10s peer-resets a1..a60 every=6s
        500s snapshot
        500s report
        501s read a1..a20
        510s snapshot
        510s report
        ",
        &expect![[r#"
            [8m 20s]
              #1 ghost possible: p10[10] outbound 60 addresses :443 x60, oldest 8m 14s, active 0s ~+10.0/min
                 dead count=60 dead=136000..490000ms is_lower_bound=false
                 rising occurrence=Died times=60 span_ms=354000 since_last_ms=136000
                 death-unnoticed count=60
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=57
            [8m 30s]
              #1 ghost likely: p10[10] outbound 60 addresses :443 x60, oldest 8m 24s, active 10s ~+10.0/min
                 dead count=60 dead=146000..500000ms is_lower_bound=false
                 rising occurrence=Died times=60 span_ms=354000 since_last_ms=146000
                 death-reported count=20 total=60
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=57
        "#]],
    );
}

/// Enough connections to one address form a separate finding; the others are too few.
#[test]
fn enough_connections_to_one_address_are_their_own_finding() {
    check(
        "
        0s snapshot
        1s open a1..a12 every=10s pid=10 to=10.0.0.1:443
        1s open b1 pid=10 to=10.0.0.2:443
        1s open c1..c2 pid=10 to=10.0.0.3:443
        2s receive a1..a12 every=10s bytes=60000
        2s receive b1 c1..c2 bytes=60000
        130s snapshot
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 undrained likely: p10[10] outbound 10.0.0.1:443 x12, oldest 4m 59s, active 2m 50s +0.0/min
                 unread-silent count=12 unread_bytes=720000 silent=188000..298000ms
                 nothing-read watched=188000..298000ms
                 rising occurrence=WentSilent times=12 span_ms=110000 since_last_ms=188000
              #3 undrained possible: p10[10] outbound 10.0.0.3:443 x2, oldest 4m 59s, active 2m 50s
                 unread-silent count=2 unread_bytes=120000 silent=298000..298000ms
                 nothing-read watched=298000..298000ms
                 but single-cause-possible
                 but too-little-unread count=2 total=2 unread_min_bytes=4096 count_min=5
              #2 undrained possible: p10[10] outbound 10.0.0.2:443 x1, oldest 4m 59s, active 2m 50s
                 unread-silent count=1 unread_bytes=60000 silent=298000..298000ms
                 nothing-read watched=298000..298000ms
                 but too-little-unread count=1 total=1 unread_min_bytes=4096 count_min=5
        "#]],
    );
}

/// A leak that continues while it is watched counts as growing, even if one snapshot could not show
/// a leak.
#[test]
fn stale_connections_to_ever_more_hosts_are_likely_as_they_grow() {
    let mut timeline = String::from("0s snapshot\n");
    for number in 1..=80 {
        let at = number * 6;
        writeln!(timeline, "{at}s open a{number} pid=10 to=10.0.1.{number}:443").unwrap();
        writeln!(timeline, "{}s peer-closes a{number}\n{}s snapshot", at + 3, at + 4).unwrap();
    }
    check(
        &format!("{timeline}\n485s report"),
        &expect![[r#"
            [8m 4s]
              #1 close-wait likely: p10[10] outbound 70 addresses :443 x70, oldest 7m 58s, active 6m 54s +10.0/min
                 peer-closed count=70 ago=61000..475000ms
                 rising occurrence=PeerClosed times=70 span_ms=414000 since_last_ms=61000
                 count-rose windows=5 from=41 to=71
                 destinations top=[10.0.1.1:443 count=1 10.0.1.2:443 count=1 10.0.1.3:443 count=1 ] others=67
        "#]],
    );
}

/// A finding by address that is extended to more addresses is the same finding.
#[test]
fn a_finding_by_address_continues_as_one_by_port() {
    check(
        "
        0s snapshot
        1s open a1..a3 pid=10 to=10.0.0.1:443
        2s receive a1..a3 bytes=60000
        3s snapshot
        100s snapshot
        100s report
        100s open b1..b3 pid=10 to=10.0.0.2:443
        101s receive b1..b3 bytes=60000
        102s snapshot
        200s snapshot
        200s report
        200s changes
        ",
        &expect![[r#"
            [1m 40s]
              #1 undrained possible: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s
                 unread-silent count=3 unread_bytes=180000 silent=98000..98000ms
                 nothing-read watched=98000..98000ms
                 but single-cause-possible
                 but too-little-unread count=3 total=3 unread_min_bytes=4096 count_min=5
            [3m 20s]
              #1 undrained possible: p10[10] outbound 2 addresses :443 x6, oldest 3m 19s, active 1m 40s +0.0/min
                 unread-silent count=6 unread_bytes=360000 silent=99000..198000ms
                 nothing-read watched=99000..198000ms
                 separate-times occurrence=WentSilent times=2 span_ms=99000
                 destinations top=[10.0.0.1:443 count=3 10.0.0.2:443 count=3 ] others=0
            1m 40s flagged 0x1 undrained possible
            1m 40s flagged 0x2 undrained possible
            1m 40s flagged 0x3 undrained possible
            3m 20s flagged 0x4 undrained possible
            3m 20s flagged 0x5 undrained possible
            3m 20s flagged 0x6 undrained possible
        "#]],
    );
}
