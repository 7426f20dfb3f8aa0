//! The lines of `-o jsonl`.

use super::{validator::Validator, *};
use crate::output::finding_events::FindingEvents;

/// The lines of a run with this report only.
fn lines(report: &Report, context: &Context) -> Vec<String> {
    let events = FindingEvents::default().due(report, true);
    let numbered = (1..).zip(&events);
    numbered.map(|(number, it)| finding_event(it, number, report, context).unwrap()).collect()
}

#[test]
fn a_line_has_everything_that_a_pipeline_joins_by() {
    let report = fixture::report(vec![fixture::with_call_site(1), fixture::inbound(2)]);
    let context = Context { boot_id: None, ..fixture::context() };
    let text = lines(&report, &fixture::context()).concat() + &lines(&report, &context).concat();
    expect![[r#""#]].assert_eq(&text);
}

#[test]
fn lines_are_valid_and_flat() {
    let validator = Validator::strict("finding_event");
    for report in [fixture::mixed(), fixture::hostile(), fixture::grown()] {
        let lines = lines(&report, &fixture::context());
        let active = report.findings.iter().filter(|it| it.retracted_at.is_none());
        assert_eq!(lines.len(), active.count());
        for line in lines {
            assert_eq!(line.find(char::is_control), Some(line.len() - 1), "{line:?}");
            let value: Value = serde_json::from_str(&line).unwrap();
            validator.check(&value);
            let members = value.as_object().unwrap();
            assert!(!members.values().any(|it| it.is_object() || it.is_array()), "{line}");
        }
    }
}
