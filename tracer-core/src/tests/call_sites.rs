//! Call sites: each has a separate finding.

use std::{collections::BTreeSet, format, vec::Vec};

use expect_test::expect;

use super::{check, timeline::Player};
use crate::{
    CallSite, CallSiteReason, Note, Options, ProcessKey, StackId,
    call_sites::{self, CallSites},
};

const TWO_CALL_SITES: &str = "
    0s call-site stack=7 is=main.charge,billing.go:23
    0s snapshot
    1s open a1..a12 every=15s pid=10
    1s start-response a1..a9 every=15s stack=7
    136s start-response a10..a12 every=15s stack=8
    1s receive a1..a12 every=15s bytes=200
    1s read a1..a12 every=15s
    1s reader a1..a12 every=15s is=none http=body
";

fn check_two_call_sites(rest: &str, expect: &expect_test::Expect) {
    check(&[TWO_CALL_SITES, rest].concat(), expect);
}

#[test]
fn each_call_site_is_a_finding() {
    check_two_call_sites(
        "
        0s call-site stack=8 is=main.refund,billing.go:77
        300s snapshot
        300s report
        ",
        &expect![[r#"
            [5m]
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.charge billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
              #2 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x3, oldest 2m 44s, active 0s, reader none, at main.refund billing.go:77, responses 3
                 open-responses count=3 age=134000..164000ms
                 response-unreferenced count=3 total=3
                 separate-times occurrence=Requested times=3 span_ms=30000
                 same-destination count=12
        "#]],
    );
}

/// If the answer arrives later, the finding remains the same, and each call site is reported once.
#[test]
fn a_call_site_that_becomes_known_makes_no_new_finding() {
    check_two_call_sites(
        "
        300s snapshot
        300s report
        301s call-site stack=8 is=main.refund,billing.go:77
        302s snapshot
        302s report
        ",
        &expect![[r#"
            [5m]
              #2 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 4m 59s, active 0s ~+4.0/min, reader none, at main.charge billing.go:23, responses 9
                 open-responses count=9 age=179000..299000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=179000
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x3, oldest 2m 44s, active 0s, reader none, responses 3
                 open-responses count=3 age=134000..164000ms
                 response-unreferenced count=3 total=3
                 separate-times occurrence=Requested times=3 span_ms=30000
                 same-destination count=12
            [5m 2s]
              #2 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x9, oldest 5m 1s, active 2s ~+4.0/min, reader none, at main.charge billing.go:23, responses 9
                 open-responses count=9 age=181000..301000ms
                 response-unreferenced count=9 total=9
                 rising occurrence=Requested times=9 span_ms=120000 since_last_ms=181000
              #1 body-not-closed certain: p10[10] outbound 10.0.0.1:443 x3, oldest 2m 46s, active 2s, reader none, at main.refund billing.go:77, responses 3
                 open-responses count=3 age=136000..166000ms
                 response-unreferenced count=3 total=3
                 separate-times occurrence=Requested times=3 span_ms=30000
                 same-destination count=12
        "#]],
    );
}

/// Ten call sites with three responses each: none reaches the minimum, but all belong to one
/// program.
#[test]
fn a_leak_spread_over_many_call_sites_is_found() {
    use std::{fmt::Write as _, string::String};

    let mut timeline = String::from("0s snapshot\n");
    for place in 1..=10 {
        write!(
            timeline,
            "
            0s call-site stack={place} is=main.f{place},a.go:{place}
            1s open a{place}1..a{place}3 pid=10
            1s start-response a{place}1..a{place}3 stack={place}
            1s receive a{place}1..a{place}3 bytes=200
            1s read a{place}1..a{place}3
            1s reader a{place}1..a{place}3 is=none
            "
        )
        .unwrap();
    }
    timeline.push_str(
        "
        100s snapshot
        100s report",
    );
    check(
        &timeline,
        &expect![[r#"
            [1m 40s]
              #1 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f1 a.go:1, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #2 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f10 a.go:10, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #3 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f2 a.go:2, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #4 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f3 a.go:3, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #5 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f4 a.go:4, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #6 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f5 a.go:5, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #7 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f6 a.go:6, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #8 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f7 a.go:7, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #9 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f8 a.go:8, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
              #10 body-not-closed likely: p10[10] outbound 10.0.0.1:443 x3, oldest 1m 39s, active 0s, reader none, at main.f9 a.go:9, responses 3
                 open-responses count=3 age=99000..99000ms
                 no-reader count=3 total=3
                 same-destination count=30
        "#]],
    );
}

/// Findings about connections name where they were opened: one call site, or the most frequent
/// ones.
#[test]
fn connections_opened_at_one_call_site_name_it() {
    check(
        "
        0s call-site stack=7 is=dial,pool.c:9
        0s call-site stack=8 is=dial,other.c:1
        0s snapshot
        1s open a1..a12 every=6s pid=10 stack=7
        1s open b1..b12 every=6s pid=11 stack=7
        61s open b13..b20 every=6s pid=11 stack=8
        110s open b21..b22 every=6s pid=11 stack=9
        120s peer-closes a1..a12 every=6s
        120s peer-closes b1..b22 every=6s
        300s snapshot
        300s report
        301s changes
        ",
        &expect![[r#"
            [5m]
              #2 close-wait likely: p11[11] outbound 10.0.0.1:443 x21, oldest 4m 59s, active 0s ~+10.0/min
                 peer-closed count=21 ago=60000..180000ms
                 rising occurrence=PeerClosed times=21 span_ms=120000 since_last_ms=60000
                 call-sites top=["dial pool.c:9" count=12 "dial other.c:1" count=8 ] others=0
                 but thread-pool-possible
              #1 close-wait likely: p10[10] outbound 10.0.0.1:443 x12, oldest 4m 59s, active 0s ~+10.0/min, at dial pool.c:9
                 peer-closed count=12 ago=114000..180000ms
                 rising occurrence=PeerClosed times=12 span_ms=66000 since_last_ms=114000
                 but thread-pool-possible
            5m flagged 0x1 close-wait likely at dial pool.c:9
            5m flagged 0x2 close-wait likely at dial pool.c:9
            5m flagged 0x3 close-wait likely at dial pool.c:9
            5m flagged 0x4 close-wait likely at dial pool.c:9
            5m flagged 0x5 close-wait likely at dial pool.c:9
            5m flagged 0x6 close-wait likely at dial pool.c:9
            5m flagged 0x7 close-wait likely at dial pool.c:9
            5m flagged 0x8 close-wait likely at dial pool.c:9
            5m flagged 0x9 close-wait likely at dial pool.c:9
            5m flagged 0xa close-wait likely at dial pool.c:9
            5m flagged 0xb close-wait likely at dial pool.c:9
            5m flagged 0xc close-wait likely at dial pool.c:9
            5m flagged 0xd close-wait likely at dial pool.c:9
            5m flagged 0xe close-wait likely at dial pool.c:9
            5m flagged 0xf close-wait likely at dial pool.c:9
            5m flagged 0x10 close-wait likely at dial pool.c:9
            5m flagged 0x11 close-wait likely at dial pool.c:9
            5m flagged 0x12 close-wait likely at dial pool.c:9
            5m flagged 0x13 close-wait likely at dial pool.c:9
            5m flagged 0x14 close-wait likely at dial pool.c:9
            5m flagged 0x15 close-wait likely at dial pool.c:9
            5m flagged 0x16 close-wait likely at dial pool.c:9
            5m flagged 0x17 close-wait likely at dial other.c:1
            5m flagged 0x18 close-wait likely at dial pool.c:9
            5m flagged 0x19 close-wait likely at dial pool.c:9
            5m flagged 0x1a close-wait likely at dial other.c:1
            5m flagged 0x1b close-wait likely at dial other.c:1
            5m flagged 0x1c close-wait likely at dial other.c:1
            5m flagged 0x1d close-wait likely at dial other.c:1
            5m flagged 0x1e close-wait likely at dial other.c:1
            5m flagged 0x1f close-wait likely at dial other.c:1
            5m flagged 0x20 close-wait likely at dial other.c:1
            5m flagged 0x21 close-wait likely
        "#]],
    );
}

/// Each stack is asked about until there is an answer, 64 at a time, and each gets its turn.
#[test]
fn stacks_are_asked_about_fairly_and_once() {
    let process = ProcessKey { start_time_ns: 1, pid: 10 };
    let wanted: BTreeSet<_> = (0..100).map(|stack| (process, StackId(stack))).collect();
    let mut sites = CallSites::default();
    let first = sites.ask(&wanted, 1);
    assert_eq!((first.len(), sites.waiting()), (64, 36));
    let second = sites.ask(&wanted, 2);
    assert_eq!(first.iter().chain(&second).collect::<BTreeSet<_>>().len(), 100);
    for (process, stack) in wanted.iter().copied().filter(|(_, stack)| stack.0 != 7) {
        sites.remember(CallSite {
            process,
            stack,
            location: None,
            reason: Some(CallSiteReason::StackEmpty),
        });
    }
    assert_eq!(sites.ask(&wanted, 3), [(process, StackId(7))]);
    assert_eq!(sites.waiting(), 0);
    assert_eq!(sites.reasons().count(), 99);
    sites.retain(|_| false);
    assert_eq!((sites.reasons().count(), sites.ask(&wanted, 4).len()), (0, 64));
}

/// The number of answers is bounded: at the limit, those that are no longer needed are dropped.
#[test]
fn answers_that_are_not_needed_make_room() {
    let process = ProcessKey { start_time_ns: 1, pid: 10 };
    let mut sites = CallSites::default();
    let answer = |stack| {
        let location = Some(format!("main.f{stack} a.go:{stack}"));
        CallSite { process, stack: StackId(stack), location, reason: None }
    };
    let most = u32::try_from(call_sites::CALL_SITES_MAX).unwrap();
    (0..most + 10).for_each(|stack| sites.remember(answer(stack)));
    assert_eq!(sites.call_site(process, StackId(most - 1)), answer(most - 1).location.as_deref());
    assert_eq!(sites.call_site(process, StackId(most)), None, "there is no room");
    let wanted = BTreeSet::from([(process, StackId(1)), (process, StackId(most))]);
    assert_eq!(sites.ask(&wanted, 1), [(process, StackId(most))]);
    sites.remember(answer(most));
    for (stack, is_known) in [(1, true), (2, false), (most, true)] {
        assert_eq!(sites.call_site(process, StackId(stack)).is_some(), is_known, "{stack}");
    }
}

/// The reason why call sites are unknown is reported once, with the number of stacks.
#[test]
fn an_unknown_call_site_has_a_reason() {
    let mut player = Player::new(Options::default());
    player.play_all(TWO_CALL_SITES);
    player.play_all("0s call-site stack=8\n 300s snapshot");
    let notes = player.detector.report().coverage.notes;
    assert_eq!(notes, [Note::CallSiteLimit { stacks: 1, reason: CallSiteReason::StackEmpty }]);
    player.play_all("301s close a1..a12\n 302s snapshot");
    assert_eq!(player.detector.report().coverage.notes.len(), 0, "the process is gone");
}

/// Each reason is counted. What was found in a stack stands for the finding.
#[test]
fn the_reasons_of_a_finding_are_counted() {
    let mut player = Player::new(Options::default());
    player.play_all(
        "
        0s call-site stack=8
        0s snapshot
        1s open a1..a9 every=6s pid=10
        55s open a10..a12 every=6s pid=10 stack=8
        120s peer-closes a1..a12 every=6s
        300s snapshot
        ",
    );
    let findings = player.detector.report().findings;
    assert_eq!(findings.len(), 1);
    let reasons = findings[0].call_site_reasons.iter().map(|it| (&it.value, it.count));
    assert_eq!(
        reasons.collect::<Vec<_>>(),
        [(&CallSiteReason::StackNotRecorded, 9), (&CallSiteReason::StackEmpty, 3)]
    );
    assert_eq!(findings[0].call_site_reason, Some(CallSiteReason::StackEmpty));
}
