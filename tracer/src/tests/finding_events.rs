//! Lines about findings (`-o jsonl`) of live runs, audits and replays.

use std::time::Duration;

use serde_json::Value;

use super::{
    run::{Leak, Outcome, run, run_offline},
    validator::Validator,
};
use crate::collect::backend::scripted::{Process, ScriptedHost, Sockets};

/// The lines, each valid, and numbered without gaps.
fn lines(outcome: &Outcome) -> Vec<Value> {
    let validator = Validator::strict("finding_event");
    let lines = outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap());
    let lines: Vec<Value> = lines.collect();
    for (number, line) in (1..).zip(&lines) {
        validator.check(line);
        assert_eq!(line["sequence"], number, "{outcome:?}");
    }
    assert!(outcome.stdout.is_empty() || outcome.stdout.ends_with('\n'), "{outcome:?}");
    lines
}

/// Some members of each line: `appeared 6`.
fn summaries(lines: &[Value], fields: &[&str]) -> Vec<String> {
    let text = |value: &Value| value.to_string().replace('"', "");
    let summary =
        |line: &Value| -> Vec<String> { fields.iter().map(|it| text(&line[it])).collect() };
    lines.iter().map(|line| summary(line).join(" ")).collect()
}

/// A host on which a process leaks a connection each second for half a minute, and then closes all.
fn leaking_for_a_while(process: &Process) -> ScriptedHost {
    let mut host = Leak::Undrained.before_the_run(process, 6);
    for second in 1..=30 {
        let process = process.clone();
        host = host.at(Duration::from_secs(second), move |sockets| {
            Leak::Undrained.one(sockets, &process);
        });
    }
    host.at(Duration::from_secs(35), Sockets::close_all)
}

#[test]
fn a_live_run_writes_a_line_when_a_finding_appears_changes_and_is_retracted() {
    let process = Process::this();
    let host = leaking_for_a_while(&process);

    let outcome = run(&format!("--pid {} --idle 1s --for 40s -o jsonl", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    let lines = lines(&outcome);
    let events = summaries(&lines, &["event"]);
    assert_eq!((&*events[0], &**events.last().unwrap()), ("appeared", "retracted"), "{outcome:?}");
    assert!(events[1..events.len() - 1].iter().all(|it| it == "changed"), "{outcome:?}");
    let states = summaries(&lines, &["event", "confidence", "count"]);
    assert!(states.contains(&"appeared possible 6".to_owned()), "{states:?}");
    assert!(states.iter().any(|it| it.starts_with("changed likely")), "{states:?}");
    assert!(states.iter().all(|it| states.iter().filter(|other| *other == it).count() == 1));
    for line in &lines {
        assert_eq!(line["id"], "f1");
        assert_eq!(line["pid"], process.pid);
        let key = format!("client-connection/outbound/10.0.0.1:443/{}", process.comm);
        assert_eq!(line["key"], key);
        assert_eq!(line["host"].as_str().map(str::is_empty), Some(false));
        assert_eq!(line["boot_id"].as_str().map(str::len), Some(36), "{line}");
    }
}

#[test]
fn a_count_that_grows_does_not_write_a_line_for_each_connection() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 100);
    for second in 1..=60 {
        let process = process.clone();
        host = host.at(Duration::from_secs(second), move |sockets| {
            Leak::Undrained.one(sockets, &process);
        });
    }

    let outcome = run(&format!("--pid {} --idle 1s --for 80s -o jsonl", process.pid), host);

    let lines = lines(&outcome);
    assert!((4..=9).contains(&lines.len()), "{outcome:?}");
    assert_eq!(lines.last().unwrap()["count"], 160, "the end is exact: {outcome:?}");
}

#[test]
fn an_audit_writes_a_line_for_each_finding_at_its_end() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 6);
    Leak::NeverRead.add(&mut host, &process, 7);

    let outcome = run(&format!("audit --pid {} --idle 1s -o jsonl", process.pid), host);

    let lines = lines(&outcome);
    let mut found = summaries(&lines, &["event", "count"]);
    found.sort();
    assert_eq!(found, ["appeared 6", "appeared 7"], "{outcome:?}");
    assert!(lines.iter().all(|line| line["time"] == "2026-03-01T12:00:03.000Z"), "{outcome:?}");
}

#[test]
fn a_run_without_findings_writes_nothing() {
    let outcome = run("audit -o jsonl", ScriptedHost::new());

    assert_eq!((outcome.code, &*outcome.stdout), (0, ""), "{outcome:?}");
}

#[test]
fn a_replay_writes_what_the_live_run_wrote() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.rec").display().to_string();
    let process = Process::this();
    let host = leaking_for_a_while(&process);
    let arguments = format!("--pid {} --idle 1s --for 40s -o jsonl", process.pid);

    let live = run(&format!("record {file} {arguments}"), host);
    let replay = run_offline(&format!("replay {file} -o jsonl"));

    let without_boot = |outcome: &Outcome| {
        let mut lines = lines(outcome);
        for line in &mut lines {
            line["boot_id"] = Value::Null;
        }
        lines
    };
    assert_eq!(without_boot(&live), without_boot(&replay));
    assert!(lines(&live).len() > 2, "{live:?}");
    assert!(lines(&replay).iter().all(|line| line["boot_id"].is_null()), "{replay:?}");
}

#[test]
fn names_are_escaped_and_whole() {
    let process = Process::this().named("\x1b[31mred\nline");
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1s -o jsonl", process.pid), host);

    assert!(!outcome.stdout.contains('\x1b'), "{outcome:?}");
    assert_eq!(lines(&outcome)[0]["comm"], "\x1b[31mred\nline");
}
