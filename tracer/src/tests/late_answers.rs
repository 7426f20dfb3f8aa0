//! Slow inspections: a live run continues, and waits for them only at its end.

use std::time::Duration;

use super::run::{Leak, run, run_offline};
use crate::collect::backend::scripted::{Process, ScriptedHost};

/// A host with a leak of six connections, whose questions are answered after this time.
fn host(process: &Process, answer_delay: Duration) -> ScriptedHost {
    let mut host = Leak::Undrained.before_the_run(process, 6);
    host.answer_delay = answer_delay;
    host
}

#[test]
fn an_audit_waits_for_inspections() {
    let process = Process::this();
    let audit = format!("audit --pid {} --idle 1s -o json", process.pid);

    let outcome = run(&audit, host(&process, Duration::from_secs(4)));

    assert_eq!(outcome.code, 1, "{outcome:?}");
    assert_eq!(outcome.finding(&process).text("confidence"), "likely", "{outcome:?}");
    assert_eq!(outcome.report().member("coverage")["complete"], true, "{outcome:?}");
}

#[test]
fn an_audit_says_what_was_not_inspected_in_time() {
    let process = Process::this();
    for flags in ["--for 0s --inspect-for 1s", "--inspect-for 0s"] {
        let audit = format!("audit --pid {} --idle 1s -o json {flags}", process.pid);

        let outcome = run(&audit, host(&process, Duration::from_mins(1)));

        assert_eq!(outcome.code, 3, "{flags}: {outcome:?}");
        let report = outcome.report();
        assert_eq!(report.member("coverage")["complete"], false, "{flags}: {outcome:?}");
        let note = report.note("no-answer").unwrap();
        assert_eq!(
            (&note["question"], &note["reason"]),
            (&"process".into(), &"out-of-time".into())
        );
        assert_eq!(note["count"], 1, "{flags}: {outcome:?}");
    }
}

#[test]
fn a_live_run_reports_what_it_learns_late() {
    let process = Process::this();
    let live = |duration| format!("--pid {} --idle 1s -o json --for {duration}", process.pid);
    let late = Duration::from_millis(2_500);

    let outcome = run(&live("2s --inspect-for 0s"), host(&process, late));
    assert!(outcome.report().findings_of(process.pid).is_empty(), "not judged yet: {outcome:?}");
    assert_eq!(outcome.code, 3, "and the report says so: {outcome:?}");
    assert_eq!(outcome.report().note("no-answer").unwrap()["reason"], "out-of-time");

    for duration in ["8s --inspect-for 0s", "2s"] {
        let outcome = run(&live(duration), host(&process, late));
        assert_eq!(outcome.code, 1, "{duration}: {outcome:?}");
        assert_eq!(outcome.finding(&process).count(), 6, "{duration}: {outcome:?}");
    }
}

#[test]
fn a_replay_of_late_answers_is_the_run() {
    let process = Process::this();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.rec").display().to_string();
    let watch = format!("--pid {} --idle 1s --for 8s -o json", process.pid);

    let late = Duration::from_millis(2_500);
    let live = run(&format!("record {path} {watch}"), host(&process, late));
    let replayed = run_offline(&format!("replay {path} -o json"));

    assert_eq!((live.code, replayed.code), (1, 1), "{live:?}");
    assert_eq!(replayed.report().to_string(), live.report().to_string());
}
