use tracer_core::{Finding, TcpState};

use super::*;
use crate::output::fixture;

const LEAK: &str = "10.0.0.7:443";

/// A report of this second, with the given number of connections without a finding.
fn report(second: u64, unflagged: u32) -> Report {
    Report {
        at: Timestamp::from_ms(second * 1_000),
        unflagged: fixture::connections(unflagged, TcpState::Established, "10.0.0.9:80"),
        ..Report::default()
    }
}

fn seconds(history: &History) -> Vec<u64> {
    history.samples.iter().map(|sample| sample.at.as_ns() / 1_000_000_000).collect()
}

#[test]
fn connections_are_counted_by_place_and_by_verdict() {
    let leaked = (20..23).map(|number| fixture::connection(number, TcpState::CloseWait, LEAK));
    let leak = fixture::finding(1, leaked.collect());
    let mut history = History::default();
    history.snapshot(|| Report { findings: vec![leak, fixture::inbound(2)], ..report(7, 2) });
    history.snapshot(|| report(8, 1));

    let counts = |index: usize| {
        let named = |(place, count): (&usize, &u64)| {
            let place = &history.places[*place];
            (place.comm.clone(), place.destination, *count)
        };
        let mut counts: Vec<_> = history.samples[index].by_place.iter().map(named).collect();
        counts.sort();
        counts
    };
    let api =
        |to: &str, count| ("api".to_owned(), Destination::Outbound(fixture::address(to)), count);
    let nginx = ("nginx".to_owned(), Destination::Inbound(8_080), 12);
    assert_eq!(counts(0), [api(LEAK, 3), api("10.0.0.9:80", 2), nginx]);
    assert_eq!(counts(1), [api("10.0.0.9:80", 1)]);
    assert_eq!(
        history.samples[0].by_verdict,
        [(None, 2), (Some(Verdict::Ghost), 12), (Some(Verdict::CloseWait), 3)].into()
    );
}

#[test]
fn many_snapshots_are_thinned_evenly_to_the_limit() {
    let mut history = History::default();
    for second in 0..10_000 {
        history.snapshot(|| report(second, 1));
        assert!(history.samples.len() <= SAMPLES_MAX);
    }
    let seconds_kept = seconds(&history);
    let stride = 32;
    assert!(
        seconds_kept.iter().enumerate().all(|(index, second)| *second == index as u64 * stride)
    );
    assert_eq!((history.snapshots, seconds_kept.len()), (10_000, 313));

    history.end(&report(9_999, 1));
    history.end(&report(9_999, 1));
    assert_eq!(seconds(&history)[312..], [9_984, 9_999]);
}

#[test]
fn snapshots_that_are_not_sampled_cost_no_report() {
    let mut history = History { snapshots: 1, halvings: 1, ..History::default() };
    history.snapshot(|| panic!("no report is needed"));
    assert_eq!(history.snapshots, 2);
}

#[test]
fn places_beyond_the_limit_are_counted_together() {
    let mut history = History::default();
    let mut crowded = report(1, 2);
    let template = crowded.unflagged[0].clone();
    crowded.unflagged = (0..PLACES_MAX + 3)
        .map(|number| {
            let mut connection = template.clone();
            connection.owners[0].key.pid = u32::try_from(number).unwrap();
            connection
        })
        .collect();
    history.snapshot(|| crowded);
    let sample = &history.samples[0];
    assert_eq!((sample.by_place.len(), sample.elsewhere), (PLACES_MAX, 3));
}

#[test]
fn a_connection_in_two_findings_counts_once_with_the_verdict_of_the_highest_confidence() {
    let connections = fixture::connections(1, TcpState::Established, "10.0.0.7:443");
    let likely = fixture::finding(1, connections.clone());
    let possible = Finding {
        verdict: Verdict::Abandoned,
        confidence: Confidence::Possible,
        ..fixture::finding(2, connections)
    };
    for findings in [[likely.clone(), possible.clone()], [possible, likely]] {
        let mut history = History::default();
        history.snapshot(|| Report { findings: findings.to_vec(), ..report(1, 0) });
        assert_eq!(history.samples[0].by_verdict, [(Some(Verdict::CloseWait), 1)].into());
    }
}
