//! More findings than a screen has room for.

use super::*;

/// One certain finding, and so many *possible* ones of other processes.
fn one_among(possible: u64) -> Report {
    let key = |id: u64| fixture::process(u32::try_from(1_000 + id).unwrap_or(0), 4_000);
    let possible = (2..possible + 2).map(|id| {
        let finding = fixture::worker(id, key(id), 3);
        let script = Some(format!("{id}.py"));
        Finding { confidence: Confidence::Possible, growth_per_min_milli: None, script, ..finding }
    });
    let mut report =
        fixture::report([fixture::with_call_site(1)].into_iter().chain(possible).collect());
    let processes: Vec<_> = report.findings.iter().map(|it| it.process).collect();
    let summary = fixture::mixed().processes.remove(0);
    let summary =
        ProcessSummary { growth_per_min_milli: None, seconds_to_fd_limit: None, ..summary };
    report.processes = processes
        .into_iter()
        .map(|key| ProcessSummary { key, tcp_fds: 3, open_fds: Some(9), ..summary.clone() })
        .collect();
    report
}

fn lines(report: &Report, least: Confidence) -> Vec<String> {
    let text = page(report, &fixture::context(), PLAIN, least).to_string();
    text.lines().map(str::to_owned).collect()
}

fn count(lines: &[String], is_counted: impl Fn(&str) -> bool) -> usize {
    lines.iter().filter(|line| is_counted(line)).count()
}

#[test]
fn of_many_possible_findings_few_have_details() {
    let lines = lines(&one_among(142), Confidence::Possible);
    assert_eq!(count(&lines, |line| line.contains("  python3  ")), 142, "{lines:#?}");
    assert_eq!(count(&lines, |line| line.starts_with("#1 ")), 1);
    assert_eq!(count(&lines, |line| line.starts_with('#') && line.contains(": close-wait")), 10);
    assert_eq!(
        count(&lines, |line| line == "The evidence of 132 more findings is only in -o json."),
        1
    );
    assert_eq!(lines.last().unwrap(), "1 certain, 142 possible; the certain one is #1");
}

#[test]
fn processes_of_possible_findings_have_a_line_only_if_they_grow() {
    let mut report = one_among(30);
    let is_process = |line: &str| line.contains(" fds open (");
    assert_eq!(count(&lines(&report, Confidence::Possible), is_process), 1, "of the certain one");
    report.processes[7].growth_per_min_milli = Some(0);
    report.processes[8].growth_per_min_milli = Some(1_000);
    assert_eq!(count(&lines(&report, Confidence::Possible), is_process), 2);
    report.options.scoped = true;
    // Twenty, and how many more there are.
    assert_eq!(count(&lines(&report, Confidence::Possible), is_process), 20);
}

#[test]
fn totals_are_repeated_only_below_a_long_table() {
    let last = |report: &Report| lines(report, Confidence::Possible).pop().unwrap();
    assert!(last(&one_among(9)).starts_with("tracer 0.1.0 on web1"));
    let mut report = one_among(12);
    report.findings[0].confidence = Confidence::Possible;
    assert_eq!(last(&report), "13 possible");
    report.findings[4].confidence = Confidence::Likely;
    assert_eq!(last(&report), "1 likely, 12 possible; the likely one is #5");
    report.findings[5].confidence = Confidence::Certain;
    report.findings[6].confidence = Confidence::Certain;
    let expected = "2 certain, 1 likely, 10 possible; the certain and likely ones are #6, #7, #5";
    assert_eq!(last(&report), expected);
    for finding in &mut report.findings {
        finding.confidence = Confidence::Likely;
    }
    assert_eq!(last(&report), "13 likely");
}

#[test]
fn details_of_likely_findings_are_limited() {
    let many = |id| Finding { script: Some(format!("{id}.py")), ..fixture::stale_pool(id) };
    let mut report = fixture::report((1..=60).map(many).collect());
    for finding in &mut report.findings {
        finding.confidence = Confidence::Likely;
    }
    let text = page(&report, &fixture::context(), PLAIN, Confidence::Info);
    assert!(text.body.contains("\n60  4711"));
    assert!(text.body.contains("\n#50 ") && !text.body.contains("\n#51 "));
    assert!(text.body.ends_with("\nThe evidence of 10 more findings is only in -o json."));
}
