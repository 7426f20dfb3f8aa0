//! What cannot work: one line on standard error that names cause and remedy, and exit code 2.

use std::{fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use crate::support::{Kind, Leak, NOBODY, Outcome, Puppet, Report, Rows, Tracer, program_for_all};

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
        "audit --container 4f3",
        "audit --container web",
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
    let program = program_for_all(directory.path());
    for arguments in ["audit", "--for=1s"] {
        let mut command = Command::new(&program);
        command.args([arguments, "--source=kernel"]);
        // SAFETY: geteuid touches no memory.
        if unsafe { libc::geteuid() } == 0 {
            command.gid(NOBODY).uid(NOBODY);
        }

        Tracer::spawn(command).finish().assert_one_line_error(&["root"]);
    }
}

#[test]
fn an_unknown_pid_is_named() {
    let puppet = Puppet::start();
    let pid = puppet.pid();
    puppet.end();

    for arguments in [format!("audit --pid {pid}"), format!("--pid {pid}")] {
        Tracer::run(&arguments).assert_one_line_error(&[&pid.to_string()]);
    }
}

#[test]
fn a_csv_file_that_cannot_be_made_is_named() {
    let outcome = Tracer::run("audit --for 0s --csv /no/such/directory/leaks.csv");

    outcome.assert_one_line_error(&["/no/such/directory/leaks.csv"]);
}

#[test]
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

#[test]
fn a_full_disk_ends_the_recording_and_not_the_run() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("run.rec");
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let arguments = format!("--pid {} -o json --record {}", client.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until_it_looks();
    let has_ended = |report: &Report| {
        let note = report.note("recording-stopped");
        note.is_some_and(|note| note["detail"].as_str().unwrap().contains("disk full"))
    };
    for _ in 0..10 {
        client.connect(listener, 50);
        server.accept(listener, 50);
    }
    tracer.wait_until(has_ended);
    tracer.wait_until(has_ended);
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains(path.to_str().unwrap()), "{outcome:?}");
    let replayed = Tracer::run(&format!("replay {} -o json", path.display()));
    assert_eq!(replayed.report().member("started_at"), outcome.report().member("started_at"));
}

#[test]
fn what_is_no_recording_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notes.txt");
    fs::write(&path, "do not lose me\n").unwrap();
    let shown = path.display();

    Tracer::run(&format!("replay {shown}"))
        .assert_one_line_error(&["notes.txt", "not a recording"]);
    Tracer::run(&format!("replay {shown}.other")).assert_one_line_error(&["notes.txt.other"]);
    Tracer::run("replay /").assert_one_line_error(&["cannot read /"]);
    Tracer::run(&format!("diff {shown} {shown}")).assert_one_line_error(&["notes.txt", "neither"]);
    Tracer::run(&format!("diff {shown}.other {shown}")).assert_one_line_error(&["No such file"]);
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
