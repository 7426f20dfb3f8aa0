//! Full disks: the run continues, and ends with exit code 2 and a line that names the file.

use std::{fs, path::Path, process::Command};

use crate::support::{Kind, Leak, Outcome, Puppet, Report, Rows, Tracer};

#[test]
fn a_full_disk_leaves_whole_rows() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("leaks.csv");
    let leak = Leak::of(Kind::Undrained, 40);

    let arguments =
        format!("audit --pid {} --idle 2s -o json --csv {}", leak.pid(), path.display());
    let outcome = Tracer::run(&arguments);

    assert_reports_a_truncated_file(&outcome, &path);
    leak.assert_reported_by(&outcome.report());
}

#[test]
fn a_run_continues_when_the_disk_is_full() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("leaks.csv");
    let mut leak = Leak::of(Kind::Undrained, 40);
    let arguments = format!("--pid {} --idle 2s -o json --csv {}", leak.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 40);

    leak.grow(1);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 41);
    let outcome = tracer.interrupt();

    assert_reports_a_truncated_file(&outcome, &path);
}

#[track_caller]
fn assert_reports_a_truncated_file(outcome: &Outcome, path: &Path) {
    assert_eq!(outcome.code, 2, "{outcome:?}");
    assert!(outcome.stderr.contains(path.to_str().unwrap()), "{outcome:?}");
    let rows = Rows::parse(&fs::read(path).unwrap());
    assert!((1..40).contains(&rows.0.len()), "{} rows", rows.0.len());
}

#[test]
fn a_full_disk_ends_the_recording_but_not_the_run() {
    let disk = Disk::with_room_for_one_page();
    let path = disk.path().join("run.rec");
    let (mut server, mut client) = (Puppet::start(), Puppet::start());
    let listener = server.listen();
    let arguments = format!("--pid {} -o json --record {}", client.pid(), path.display());
    let mut tracer = Tracer::start(&arguments);
    tracer.wait_for_first_report();
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

/// A file system that is nearly full. It is unmounted when this is dropped.
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
