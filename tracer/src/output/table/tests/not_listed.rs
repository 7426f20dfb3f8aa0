//! Findings that are counted, and rows of several processes.

use tracer_core::Comm;

use super::*;

const LIKELY: Confidence = Confidence::Likely;
const WIDE: Style = Style { width: 200, ..PLAIN };

/// A server with 12 workers that leak, and what is not listed.
fn server() -> Report {
    let worker = |number: u32| {
        let id = u64::from(number) + 1;
        fixture::worker(id, fixture::process(901 + number, 4_000), 7 + number % 3)
    };
    let mut findings: Vec<Finding> = (0..12).map(worker).collect();
    findings.extend([fixture::inbound(20), fixture::stale_pool(21)]);
    findings.push(Finding { verdict: Verdict::Undrained, ..fixture::inbound(22) });
    let mut never_likely = fixture::retracted(31);
    never_likely.peak_confidence = Confidence::Possible;
    findings.extend([fixture::retracted(30), never_likely]);
    let mut report = fixture::report(findings);
    let summary = fixture::mixed().processes.remove(0);
    report.processes = (0..12)
        .map(|number| ProcessSummary {
            key: fixture::process(901 + number, 4_000),
            comm: Comm("python3".into()),
            tcp_fds: 12,
            open_fds: Some(20 + u64::from(number)),
            ..summary.clone()
        })
        .collect();
    report
}

#[test]
fn at_80() {
    check_from(LIKELY, &server(), PLAIN, &expect![[r#""#]]);
}

#[test]
fn at_200() {
    check_from(LIKELY, &server(), WIDE, &expect![[r#""#]]);
}

#[test]
fn possible_ones_are_listed_on_request() {
    let text = page(&server(), &fixture::context(), WIDE, Confidence::Possible).to_string();
    for listed in ["\n20          801  nginx", "\n#22 nginx[801]", "undrained (possible)"] {
        assert!(text.contains(listed), "{listed}: {text}");
    }
    assert!(!text.contains("--show possible") && text.contains("stale-pool (info)"), "{text}");
    assert!(text.contains("#31 undrained"), "{text}");
}

#[test]
fn nothing_is_likely() {
    let report = fixture::report(vec![fixture::inbound(1), fixture::stale_pool(2)]);
    check_from(LIKELY, &report, PLAIN, &expect![[r#""#]]);
}

#[test]
fn only_information_is_not_listed() {
    let mut report = fixture::report(vec![fixture::stale_pool(1)]);
    report.coverage.complete = false;
    check_from(LIKELY, &report, PLAIN, &expect![[r#""#]]);
}
