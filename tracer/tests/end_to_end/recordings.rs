//! What a run saw can be judged again: to the same end, at another time, by other thresholds.

use std::{
    fs, os::unix::fs::PermissionsExt as _, os::unix::process::CommandExt as _, process::Command,
};

use crate::support::{Kind, Leak, NOBODY, Report, Tracer, program_for_all};

/// A file in a directory of its own.
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
fn a_replay_ends_as_the_run_did() {
    let (file, csv) = (File::new(), File::new());
    let mut leak = Leak::of(Kind::Undrained, 6);
    let mut tracer = Tracer::start(&format!(
        "record {} --pid {} --idle 1s --all -o json --csv {}",
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
fn a_replayed_audit_prints_the_same_table() {
    let file = File::new();
    let leak = Leak::of(Kind::CloseWait { unread: 100 }, 12);
    let audit = format!("audit --pid {} --idle 1s --record {}", leak.pid(), file.path());
    let audited = Tracer::run(&audit);
    assert!(audited.stdout.contains("close-wait"), "{audited:?}");

    let replayed = file.replay("");

    assert_eq!((replayed.stdout, replayed.code), (audited.stdout, audited.code));
}

#[test]
fn a_lower_threshold_would_have_caught_it() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    let outcome = Tracer::run(&format!("record {} --pid {} --for 3s", file.path(), leak.pid()));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(file.replay("").code, 0);

    let lower = file.replay("--idle 1s -o json");

    assert_eq!(lower.code, 1, "{lower:?}");
    let report = lower.report();
    leak.assert_reported_by(&report);
    assert!(report.note("other-thresholds").is_some(), "{report}");
    assert_eq!(file.replay("--idle 1s --min-count 7").code, 0);
    assert_eq!(file.replay("--idle 1s --fail-on certain").code, 0);
}

#[test]
fn how_it_stood_at_some_time_is_shown() {
    let file = File::new();
    let mut leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("record {} --pid {} --idle 1s -o json", file.path(), leak.pid());
    let mut tracer = Tracer::start(&arguments);
    let stood = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    leak.leaker.ask("close-all");
    tracer.wait_until(|report| report.leaks_of(leak.pid()).is_empty());
    tracer.interrupt();
    assert!(file.replay("-o json").report().leaks_of(leak.pid()).is_empty());

    let at = stood.member("at").as_str().unwrap();
    let replayed = file.replay(&format!("-o json --at {at}"));

    assert_eq!(replayed.code, 1, "{replayed:?}");
    assert_eq!(replayed.report().to_string(), stood.to_string());
    let never = file.replay("--at 2001-01-01T00:00:00Z");
    never.assert_one_line_error(&[
        "--at",
        "outside of the recording",
        at.split('T').next().unwrap(),
    ]);
}

#[test]
fn a_recorder_that_is_killed_leaves_what_it_saw() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    let arguments = format!("--record {} --pid {} --idle 1s -o json", file.path(), leak.pid());
    let mut tracer = Tracer::start(&arguments);
    let last = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 6);
    tracer.kill_at_once();

    let replayed = file.replay("-o json");

    leak.assert_reported_by(&replayed.report());
    assert_eq!(replayed.report().member("started_at"), last.member("started_at"));
}

#[test]
fn it_is_replayed_up_to_its_last_whole_look_wherever_it_is_cut() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    let outcome =
        Tracer::run(&format!("record {} --pid {} --idle 1s --for 4s", file.path(), leak.pid()));
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let length = fs::metadata(file.path()).unwrap().len();
    let whole = fs::OpenOptions::new().write(true).open(file.path()).unwrap();
    let mut looks = 0;
    for cut in (0..length).rev().step_by(37) {
        whole.set_len(cut).unwrap();
        let replayed = file.replay("-o json");
        if replayed.code == 2 {
            replayed.assert_one_line_error(&["run.rec"]);
        } else {
            assert_eq!(replayed.stderr, "", "{replayed:?}");
            assert_eq!(replayed.report().process(leak.pid())["tcp_fds"], 6, "{replayed:?}");
            looks += 1;
        }
    }
    assert!(looks > 0);
}

/// On any machine, by anybody who may read the file.
#[test]
fn an_ordinary_user_can_replay_it() {
    let file = File::new();
    let leak = Leak::of(Kind::Undrained, 6);
    Tracer::run(&format!("record {} --pid {} --idle 1s --for 3s", file.path(), leak.pid()));
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

#[test]
fn a_diff_says_what_is_new_gone_and_grown() {
    let (file, directory) = (File::new(), tempfile::tempdir().unwrap());
    let json = directory.path().join("after.json").display().to_string();
    let mut leak = Leak::of(Kind::Undrained, 6);
    let look = format!("--pid {} --idle 1s --for 3s", leak.pid());
    assert_eq!(Tracer::run(&format!("record {} {look}", file.path())).code, 1);
    leak.grow(1);
    fs::write(&json, Tracer::run(&format!("audit {look} -o json")).stdout).unwrap();
    let diff = |before: &str, after: &str| {
        let outcome = Tracer::run(&format!("diff {before} {after} -o json"));
        let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        let changes = document["changes"].as_array().unwrap().clone();
        let words = changes.iter().map(|it| it["change"].as_str().unwrap().to_owned());
        (outcome.code, words.collect::<Vec<_>>())
    };

    assert_eq!(diff(&file.path(), &json), (0, vec!["grown".to_owned()]));
    assert_eq!(diff(&json, &file.path()), (0, vec!["shrunk".to_owned()]));
    assert_eq!(diff(&json, &json), (0, vec!["same".to_owned()]));

    leak.leaker.ask("close-all");
    let mended = directory.path().join("mended.json").display().to_string();
    fs::write(&mended, Tracer::run(&format!("audit {look} -o json")).stdout).unwrap();
    assert_eq!(diff(&json, &mended), (0, vec!["gone".to_owned()]));
    assert_eq!(diff(&mended, &json), (1, vec!["new".to_owned()]));
    let table = Tracer::run(&format!("diff {mended} {json}"));
    assert_eq!(table.code, 1, "{table:?}");
    assert!(table.stdout.contains("new") && table.stdout.contains("1 new."), "{table:?}");
}
