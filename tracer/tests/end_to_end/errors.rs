//! What cannot work: one line on standard error that names cause and remedy, and exit code 2.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::Command,
};

use crate::support::{Kind, Leak, Outcome, Puppet, Rows, Tracer};

/// The user and group `nobody`.
const NOBODY: u32 = 65534;

#[test]
fn an_unknown_flag_is_bad_usage() {
    let outcome = Tracer::run("audit --no-such-flag");

    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains("--no-such-flag"), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_value_that_is_none_is_bad_usage() {
    for arguments in [
        "--pid zero",
        "--pid 0",
        "--pid -1",
        "audit --idle soon",
        "audit --for -1s",
        "audit --min-count many",
        "audit --fail-on maybe",
        "audit -o yaml",
        "audit --remote 10.0.0.0/99",
        "audit --local-port 70000",
    ] {
        let outcome = Tracer::run(arguments);

        assert_eq!(outcome.code, 2, "{arguments}: {outcome:?}");
        assert_ne!(outcome.stderr, "", "{arguments}");
        assert_eq!(outcome.stdout, "", "{arguments}");
    }
}

#[test]
fn a_rule_that_is_none_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rules.txt");
    fs::write(&path, "[go]\nlibary package github.com/acme\n").unwrap();
    let path = path.display();
    for arguments in [format!("audit --call-sites {path}"), format!("--call-sites {path}")] {
        let said = ["--call-sites", "rules.txt", "line 2", "libary", "expected"];
        Tracer::run(&arguments).assert_one_line_error(&said);
    }
    let arguments = format!("audit --call-sites {path}.other");
    Tracer::run(&arguments).assert_one_line_error(&["--call-sites", "No such file"]);
}

#[test]
fn without_privilege_it_says_what_it_needs() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // The build's directory may be closed to other users.
    let program = directory.path().join("tracer");
    // Another process copies it: a test beside this one could start a child while the file is open
    // for writing here, and a file that any process has open so cannot be run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_tracer")).arg(&program).status();
    assert!(copied.unwrap().success());
    for arguments in ["audit", "--for=1s"] {
        let mut command = Command::new(&program);
        command.arg(arguments);
        // SAFETY: geteuid touches no memory.
        if unsafe { libc::geteuid() } == 0 {
            command.gid(NOBODY).uid(NOBODY);
        }

        Tracer::spawn(command).finish().assert_one_line_error(&["root"]);
    }
}

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn an_unknown_pid_is_named() {
    let puppet = Puppet::start();
    let pid = puppet.pid();
    puppet.end();

    for arguments in [format!("audit --pid {pid}"), format!("--pid {pid}")] {
        Tracer::run(&arguments).assert_one_line_error(&[&pid.to_string()]);
    }
}

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn a_csv_file_that_cannot_be_made_is_named() {
    let outcome = Tracer::run("audit --for 0s --csv /no/such/directory/leaks.csv");

    outcome.assert_one_line_error(&["/no/such/directory/leaks.csv"]);
}

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn a_full_disk_cuts_no_row() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 40);

    let arguments =
        format!("audit --pid {} --idle 1s -o json --csv {}", leak.pid(), path.display());
    let outcome = Tracer::run(&arguments);

    assert_says_the_file_is_cut(&outcome, &path);
    leak.assert_reported_by(&outcome.report());
}

#[test]
#[ignore = "needs root and BPF; cargo xtask test runs it where the host allows"]
fn watching_goes_on_when_the_disk_is_full() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("leaks.csv");
    let mut leak = Leak::of(Kind::Undrained, 40);
    let arguments = format!("--pid {} --idle 1s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 40);

    leak.grow(1);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 41);
    let outcome = tracer.interrupt();

    assert_says_the_file_is_cut(&outcome, &path);
}

#[track_caller]
fn assert_says_the_file_is_cut(outcome: &Outcome, path: &Path) {
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains(path.to_str().unwrap()), "{outcome:?}");
    let rows = Rows::parse(&fs::read(path).unwrap());
    assert!((1..40).contains(&rows.0.len()), "{} rows", rows.0.len());
}

/// A file system of its own that is nearly full. It is gone when this is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn with_room_for_one_page() -> Self {
        let disk = Self(tempfile::tempdir().unwrap());
        run("mount", &["-t", "tmpfs", "-o", "size=8k", "tmpfs"], disk.path());
        fs::write(disk.path().join("filler"), [0; 4096]).unwrap();
        disk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[], self.path());
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str], last: &Path) {
    let status = Command::new(program).args(arguments).arg(last).status().unwrap();
    assert!(status.success(), "{program} {arguments:?}: {status}");
}
