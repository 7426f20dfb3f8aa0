//! Tables for people.

use super::run::{Leak, run, run_offline};
use crate::collect::backend::scripted::{Process, ScriptedHost};

#[test]
fn a_table_in_a_pipe_has_no_control_characters() {
    let process = Process::this().named("\x1b[31mred\nline");
    for arguments in ["audit", "--for 20s", "audit -w"] {
        let host = Leak::Undrained.before_the_run(&process, 6);

        let outcome =
            run(&format!("{arguments} --pid {} --idle 1s --fail-on possible", process.pid), host);

        assert_eq!(outcome.code, 1, "{outcome:?}");
        let unwanted = |character: char| character.is_control() && character != '\n';
        assert!(!outcome.stdout.contains(unwanted), "{outcome:?}");
        assert!(!outcome.stdout.contains("red\nline"), "{outcome:?}");
        assert!(outcome.stdout.contains("undrained"), "{outcome:?}");
    }
}

#[test]
fn a_live_table_in_a_pipe_is_printed_again_only_when_findings_change() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let live = format!("--pid {} --idle 1s --for 60s --show possible", process.pid);
    let outcome = run(&live, host);

    // The *possible* leak of the first snapshot, the *likely* one if it became likely, and the last
    // report.
    let tables = outcome.stdout.matches("VERDICT").count();
    assert!((2..=3).contains(&tables), "{tables}: {}", outcome.stdout);
    // Each has its time and the file descriptors of the process.
    let is_heading = |line: &&str| line.starts_with("-- ") && line.ends_with(" UTC");
    assert_eq!(outcome.stdout.lines().filter(is_heading).count(), tables, "{}", outcome.stdout);
    assert!(outcome.stdout.starts_with("-- "), "{}", outcome.stdout);
    let processes = outcome.stdout.matches(" TCP, 6 of them in findings)").count();
    assert_eq!(processes, tables, "{}", outcome.stdout);
}

#[test]
fn possible_leaks_are_counted_unless_something_asks_for_them() {
    let process = Process::this();
    for (arguments, is_listed) in [
        ("", false),
        ("--fail-on certain", false),
        ("--show possible", true),
        ("--show info", true),
        ("--show info,possible", true),
        ("--fail-on possible", true),
        ("--all", true),
    ] {
        // One snapshot shows that data is unread, not that it stays unread.
        let host = Leak::Undrained.before_the_run(&process, 6);
        let audit = format!("audit --pid {} --idle 1s --for 0s {arguments}", process.pid);
        let outcome = run(&audit, host);

        let counted = "\nundrained (possible)         1            6          1  --show possible\n";
        assert_eq!(outcome.stdout.contains(counted), !is_listed, "{arguments}: {outcome:?}");
        assert_eq!(outcome.stdout.contains("\n#1  "), is_listed, "{arguments}: {outcome:?}");
        assert_eq!(outcome.code, u8::from(arguments == "--fail-on possible"), "{outcome:?}");
        let first = "No likely or certain leaks found.\n";
        assert_eq!(outcome.stdout.starts_with(first), !is_listed, "{arguments}: {outcome:?}");
    }
    assert_eq!(run("audit --show certain", ScriptedHost::new()).code, 2);
}

#[test]
fn a_replay_lists_what_the_recorded_run_listed() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("run.rec").display().to_string();
    let process = Process::this();
    for (recorded, replayed, is_listed) in [
        ("", "", false),
        ("", "--show possible", true),
        ("", "--fail-on possible", true),
        ("--fail-on possible", "", true),
        ("--all", "", true),
    ] {
        let host = Leak::Undrained.before_the_run(&process, 6);
        let arguments = format!("--pid {} --idle 1s --for 0s {recorded}", process.pid);
        run(&format!("record {file} {arguments}"), host);
        let outcome = run_offline(&format!("replay {file} {replayed}"));
        assert_eq!(
            outcome.stdout.contains("\n#1  "),
            is_listed,
            "{recorded} {replayed} {outcome:?}"
        );
    }
}

#[test]
fn an_audit_without_a_leak_says_so() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1h", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.starts_with("No leaked connections"), "{outcome:?}");
}

#[test]
fn sockets_that_are_not_connected_are_mentioned() {
    let process = Process::this();
    let host = || {
        let mut host = Leak::Undrained.before_the_run(&process, 6);
        for _ in 0..300 {
            host.sockets.refuse(&process);
        }
        host
    };
    let outcome = run("audit --idle 1s", host());
    let text = outcome.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let note =
        format!("{}[{}] has 300 TCP sockets that are not connected", process.comm, process.pid);
    for words in
        [&note, "306 TCP, 6 of them in findings, 300 not connected", "Coverage is complete."]
    {
        assert!(text.contains(words), "{words}: {outcome:?}");
    }
    let report = run("audit --idle 1s -o json", host()).report();
    assert_eq!(report.member("coverage")["fds_not_connected"], 300);
    assert_eq!(report.process(process.pid)["fds_not_connected"], 300);
    let other = run("audit --idle 1s --pid 1", host());
    assert!(!other.stdout.contains("not connected"), "out of scope: {other:?}");
}
