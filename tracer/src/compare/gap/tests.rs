use serde_json::{Value, json};
use tracer_core::Confidence;

use super::*;
use crate::compare::{Change, Difference};

/// 12:00 of a day, plus so many seconds.
fn time(seconds: i64) -> String {
    let noon: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
    format!("{:.3}", Timestamp::from_second(noon.as_second() + seconds).unwrap())
}

/// Pid, start, name.
type Process = (u32, i64, &'static str);

const PYTHON: Process = (22_630, -3_000, "python3");

/// A leak of a process, with connections since its 600th second.
fn leak((pid, start, comm): Process, at: i64) -> Value {
    json!({
        "verdict": "close-wait", "confidence": "likely", "count": 6, "pid": pid, "comm": comm,
        "start_time": time(start), "direction": "outbound", "remote": "10.0.0.7:443",
        "remote_port": 443, "local_port": null, "call_site": null, "retracted_at": null,
        "key": format!("client-connection/outbound/10.0.0.7:443/{comm}"),
        "oldest_age_s": at - start - 600, "oldest_age_is_lower_bound": false,
    })
}

/// A report at a time, with these leaks, of a run that selected this and observed these processes.
#[expect(clippy::needless_pass_by_value, reason = "the tests write it where they need it")]
fn report(at: i64, leaks: &[Process], selection: Value, observed: &[Process]) -> Value {
    let observed = observed
        .iter()
        .map(|(pid, start, comm)| json!({"pid": pid, "start_time": time(*start), "comm": comm}));
    json!({
        "schema": 2, "host": "web1", "at": time(at), "selection": selection,
        "thresholds": {"idle_s": 60},
        "findings": leaks.iter().map(|process| leak(*process, at)).collect::<Vec<_>>(),
        "coverage": {"complete": true, "observed": observed.collect::<Vec<_>>()},
    })
}

fn difference(before: &Value, after: &Value) -> Difference {
    let [before, after] = [before, after].map(|it| Side::parse(&it.to_string()).unwrap());
    Difference::between(before, after, Confidence::Likely)
}

/// How each leak changed, and the reason.
fn changes(before: &Value, after: &Value) -> Vec<(Change, Option<Gap>)> {
    let rows = difference(before, after).changes.into_iter();
    rows.map(|row| (row.change, row.reason)).collect()
}

/// Of the whole host, with a leak of each of these processes, at 12:00.
fn before(leaks: &[Process]) -> Value {
    report(0, leaks, json!({}), leaks)
}

#[track_caller]
fn check(before: &Value, after: &Value, expected: Change) {
    let changes = changes(before, after);
    let [(change, reason)] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!(*change, expected, "{reason:?}");
}

fn too_early(pid: u32, age_s: u64, needed_s: u64, first_leak_s: Option<u64>) -> Gap {
    Gap::TooEarly(TooEarly { pid, age_s, needed_s, first_leak_s })
}

#[test]
fn the_same_process_without_the_leak_shows_that_it_is_gone() {
    for selection in [json!({}), json!({"pids": [22_630]}), json!({"comms": ["python3"]})] {
        let after = report(10, &[], selection, &[PYTHON]);
        check(&before(&[PYTHON]), &after, Change::Gone);
    }
    // It has given itself another name.
    let renamed = report(10, &[], json!({"pids": [22_630]}), &[(22_630, -3_000, "worker")]);
    check(&before(&[PYTHON]), &renamed, Change::Gone);
    // The clock was adjusted.
    let adjusted = report(10, &[], json!({"pids": [22_630]}), &[(22_630, -3_001, "python3")]);
    check(&before(&[PYTHON]), &adjusted, Change::Gone);
}

#[test]
fn another_process_shows_nothing() {
    let server = (41, -3_000, "server");
    let after = report(10, &[], json!({"pids": [41]}), &[server]);
    let leaks = [PYTHON, (310, -2_000, "r8go")];
    let not_observed = (Change::NotObserved, Some(Gap::ProcessNotObserved));
    assert_eq!(changes(&before(&leaks), &after), vec![not_observed; 2]);
    for selection in [
        json!({"comms": ["server"]}),
        json!({"container": "45ef"}),
        json!({"cgroup": "/system.slice/api.service"}),
        json!({"pids": [41], "children": true}),
    ] {
        let after = report(10, &[], selection, &[server]);
        check(&before(&[PYTHON]), &after, Change::NotObserved);
    }
}

#[test]
fn one_of_two_processes_is_not_both() {
    let (one, other) = (PYTHON, (22_631, -2_990, "r8go"));
    let both = report(0, &[one, other], json!({"pids": [22_630, 22_631]}), &[one, other]);
    for (seen, pid) in [(one, 22_630), (other, 22_631)] {
        let after = report(10, &[], json!({"pids": [pid]}), &[seen]);
        let mut changes: Vec<Change> = changes(&both, &after).into_iter().map(|it| it.0).collect();
        changes.sort();
        assert_eq!(changes, [Change::NotObserved, Change::Gone]);
    }
    // The names are the same, so both leaks are one; the order of the pids does not matter.
    let other = (22_631, -2_990, "python3");
    for leaks in [[one, other], [other, one]] {
        let both = report(0, &leaks, json!({"pids": [22_630, 22_631]}), &leaks);
        for (seen, pid) in [(one, 22_630), (other, 22_631)] {
            let after = report(10, &[], json!({"pids": [pid]}), &[seen]);
            check(&both, &after, Change::NotObserved);
        }
        let after = report(10, &[], json!({"pids": [22_631, 22_630]}), &[other, one]);
        check(&both, &after, Change::Gone);
    }
    // Only one of them had leaked: the other one is not what replaced it.
    let after = report(10, &[], json!({"pids": [22_631]}), &[other]);
    check(&before(&[one]), &after, Change::NotObserved);
}

#[test]
fn a_process_that_replaced_it_must_have_run_for_long_enough() {
    let after = |started: i64, at: i64| report(at, &[], json!({}), &[(9, started, "python3")]);
    let early = changes(&before(&[PYTHON]), &after(99, 100));
    assert_eq!(early, [(Change::TooEarly, Some(too_early(9, 1, 720, Some(600))))]);
    check(&before(&[PYTHON]), &after(100, 819), Change::TooEarly);
    check(&before(&[PYTHON]), &after(100, 820), Change::Gone);
    // It is unknown when the first connection was leaked.
    let mut unknown = before(&[PYTHON]);
    unknown["findings"][0]["oldest_age_is_lower_bound"] = true.into();
    let early = changes(&unknown, &after(100, 219));
    assert_eq!(early, [(Change::TooEarly, Some(too_early(9, 119, 120, None)))]);
    check(&unknown, &after(100, 220), Change::Gone);
    // Another --idle.
    let mut longer = after(100, 220);
    longer["thresholds"]["idle_s"] = 90.into();
    check(&unknown, &longer, Change::TooEarly);
}

#[test]
fn of_several_new_processes_one_must_have_run_for_long_enough() {
    let early = (9, 990, "python3");
    let late = (7, 100, "python3");
    for observed in [[early, late], [late, early]] {
        let after = report(1_000, &[], json!({}), &observed);
        check(&before(&[PYTHON]), &after, Change::Gone);
    }
    // One that ran before had not leaked.
    let idle = (5, -5_000, "python3");
    let after = report(1_000, &[], json!({}), &[idle, early]);
    check(&before(&[PYTHON]), &after, Change::TooEarly);
    let after = report(1_000, &[], json!({"pids": [5]}), &[idle]);
    check(&before(&[PYTHON]), &after, Change::NotObserved);
}

#[test]
fn new_processes_of_the_selection_show_that_a_leak_is_gone() {
    for selection in [
        json!({"pids": [9]}),
        json!({"pids": [8], "children": true}),
        json!({"container": "45ef"}),
        json!({"comms": ["python3"]}),
    ] {
        let after = report(5_000, &[], selection, &[(9, 100, "python3"), (8, -10, "sh")]);
        check(&before(&[PYTHON]), &after, Change::Gone);
    }
}

/// For example a service that was not started again.
#[test]
fn a_process_that_nothing_has_replaced_shows_nothing() {
    for selection in [json!({}), json!({"comms": ["python3"]}), json!({"comms": ["a", "python3"]})]
    {
        let after = report(10, &[], selection, &[(9, 5, "worker")]);
        let ended = [(Change::NotObserved, Some(Gap::ProcessEnded))];
        assert_eq!(changes(&before(&[PYTHON]), &after), ended);
    }
    let mut elsewhere = report(10, &[], json!({}), &[(9, 5, "worker")]);
    elsewhere["host"] = "web2".into();
    check(&before(&[PYTHON]), &elsewhere, Change::NotObserved);
    elsewhere["coverage"]["observed"][0]["comm"] = "python3".into();
    check(&before(&[PYTHON]), &elsewhere, Change::TooEarly);
    // Another host may have started it earlier.
    elsewhere["coverage"]["observed"][0]["start_time"] = time(-5_000).into();
    check(&before(&[PYTHON]), &elsewhere, Change::Gone);
}

#[test]
fn another_script_of_the_same_interpreter_shows_nothing() {
    let after = |scripts: &[Option<&str>]| {
        let pids = 9..;
        let new: Vec<Process> = pids.zip(scripts).map(|(pid, _)| (pid, 100, "python3")).collect();
        let mut after = report(5_000, &[], json!({}), &new);
        for (index, script) in scripts.iter().enumerate() {
            after["coverage"]["observed"][index]["script"] = json!(script);
        }
        after
    };
    let mut billing = before(&[PYTHON]);
    billing["findings"][0]["script"] = "billing.py".into();
    let change = |scripts: &[Option<&str>]| changes(&billing, &after(scripts)).remove(0);
    let unknown = Gap::ScriptUnknown(ScriptUnknown { pid: 9, script: "billing.py".to_owned() });
    assert_eq!(change(&[Some("billing.py")]), (Change::Gone, None));
    assert_eq!(change(&[Some("mail.py"), Some("billing.py")]), (Change::Gone, None));
    assert_eq!(change(&[Some("mail.py")]), (Change::NotObserved, Some(Gap::ProcessEnded)));
    assert_eq!(change(&[None]), (Change::NotObserved, Some(unknown)));
    assert_eq!(change(&[None, Some("billing.py")]), (Change::Gone, None));
    // A program that is no interpreter, or an earlier version of tracer.
    check(&before(&[PYTHON]), &after(&[Some("mail.py")]), Change::Gone);
    check(&before(&[PYTHON]), &after(&[None]), Change::Gone);
}

#[test]
fn other_connections_show_nothing() {
    for (selection, expected) in [
        (json!({"remote_ports": [443, 80]}), Change::Gone),
        (json!({"remote_ports": [5_432]}), Change::NotObserved),
        (json!({"remotes": ["192.168.0.0/16", "10.0.0.0/8"]}), Change::Gone),
        (json!({"remotes": ["10.0.1.0/24"]}), Change::NotObserved),
        (json!({"local_ports": [8_080]}), Change::NotObserved),
    ] {
        let after = report(10, &[], selection.clone(), &[PYTHON]);
        check(&before(&[PYTHON]), &after, expected);
        // The leak was among them in the earlier report.
        let same = report(0, &[PYTHON], selection, &[PYTHON]);
        check(&same, &after, Change::Gone);
    }
}

#[test]
fn a_report_that_does_not_say_what_it_is_about_shows_nothing() {
    let mut after = report(10, &[], json!({}), &[]);
    after.as_object_mut().unwrap().remove("selection");
    let unknown = [(Change::NotObserved, Some(Gap::ScopeUnknown))];
    assert_eq!(changes(&before(&[PYTHON]), &after), unknown);
    after["selection"] = Value::Null;
    assert_eq!(changes(&before(&[PYTHON]), &after), unknown);
    // That of the earlier report is not required.
    let mut older = before(&[PYTHON]);
    older.as_object_mut().unwrap().remove("selection");
    check(&older, &report(10, &[], json!({}), &[PYTHON]), Change::Gone);
}

/// A leak that has begun again is at first only possible.
#[test]
fn a_weaker_finding_of_a_new_process_is_too_early() {
    let again = (9, 100, "python3");
    let after = |at| {
        let mut after = report(at, &[again], json!({}), &[again]);
        after["findings"][0]["confidence"] = "possible".into();
        after
    };
    check(&before(&[PYTHON]), &after(200), Change::TooEarly);
    check(&before(&[PYTHON]), &after(820), Change::Shrunk);
    let mut same = report(200, &[PYTHON], json!({}), &[PYTHON]);
    same["findings"][0]["confidence"] = "possible".into();
    check(&before(&[PYTHON]), &same, Change::Shrunk);
}

#[test]
fn only_unknown_leaks_make_reports_incomparable() {
    let gone = report(10, &[], json!({}), &[PYTHON]);
    assert!(difference(&before(&[PYTHON]), &gone).is_comparable());
    let early = report(10, &[], json!({}), &[(9, 5, "python3")]);
    assert!(!difference(&before(&[PYTHON]), &early).is_comparable());
    assert!(difference(&before(&[]), &early).is_comparable());
}
