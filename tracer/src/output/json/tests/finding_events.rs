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
    expect![[r#"
        {"schema":2,"time":"2026-03-01T12:00:00.000Z","sequence":1,"event":"appeared","id":"f1","key":"response/outbound/[2001:db8:85a3::8a2e:370:7334]:443/api","verdict":"body-not-closed","confidence":"certain","count":23,"responses":23,"pid":4711,"start_time":"2026-03-01T10:53:20.000Z","comm":"api","call_site":"main.(*Client).doSomething billing.go:23","container_id":"4f3c2b1a09182736455463728190","pod_uid":"6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5","host":"web1","boot_id":"8a1f2c3d-4b5e-4f60-9172-83a4b5c6d7e8","started_at":"2026-03-01T11:59:57.000Z"}
        {"schema":2,"time":"2026-03-01T12:00:00.000Z","sequence":2,"event":"appeared","id":"f2","key":"accepted/inbound/:8080/nginx","verdict":"ghost","confidence":"possible","count":12,"responses":0,"pid":801,"start_time":"2026-02-28T11:00:00.000Z","comm":"nginx","call_site":null,"container_id":null,"pod_uid":null,"host":"web1","boot_id":"8a1f2c3d-4b5e-4f60-9172-83a4b5c6d7e8","started_at":"2026-03-01T11:59:57.000Z"}
        {"schema":2,"time":"2026-03-01T12:00:00.000Z","sequence":1,"event":"appeared","id":"f1","key":"response/outbound/[2001:db8:85a3::8a2e:370:7334]:443/api","verdict":"body-not-closed","confidence":"certain","count":23,"responses":23,"pid":4711,"start_time":"2026-03-01T10:53:20.000Z","comm":"api","call_site":"main.(*Client).doSomething billing.go:23","container_id":"4f3c2b1a09182736455463728190","pod_uid":"6a1e4f0c-1d2b-4c3d-8e5f-a0b1c2d3e4f5","host":"web1","boot_id":null,"started_at":"2026-03-01T11:59:57.000Z"}
        {"schema":2,"time":"2026-03-01T12:00:00.000Z","sequence":2,"event":"appeared","id":"f2","key":"accepted/inbound/:8080/nginx","verdict":"ghost","confidence":"possible","count":12,"responses":0,"pid":801,"start_time":"2026-02-28T11:00:00.000Z","comm":"nginx","call_site":null,"container_id":null,"pod_uid":null,"host":"web1","boot_id":null,"started_at":"2026-03-01T11:59:57.000Z"}
    "#]].assert_eq(&text);
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
