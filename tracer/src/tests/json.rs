//! JSON documents of audits and live runs: verdicts with codes, and what the report covers.

use std::{collections::BTreeSet, time::Duration};

use serde_json::Value;
use tracer_core::FallbackReason;

use super::{
    report::{Finding, Report},
    run::{Leak, fds, run},
};
use crate::collect::backend::scripted::{Process, ScriptedHost};

/// The codes of a list of objects.
fn codes(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    list.iter().map(|it| it["code"].as_str().unwrap()).collect()
}

fn audit(process: &Process, leak: Leak) -> Finding {
    let host = leak.before_the_run(process, 12);
    run(&format!("audit --pid {} --idle 1s -o json", process.pid), host).finding(process)
}

#[test]
fn each_leak_has_its_verdict_and_evidence() {
    let process = Process::this();
    for (leak, verdict, direction, evidence) in [
        (Leak::CloseWait, "close-wait", "outbound", "peer-closed"),
        (Leak::Undrained, "undrained", "outbound", "unread-silent"),
        (Leak::Ghost, "ghost", "outbound", "dead"),
        (Leak::NeverRead, "never-read", "inbound", "never-read"),
    ] {
        let finding = audit(&process, leak);

        assert_eq!(finding.text("verdict"), verdict, "{finding:?}");
        assert_eq!(finding.text("direction"), direction, "{finding:?}");
        assert_eq!((finding.count(), finding.fds()), (12, fds(12)), "{finding:?}");
        assert!(finding.evidence(evidence).is_some(), "{finding:?}");
    }
}

#[test]
fn every_age_in_an_audit_is_a_lower_bound() {
    let process = Process::this();

    let finding = audit(&process, Leak::Undrained);

    for connection in finding.connections() {
        assert_eq!(connection.text("origin"), "seeded");
        assert!(connection.flag("age_is_lower_bound"));
        // Silent for 4 to 15s before the audit, which takes 3s.
        assert!((7..=18).contains(&connection.number("idle_s")), "{connection:?}");
    }
}

#[test]
fn a_single_snapshot_is_enough_for_dead_connections() {
    let process = Process::this();
    let host = Leak::Ghost.before_the_run(&process, 23);

    let outcome = run(&format!("audit --pid {} --idle 1s --for 0s -o json", process.pid), host);

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let finding = outcome.finding(&process);
    assert_eq!((finding.text("verdict"), finding.count()), ("ghost", 23), "{outcome:?}");
    let report = outcome.report();
    assert_eq!(codes(&report.member("coverage")["notes"]), ["single-snapshot"], "{report}");
}

#[test]
fn connections_opened_before_and_while_tracing_are_distinguished() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 3);
    let opener = process.clone();
    let host = host.at(Duration::from_secs(5), move |sockets| {
        Leak::Undrained.one(sockets, &opener);
        Leak::NeverRead.one(sockets, &opener);
    });

    let outcome = run(&format!("--pid {} --all --for 10s -o json", process.pid), host);

    let report = outcome.report();
    let origins: BTreeSet<_> = report
        .connections_of(process.pid)
        .iter()
        .map(|it| (it.fd(), it.text("origin").to_owned(), it.flag("age_is_lower_bound")))
        .collect();
    let expected = fds(3).into_iter().map(|fd| (fd, "seeded".to_owned(), true));
    let traced = [1_004, 1_005].map(|fd| (fd, "traced".to_owned(), false));
    assert_eq!(origins, expected.chain(traced).collect(), "{report}");
}

#[test]
fn names_are_not_changed() {
    let process = Process::this().named("\x1b[31mred\nline");
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1s -o json", process.pid), host);

    assert!(!outcome.stdout.contains('\x1b'), "{outcome:?}");
    assert_eq!(outcome.finding(&process).text("comm"), "\x1b[31mred\nline");
}

