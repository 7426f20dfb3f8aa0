use std::time::Duration;

use super::Outcome;
use crate::corpus::Confidence;
use crate::zoo::expectation::{Accepted, Expectation};
use crate::zoo::finding::Finding;
use crate::zoo::record::{Observation, Observations, Source};

const IDLE: Duration = Duration::from_secs(10);

/// An observation of `count` connections with the verdict `ghost`; without a finding if `count` is
/// 0.
fn observation(source: Source, at_s: f64, count: u64) -> Observation {
    let finding = Finding::made_up("ghost", Confidence::Likely, count, "127.0.0.1:81");
    Observation { source, at_s, findings: if count == 0 { Vec::new() } else { vec![finding] } }
}

fn observations(all: Vec<Observation>) -> Observations {
    Observations { all, ..Observations::default() }
}

/// Judges a twin that leaked 25 connections until 100 s.
#[track_caller]
fn check(all: Vec<Observation>, expect: &str, mistakes: &[&str]) {
    let expectations = Expectation::parse_all(expect).unwrap();
    let outcome = Outcome::of_twin(&observations(all), &expectations, 100.0, 0.0, IDLE);
    let found = outcome.mistakes();
    assert_eq!(found.len(), mistakes.len(), "{found:?}");
    for (found, mistake) in found.iter().zip(mistakes) {
        assert!(found.starts_with(mistake), "{found}");
    }
}

#[test]
fn a_twin_is_found_in_time_and_to_the_end() {
    use Source::Live;
    let leak = "ghost 127.0.0.1:81 25";
    let found = vec![observation(Live, 90.0, 20), observation(Live, 149.0, 25)];
    check(found.clone(), leak, &[]);
    check(vec![observation(Live, 151.0, 25)], leak, &["found too late"]);
    check(vec![observation(Live, 149.0, 24)], leak, &["never found with this count"]);
    check(vec![], leak, &["never found with this count"]);
    let retracted = [found.clone(), vec![observation(Live, 200.0, 0)]].concat();
    check(retracted, leak, &["not found at the end"]);
    let more = [found, vec![observation(Live, 200.0, 26), observation(Live, 210.0, 25)]].concat();
    check(more, leak, &["too many"]);
    let audited = vec![observation(Live, 149.0, 25), observation(Source::Audit, 160.0, 60)];
    check(audited, leak, &[]);
}

#[test]
fn nothing_else_of_a_twin_is_flagged() {
    let found = vec![observation(Source::Live, 120.0, 25)];
    let expected =
        ["never found with this count", "flagged in addition to its leak: live, at 120 s: \"api\""];
    check(found, "ghost 127.0.0.1:82 25", &expected);
}

#[test]
fn audits_are_checked_where_a_confidence_is_given() {
    let found = vec![
        observation(Source::Live, 120.0, 25),
        observation(Source::Audit, 200.0, 25),
        observation(Source::Snapshot, 200.0, 20),
    ];
    check(found.clone(), "ghost * 25", &[]);
    check(found.clone(), "ghost * 25 likely", &["audit --for 0s at the end"]);
    check(found, "ghost * 25 certain", &["audit at the end", "audit --for 0s at the end"]);
}

#[test]
fn a_healthy_exhibit_is_never_flagged() {
    let all = vec![
        observation(Source::Live, 30.0, 3),
        observation(Source::Live, 40.0, 4),
        observation(Source::Live, 50.0, 0),
    ];
    let outcome = Outcome::of_healthy(&observations(all.clone()), None, 10.0);
    let mistakes = outcome.mistakes();
    assert_eq!(mistakes.len(), 1, "one of each: {mistakes:?}");
    assert!(mistakes[0].starts_with("live, at 20 s: \"api\" [7]: 3 ghost (likely)"));

    let accept = Accepted::parse("ghost it keeps them").unwrap();
    let outcome = Outcome::of_healthy(&observations(all), Some(&accept), 10.0);
    assert!(outcome.mistakes().is_empty());
    let Outcome::Healthy { accepted, .. } = outcome else { panic!("healthy") };
    assert!(accepted[0].ends_with("accepted: it keeps them"));
}
