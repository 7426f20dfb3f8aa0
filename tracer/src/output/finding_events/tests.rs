use super::*;
use crate::output::fixture;

/// A live run with one finding, whose reports are the given number of milliseconds apart.
struct Run {
    events: FindingEvents,
    report: Report,
}

impl Run {
    fn new() -> Self {
        let mut run = Self {
            events: FindingEvents::default(),
            report: fixture::report(vec![fixture::inbound(1)]),
        };
        assert_eq!(run.after(0), ["appeared 12"]);
        run
    }

    fn finding(&mut self) -> &mut Finding {
        &mut self.report.findings[0]
    }

    /// Emits the events that are due after the given number of milliseconds: event and count of
    /// each.
    fn after(&mut self, milliseconds: u64) -> Vec<String> {
        self.due(milliseconds, false)
    }

    fn due(&mut self, milliseconds: u64, is_last: bool) -> Vec<String> {
        let at = self.report.at.as_ns() + milliseconds * 1_000_000;
        self.report.at = Timestamp::from_ns(at);
        let events = self.events.due(&self.report, is_last);
        let texts = events.iter().map(|it| format!("{} {}", it.kind.name(), it.finding.count));
        let texts = texts.collect();
        for event in events {
            self.events.emitted(event, self.report.at);
        }
        texts
    }

    fn counts(&mut self, count: usize) {
        self.finding().count = count;
    }
}

#[test]
fn nothing_is_due_while_nothing_changes() {
    let mut run = Run::new();
    run.finding().oldest_age_ms += 1_000_000;
    run.finding().unread_bytes += 1;
    assert_eq!(run.after(1_000_000), [""; 0]);
    assert_eq!(run.due(0, true), [""; 0]);
}

#[test]
fn verdict_confidence_and_call_site_are_due_at_once() {
    let changes: [fn(&mut Finding); 3] = [
        |it| it.verdict = Verdict::CloseWait,
        |it| it.confidence = Confidence::Certain,
        |it| it.call_site = Some("main.get a.go:1".to_owned()),
    ];
    for change in changes {
        let mut run = Run::new();
        change(run.finding());
        assert_eq!(run.after(1), ["changed 12"]);
        assert_eq!(run.after(1), [""; 0]);
    }
}

#[test]
fn a_count_is_due_by_a_tenth_and_not_more_often_than_every_ten_seconds() {
    let mut run = Run::new();
    run.counts(13);
    assert_eq!(run.after(1_000), [""; 0], "only 1s after the line before");
    assert_eq!(run.after(9_000), [""; 0], "less than a tenth");
    run.counts(14);
    assert_eq!(run.after(0), ["changed 14"]);
    run.counts(7);
    assert_eq!(run.after(10_000), ["changed 7"], "it may shrink");
    run.counts(8);
    assert_eq!(run.after(10_000), ["changed 8"], "one is more than a tenth");
}

#[test]
fn a_smaller_change_of_a_count_is_due_after_five_minutes_and_at_the_end() {
    let mut run = Run::new();
    run.counts(13);
    assert_eq!(run.after(299_999), [""; 0]);
    assert_eq!(run.after(1), ["changed 13"]);
    run.counts(14);
    assert_eq!(run.due(1, true), ["changed 14"]);
}

#[test]
fn a_count_of_responses_counts_too() {
    let mut run = Run::new();
    run.finding().responses = 20;
    assert_eq!(run.after(10_000), ["changed 12"]);
}

#[test]
fn a_retraction_is_due_once() {
    let mut run = Run::new();
    run.finding().retracted_at = Some(run.report.at);
    assert_eq!(run.after(1_000), ["retracted 12"]);
    assert_eq!(run.after(1_000), [""; 0]);
}

#[test]
fn a_finding_that_others_have_taken_over_is_retracted() {
    let mut run = Run::new();
    let finding = run.report.findings.remove(0);
    assert_eq!(run.after(1_000), [""; 0], "a snapshot may have missed it");
    run.report.findings.push(finding);
    assert_eq!(run.after(1_000), [""; 0]);
    run.report.findings[0].id = 2;
    assert_eq!(run.after(1_000), ["appeared 12"]);
    assert_eq!(run.after(1_000), ["retracted 12"]);
    assert_eq!(run.after(1_000), [""; 0]);
}

#[test]
fn what_was_not_emitted_stays_due_with_the_latest_facts() {
    let mut run = Run::new();
    run.finding().confidence = Confidence::Likely;
    assert_eq!(run.events.due(&run.report, false).len(), 1);
    run.counts(40);
    assert_eq!(run.after(1), ["changed 40"]);
    // A finding that appeared and was retracted while there was no room is not emitted.
    run.report.findings.push(fixture::retracted(2));
    assert_eq!(run.after(1), [""; 0]);
}

#[test]
fn retractions_come_first() {
    let mut run = Run::new();
    run.finding().retracted_at = Some(run.report.at);
    run.report.findings.insert(0, fixture::stale_pool(2));
    assert_eq!(run.after(1), ["retracted 12", "appeared 2"]);
}