#[test]
fn a_leak_of_a_stopped_process_is_possible() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 6);
    host.sockets.are_processes_stopped = true;

    let outcome = run(&format!("audit --pid {} --idle 1s -o json", process.pid), host);

    assert_eq!(outcome.code, 3, "{outcome:?}");
    let finding = outcome.finding(&process);
    assert_eq!((finding.text("confidence"), finding.count()), ("possible", 6), "{outcome:?}");
    assert!(outcome.stdout.contains(r#""process-stopped""#), "{outcome:?}");
}

/// All of them were closed by the peer within a second.
#[test]
fn connections_closed_by_one_restart_of_the_server_are_no_leak() {
    let process = Process::this();
    for (count, confidence) in [(6, "info"), (12, "possible")] {
        let mut host = ScriptedHost::new();
        for _ in 0..count {
            let id = Leak::CloseWait.one(&mut host.sockets, &process);
            host.sockets.backdate(id, Duration::from_mins(2));
        }

        let outcome = run(&format!("audit --pid {} --idle 1s -o json", process.pid), host);

        assert_eq!(outcome.code, 0, "{outcome:?}");
        assert_eq!(outcome.finding(&process).text("confidence"), confidence, "{outcome:?}");
    }
}

#[test]
fn a_live_run_prints_one_document_per_line() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("--pid {} --idle 1s --for 20s -o json", process.pid), host);

    let lines: Vec<_> = outcome.stdout.lines().map(Report::parse).collect();
    assert!(lines.len() > 10, "{outcome:?}");
    let ids: BTreeSet<_> = lines
        .iter()
        .flat_map(|report| report.leaks_of(process.pid))
        .map(|leak| leak.text("id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1, "a finding keeps its id");
}

#[test]
fn coverage_counts_what_was_observed() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} -o json", process.pid), host);

    let report = outcome.report();
    let coverage = report.member("coverage");
    assert_eq!(coverage["complete"], true, "{coverage:#}");
    assert_eq!((&coverage["sockets"], &coverage["processes"]), (&6.into(), &1.into()));
    assert_eq!(coverage["probes"].as_array().unwrap().len(), 4, "{coverage:#}");
    assert_eq!(report.member("observed_ms"), 3_000, "{report}");
}

#[test]
fn events_that_were_lost_and_made_up_for_are_counted() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);
    let host = host.at(Duration::from_secs(5), |sockets| sockets.events_lost = 17);

    let outcome = run(&format!("--pid {} --idle 1s --for 10s -o json", process.pid), host);

    let report = outcome.report();
    let coverage = report.member("coverage");
    assert_eq!(coverage["events_lost"], 17, "{coverage:#}");
    assert_eq!(coverage["events_lost_unhealed"], 0, "{coverage:#}");
    assert_eq!(coverage["complete"], true, "the next snapshots show what is open: {coverage:#}");
}

#[test]
fn a_run_without_kernel_programs_names_the_reason_and_what_is_missing() {
    let process = Process::this();
    let mut host = Leak::Undrained.before_the_run(&process, 6);
    let detail = "CAP_BPF is missing".to_owned();
    host.fallback = Some(FallbackReason::ProgramsNotLoaded { detail });

    let outcome = run(&format!("audit --pid {} --idle 1s -o json", process.pid), host);

    let report = outcome.report();
    let coverage = report.member("coverage");
    let notes = codes(&coverage["notes"]);
    let expected = ["without-kernel-programs", "without-events", "death-times-by-watching"];
    assert_eq!(notes, expected, "{coverage:#}");
    let probes = coverage["probes"].as_array().unwrap();
    let snapshot = probes.iter().find(|probe| probe["hook"] == "snapshot").unwrap();
    assert!(snapshot.to_string().contains("CAP_BPF is missing"), "{snapshot}");
}

#[test]
fn an_audit_has_one_document_with_members_in_a_fixed_order() {
    let process = Process::this();
    let outcome = run("audit --idle 1s -o json", Leak::Undrained.before_the_run(&process, 6));

    let document: serde_json::Map<String, Value> = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(document["host"].as_str().map(str::is_empty), Some(false));
    assert_eq!(document["started_at"], "2026-03-01T12:00:00.000Z");
    assert_eq!(document["at"], "2026-03-01T12:00:03.000Z");
}
