//! Without privileges.

use std::{os::unix::process::CommandExt as _, process::Command};

use crate::support::{NOBODY, Tracer, program_for_all};

#[test]
fn an_error_names_the_missing_privileges() {
    let directory = tempfile::tempdir().unwrap();
    let program = program_for_all(directory.path());
    for arguments in ["audit", "--for=1s"] {
        let mut command = Command::new(&program);
        command.args([arguments, "--source=kernel"]);
        become_nobody(&mut command);

        Tracer::spawn(command).finish().assert_one_line_error(&["root"]);
    }
}

#[test]
fn a_leak_of_the_same_user_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(program_for_all(directory.path()));
    command.args(["demo", "-o", "json"]);
    become_nobody(&mut command);

    let outcome = Tracer::spawn(command).finish();

    assert_eq!(outcome.code, 1, "{outcome:?}");
    let report = outcome.report();
    assert!(report.is_degraded(), "{report}");
    assert_eq!(report.any_leak().unwrap().text("verdict"), "undrained");
    assert_eq!(report.member("coverage")["complete"], true, "{report}");
}

fn become_nobody(command: &mut Command) {
    // SAFETY: geteuid touches no memory.
    if unsafe { libc::geteuid() } == 0 {
        command.gid(NOBODY).uid(NOBODY);
    }
}
