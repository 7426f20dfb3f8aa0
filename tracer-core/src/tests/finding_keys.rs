//! The key of a finding: the same across runs, and fixed when the finding begins.

use std::{
    string::{String, ToString},
    vec::Vec,
};

use super::timeline::Player;
use crate::{CallSiteReason, Confidence, Finding, Options, Verdict};

/// The findings at the end of a timeline.
fn findings(timeline: &str) -> Vec<Finding> {
    let mut player = Player::new(Options::default());
    player.play_all(timeline);
    player.detector.report().findings
}

fn keys(timeline: &str) -> Vec<String> {
    findings(timeline).iter().map(|finding| finding.key.to_string()).collect()
}

#[test]
fn the_key_names_family_direction_destination_and_process() {
    let key = |timeline: &str| keys(timeline).join(" ");
    let opened = "0s open a1..a6 pid=10\n 1s receive a1..a6 bytes=9000\n 2s snapshot";
    assert_eq!(
        key(&[opened, "\n 90s snapshot"].concat()),
        "client-connection/outbound/10.0.0.1:443/p10"
    );
    assert_eq!(
        key(&[opened, "\n 9s reader a1..a6 is=none http=body\n 90s snapshot"].concat()),
        "client-connection/outbound/10.0.0.1:443/p10",
        "without a ledger, a response is known as a connection"
    );
    assert_eq!(
        key(&[opened, "\n 9s start-response a1..a6\n 9s receive a1..a6 bytes=9\n 90s snapshot"]
            .concat()),
        "response/outbound/10.0.0.1:443/p10"
    );
    assert_eq!(
        key("0s accept a1..a6 pid=10\n 1s receive a1..a6 bytes=9000\n 90s snapshot"),
        "accepted/inbound/:8080/p10"
    );
    assert_eq!(
        key("
            0s snapshot
            1s open a1..a6 pid=10
            2s share a1..a6 pid=11 forked=2s
            2s reader a1..a6 is=none
            3s unshare a1..a6 pid=10
            100s snapshot
        "),
        "inherited/outbound/10.0.0.1:443/p11"
    );
}

#[test]
fn a_finding_by_port_is_named_by_its_port() {
    let addresses = "
        0s open a1 a2 pid=10 to=10.0.0.1:443
        0s open b1 b2 pid=10 to=10.0.0.2:443
        0s open c1 c2 pid=10 to=10.0.0.3:443
        1s receive a1 a2 b1 b2 c1 c2 bytes=9000
        2s snapshot
        90s snapshot
    ";
    assert_eq!(keys(addresses), ["client-connection/outbound/:443/p10"]);
}

#[test]
fn the_key_stays_while_verdict_confidence_and_call_site_change() {
    let mut player = Player::new(Options::default());
    player.play_all(
        "
        0s open a1..a12 every=10s pid=10 stack=7
        5s peer-closes a1..a12 every=10s
        70s snapshot
        ",
    );
    let before = player.detector.report().findings.remove(0);
    assert_eq!((before.verdict, before.confidence), (Verdict::StalePool, Confidence::Info));
    player.play_all("100s call-site stack=7 is=main.get,api.go:23\n 200s snapshot");
    let after = player.detector.report().findings.remove(0);
    assert_eq!((after.verdict, after.confidence), (Verdict::CloseWait, Confidence::Likely));
    assert_ne!(before.call_site, after.call_site);
    assert_eq!((before.id, before.key), (after.id, after.key));
}

/// In the second run, the same program has other sockets, and another finding is listed first. The
/// model host names processes after their pids, so the name is set to that of the first run.
#[test]
fn the_key_is_the_same_in_another_run() {
    let run = |pid: u32, before: &str| {
        let leak = std::format!(
            "
            9s open a1..a6 pid={pid}
            10s receive a1..a6 bytes=9000
            11s snapshot
            90s snapshot
            "
        );
        let findings = findings(&[before, &leak].concat());
        let finding = findings.into_iter().find(|it| it.process.pid == pid).unwrap();
        (finding.id, finding.key)
    };
    let first = run(10, "");
    let mut second = run(77, "0s open b1..b9 pid=20\n 1s receive b1..b9 bytes=9000\n");
    assert_ne!(first.0, second.0);
    second.1.comm = first.1.comm.clone();
    assert_eq!(first.1, second.1);
}

/// A live run sees a leak grow, and an audit sees it complete: the readers of all connections are
/// known in neither, or only in one.
#[test]
fn a_leak_that_grows_has_the_key_of_one_that_is_found_at_once() {
    let leak = "
        1s open a1..a9 every=15s pid=10
        2s receive a1..a9 every=15s bytes=200
        3s read a1..a9 every=15s
    ";
    let readers = "4s reader a1..a9 every=15s is=none http=body\n";
    let responses = "1s start-response a1..a9 every=15s stack=7\n";
    let snapshots: Vec<String> = (1..=30).map(|ten| std::format!("{ten}0s snapshot")).collect();
    let grown = snapshots.join("\n");
    let check = |with: &str, expected: &str| {
        let one_by_one = keys(&[leak, with, &grown].concat());
        let at_once = keys(&[leak, with, "300s snapshot"].concat());
        assert_eq!((one_by_one, at_once), ([expected.into()].into(), [expected.into()].into()));
    };
    check(readers, "client-connection/outbound/10.0.0.1:443/p10");
    check(&[readers, responses].concat(), "response/outbound/10.0.0.1:443/p10");
}

#[test]
fn the_key_does_not_depend_on_when_readers_become_known() {
    let leak = "1s open a1..a9 pid=10\n 2s receive a1..a9 bytes=9000\n";
    let snapshots = "9s snapshot\n 90s snapshot\n 300s snapshot";
    let with = |readers: &str| keys(&[leak, readers, snapshots].concat());
    let early = with("4s reader a1..a9 is=none http=body\n");
    assert_eq!(early, with("200s reader a1..a9 is=none http=body\n"));
    assert_eq!(early, with(""));
}

/// A finding without a call site says why.
#[test]
fn an_unknown_call_site_is_explained() {
    let reason = |timeline: &str| {
        let rest = "\n 1s receive a1..a6 bytes=9000\n 2s snapshot\n 90s snapshot";
        findings(&[timeline, rest].concat()).remove(0).call_site_reason
    };
    assert_eq!(
        reason("0s lose-events\n 0s open a1..a6 pid=10"),
        Some(CallSiteReason::OpenedBeforeTracing)
    );
    let after_tracing = "0s snapshot\n 0s sock-diag\n 1s open a1..a6 pid=10";
    assert_eq!(
        reason(after_tracing),
        Some(CallSiteReason::StackNotRecorded),
        "the first snapshot did not show it"
    );
    assert_eq!(reason("0s open a1..a6 pid=10"), Some(CallSiteReason::StackNotRecorded));
    assert_eq!(reason("0s open a1..a6 pid=10 stack=7"), Some(CallSiteReason::NotResolved));
    let resolved = "0s open a1..a6 pid=10 stack=7\n 0s call-site stack=7";
    assert_eq!(reason(resolved), Some(CallSiteReason::StackEmpty));
    assert_eq!(reason(&[resolved, " is=main.get,api.go:23"].concat()), None);
    let one_resolved = "
        0s open a6 pid=10 stack=7
        0s call-site stack=7
        0s lose-events
        0s open a1..a5 pid=10";
    assert_eq!(reason(one_resolved), Some(CallSiteReason::StackEmpty), "later ones also have it");
    let several = "
        0s open a1..a3 pid=10 stack=7
        0s open a4..a6 pid=10 stack=8
        0s call-site stack=7 is=main.get,api.go:23
        0s call-site stack=8 is=main.put,api.go:42";
    assert_eq!(reason(several), Some(CallSiteReason::SeveralCallSites));
}

/// The connection may have been opened by code other than that which requested the response.
#[test]
fn the_stack_of_a_response_is_not_replaced_by_that_of_its_connection() {
    let opened = "
        0s call-site stack=7 is=main.get,api.go:23
        0s open a1..a6 pid=10 stack=7
        1s receive a1..a6 bytes=200
    ";
    let site = |requested: &str| {
        let mut findings = findings(&[opened, requested, "\n 90s snapshot"].concat());
        let finding = findings.remove(0);
        for connection in &finding.connections {
            assert_eq!(connection.call_site, finding.call_site);
            assert_eq!(connection.call_site_reason, finding.call_site_reason);
        }
        (finding.call_site, finding.call_site_reason)
    };
    assert_eq!(site(""), (Some("main.get api.go:23".into()), None));
    let not_recorded = (None, Some(CallSiteReason::StackNotRecorded));
    assert_eq!(site("1s start-response a1..a6"), not_recorded);
    let not_resolved = (None, Some(CallSiteReason::NotResolved));
    assert_eq!(site("1s start-response a1..a6 stack=8"), not_resolved);
}
