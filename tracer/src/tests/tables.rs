//! Tables for people.

use super::run::{Leak, run};
use crate::collect::backend::scripted::Process;

#[test]
fn a_table_in_a_pipe_has_no_control_characters() {
    let process = Process::this().named("\x1b[31mred\nline");
    for arguments in ["audit", "--for 20s", "audit -w"] {
        let host = Leak::Undrained.before_the_run(&process, 6);

        let outcome = run(&format!("{arguments} --pid {} --idle 1s", process.pid), host);

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

    let outcome = run(&format!("--pid {} --idle 1s --for 60s", process.pid), host);

    // The possible leak of the first snapshot, the likely one, and the last report.
    assert_eq!(outcome.stdout.matches("VERDICT").count(), 3, "{}", outcome.stdout);
}

#[test]
fn an_audit_without_a_leak_says_so() {
    let process = Process::this();
    let host = Leak::Undrained.before_the_run(&process, 6);

    let outcome = run(&format!("audit --pid {} --idle 1h", process.pid), host);

    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert!(outcome.stdout.starts_with("No leaked connections"), "{outcome:?}");
}
