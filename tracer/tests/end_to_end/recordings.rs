//! Recordings of real runs. Other thresholds, times and damage are tested on a scripted host.

use std::{
    fs, os::unix::fs::PermissionsExt as _, os::unix::process::CommandExt as _, process::Command,
};

use crate::support::{Kind, Leak, NOBODY, Report, Tracer, program_for_all};

/// A recording in a temporary directory.
struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.0.path().join("run.rec").display().to_string()
    }

    fn replay(&self, arguments: &str) -> crate::support::Outcome {
        Tracer::run(&format!("replay {} {arguments}", self.path()))
    }
}

#[test]
fn a_replay_has_the_output_of_the_run() {
    let (file, csv) = (File::new(), File::new());
    let mut leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = Tracer::start(&format!(
        "record {} --pid {} --idle 2s --all -o json --csv {}",
        file.path(),
        leak.pid(),
        csv.path()
    ));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    leak.grow(2);
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 8);
    let live = tracer.interrupt();
    assert_eq!(live.code, 1, "{live:?}");
    leak.assert_reported_by(&live.report());
    leak.leaker.end();

    let replayed = file.replay("-o json");

    assert_eq!((replayed.code, &*replayed.stderr), (1, ""), "{replayed:?}");
    assert_eq!(replayed.report().to_string(), live.report().to_string());
    let rows = file.replay("-o csv");
    assert_eq!(rows.stdout, fs::read_to_string(csv.path()).unwrap());
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_killed_run_leaves_a_recording_of_what_it_observed() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--record {} --pid {} --idle 2s -o json", file.path(), leak.pid());
    let mut tracer = Tracer::start(&arguments);
    let last = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    tracer.kill_at_once();

    let replayed = file.replay("-o json");

    leak.assert_reported_by(&replayed.report());
    assert_eq!(replayed.report().member("started_at"), last.member("started_at"));
}

#[test]
fn an_ordinary_user_can_replay_a_recording() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    Tracer::run(&format!("record {} --pid {} --idle 2s --for 3s", file.path(), leak.pid()));
    let program = program_for_all(file.0.path());
    let mut command = Command::new(program);
    command.args(["replay", &file.path(), "-o", "json"]).uid(NOBODY).gid(NOBODY);
    let refused = Tracer::spawn(command).finish();
    refused.assert_one_line_error(&["run.rec", "Permission denied"]);
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new(file.0.path().join("tracer"));
    command.args(["replay", &file.path(), "-o", "json"]).uid(NOBODY).gid(NOBODY);

    let replayed = Tracer::spawn(command).finish();

    assert_eq!(replayed.code, 1, "{replayed:?}");
    leak.assert_reported_by(&Report::parse(&replayed.stdout));
}
