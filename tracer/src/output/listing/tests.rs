use tracer_core::{Comm, Container};

use super::*;
use crate::output::fixture;

const LIKELY: Confidence = Confidence::Likely;

/// The same leak in several workers of one server, with the given number of connections in each.
fn workers(counts: &[u32]) -> Vec<Finding> {
    let worker = |(number, count): (u32, &u32)| {
        let process = fixture::process(900 + number, 90_000);
        fixture::worker(u64::from(number) + 1, process, *count)
    };
    (0..).zip(counts).map(worker).collect()
}

#[test]
fn the_lowest_confidence_is_likely_unless_something_asks_for_less() {
    for (fail_on, requested, expected) in [
        (Confidence::Likely, None, Confidence::Likely),
        (Confidence::Certain, None, Confidence::Likely),
        (Confidence::Possible, None, Confidence::Possible),
        (Confidence::Certain, Some(Confidence::Possible), Confidence::Possible),
        (Confidence::Possible, Some(Confidence::Info), Confidence::Info),
    ] {
        assert_eq!(lowest(fail_on, requested), expected, "{fail_on} {requested:?}");
    }
}

#[test]
fn equal_findings_of_several_processes_are_one_row() {
    let findings = workers(&[3, 5, 4]);

    let rows = rows(&findings);

    assert_eq!(rows.len(), 1);
    let counts: Vec<usize> = rows[0].parts.iter().map(|it| it.count).collect();
    assert_eq!(counts, [5, 4, 3], "the largest first");
    let sum = &rows[0].finding;
    assert_eq!((sum.id, sum.count, sum.connections.len()), (1, 12, 12));
    assert_eq!(sum.growth_per_min_milli, Some(3 * 23_000));
    assert_eq!(rows[0].largest().id, 2);
}

#[test]
fn findings_that_differ_have_a_row_each() {
    let differences: [fn(&mut Finding); 8] = [
        |it| it.comm = Comm("other".into()),
        |it| it.exe = Some("/opt/other".to_owned()),
        |it| it.script = Some("other.py".to_owned()),
        |it| it.remote = Some(fixture::address("10.0.0.8:443")),
        |it| it.call_site = Some("main.other other.go:1".to_owned()),
        |it| it.confidence = Confidence::Certain,
        |it| it.verdict = Verdict::Undrained,
        |it| {
            let id = "4f3c2b1a0918".to_owned();
            it.container = Some(Container { id, runtime: None, pod_uid: None });
        },
    ];
    for difference in differences {
        let mut findings = workers(&[3, 5]);
        difference(&mut findings[1]);
        assert_eq!(rows(&findings).len(), 2, "{:?}", findings[1]);
    }
    let mut findings = workers(&[3, 5]);
    findings[1].process = findings[0].process;
    assert_eq!(rows(&findings).len(), 2, "both are of one process");
}

#[test]
fn rows_are_ordered_by_confidence_and_size() {
    let mut findings = workers(&[3, 5, 40]);
    findings[2].confidence = Confidence::Possible;
    findings.push(fixture::with_call_site(9));
    findings.push(Finding { count: 7, ..fixture::finding(10, fixture::inbound(1).connections) });
    let ids: Vec<u64> = rows(&findings).iter().map(|row| row.finding.id).collect();
    assert_eq!(ids, [9, 1, 10, 3]);
}

#[test]
fn what_is_not_listed_is_counted_by_verdict() {
    let mut report = fixture::mixed();
    report.findings.push(Finding { id: 5, ..fixture::inbound(5) });
    let expected = |verdict, confidence, findings, connections, processes| Folded {
        verdict,
        confidence,
        findings,
        connections,
        processes,
    };
    // Both have the same connections.
    let ghosts = expected(Verdict::Ghost, Confidence::Possible, 2, 12, 1);
    let pool = expected(Verdict::StalePool, Confidence::Info, 1, 2, 1);
    assert_eq!(folded(&report, LIKELY), [ghosts, pool]);
    assert_eq!(folded(&report, Confidence::Possible), [pool]);
    assert_eq!(folded(&report, Confidence::Info), []);
}

#[test]
fn a_retracted_finding_is_listed_if_it_ever_was() {
    let mut report = fixture::report(vec![fixture::retracted(1), fixture::retracted(2)]);
    report.findings[0].confidence = Confidence::Possible;
    assert_eq!(folded_retracted(&report, LIKELY), None);
    report.findings[0].peak_confidence = Confidence::Possible;
    assert_eq!(folded_retracted(&report, LIKELY), Some((1, Confidence::Possible)));
    assert_eq!(folded_retracted(&report, Confidence::Possible), None);
    assert_eq!(folded(&report, LIKELY), []);
}

/// The processes that are shown for three workers in one row, the last of which is changed.
fn shown(change: impl FnOnce(&mut Report)) -> Vec<u32> {
    let mut report = fixture::report(workers(&[3, 5, 4]));
    report.processes = report
        .findings
        .iter()
        .map(|finding| ProcessSummary {
            key: finding.process,
            open_fds: Some(100),
            tcp_fds: 50,
            fds_not_connected: 0,
            fd_limit: Some(1_000),
            growth_per_min_milli: None,
            seconds_to_fd_limit: None,
            ..fixture::mixed().processes.remove(0)
        })
        .collect();
    change(&mut report);
    let rows = rows(listed(&report, LIKELY));
    processes(&report, &rows).iter().map(|it| it.key.pid).collect()
}

#[test]
fn of_a_row_of_several_the_process_nearest_to_its_limit_is_shown() {
    assert_eq!(shown(|report| report.processes[1].open_fds = Some(101)), [901]);
    assert_eq!(shown(|report| report.processes[2].seconds_to_fd_limit = Some(90_000)), [902]);
}

#[test]
fn a_process_that_was_named_or_is_near_its_limit_is_shown() {
    let fold = |report: &mut Report| {
        for finding in &mut report.findings {
            finding.confidence = Confidence::Possible;
        }
    };
    assert_eq!(shown(fold), [0; 0]);
    let named = |report: &mut Report| {
        fold(report);
        report.options.scoped = true;
    };
    assert_eq!(shown(named), [900, 901, 902]);
    for (open_fds, seconds, is_reconstructed, is_shown) in [
        (799, None, false, false),
        (800, None, false, true),
        (100, Some(3_601), false, false),
        (100, Some(3_600), false, true),
        (100, Some(3_600), true, false),
    ] {
        let near = |report: &mut Report| {
            fold(report);
            report.processes[1].open_fds = Some(open_fds);
            report.processes[1].seconds_to_fd_limit = seconds;
            report.processes[1].growth_is_reconstructed = is_reconstructed;
        };
        let expected: &[u32] = if is_shown { &[901] } else { &[] };
        assert_eq!(shown(near), expected, "{open_fds} {seconds:?} {is_reconstructed}");
    }
}
