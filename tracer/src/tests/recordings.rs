//! Recordings of runs, replayed by `replay` and compared by `diff`.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, time::Duration};

use serde_json::Value;

use super::{
    run::{Leak, Outcome, run, run_offline},
    validator::Validator,
};
use crate::collect::backend::scripted::{Process, ScriptedHost, Sockets};

/// A directory with a recording.
struct File(tempfile::TempDir);

impl File {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> String {
        self.next_to_it("run.rec")
    }

    fn next_to_it(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    fn replay(&self, arguments: &str) -> Outcome {
        run_offline(&format!("replay {} {arguments}", self.path()))
    }
}

/// Six connections, two more after five seconds.
fn growing_leak(process: &Process) -> ScriptedHost {
    let opener = process.clone();
    Leak::Undrained.before_the_run(process, 6).at(Duration::from_secs(5), move |sockets| {
        Leak::Undrained.one(sockets, &opener);
        Leak::Undrained.one(sockets, &opener);
    })
}

#[test]
fn a_replay_has_the_output_of_the_run() {
    let (file, process) = (File::new(), Process::this());
    let csv = file.next_to_it("leaks.csv");
    let watch = format!("--pid {} --idle 1s --all --for 20s", process.pid);
    let arguments = format!("record {} {watch} -o json --csv {csv}", file.path());
    let live = run(&arguments, growing_leak(&process));
    assert_eq!(live.code, 1, "{live:?}");
    assert_eq!(live.report().leaked_by(process.pid), 8, "{live:?}");

    let replayed = file.replay("-o json");

    assert_eq!((replayed.code, &*replayed.error), (1, ""), "{replayed:?}");
    assert_eq!(replayed.report().to_string(), live.report().to_string());
    assert_eq!(file.replay("-o csv").stdout, fs::read_to_string(csv).unwrap());
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_replayed_audit_prints_the_same_table() {
    let (file, process) = (File::new(), Process::this());
    let audit = format!("audit --pid {} --idle 1s --record {}", process.pid, file.path());
    let audited = run(&audit, Leak::CloseWait.before_the_run(&process, 12));
    assert!(audited.stdout.contains("close-wait"), "{audited:?}");

    let replayed = file.replay("");

    // The footer names the command that was run.
    let without_command = |table: &str| {
        table.lines().filter(|line| !line.contains("Command:")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(without_command(&replayed.stdout), without_command(&audited.stdout));
    assert_eq!(replayed.code, audited.code);
    assert!(replayed.stdout.contains(&format!("Recorded with: tracer {audit}")), "{replayed:?}");
}

#[test]
fn a_replay_can_use_other_thresholds() {
    let (file, process) = (File::new(), Process::this());
    let watch = format!("--pid {} --idle 1s --pool-size 12 --for 5s", process.pid);
    let record = format!("record {} {watch}", file.path());
    let outcome = run(&record, Leak::CloseWait.before_the_run(&process, 12));
    assert_eq!(outcome.code, 0, "{outcome:?}");
    assert_eq!(file.replay("").code, 0);

    let lower = file.replay("--pool-size 11 -o json");

    assert_eq!(lower.code, 1, "{lower:?}");
    assert_eq!(lower.report().leaked_by(process.pid), 12, "{lower:?}");
    let report = lower.report();
    let notes = &report.member("coverage")["notes"];
    assert_eq!(notes[0]["code"], "other-thresholds", "{report}");
    assert_eq!(file.replay("--pool-size 11 --idle 1h").code, 0);
    assert_eq!(file.replay("--pool-size 11 --fail-on certain").code, 0);
}

/// The recorded run did not ask for the readers of connections that were in use by its thresholds.
#[test]
fn a_replay_with_a_lower_idle_has_missing_inspections() {
    let (file, process) = (File::new(), Process::this());
    let record = format!("record {} --pid {} --idle 1h --for 5s", file.path(), process.pid);
    assert_eq!(run(&record, Leak::Undrained.before_the_run(&process, 6)).code, 0);

    let lower = file.replay("--idle 1s -o json");

    assert_eq!(lower.code, 0, "{lower:?}");
    assert_eq!(lower.finding(&process).text("confidence"), "possible", "{lower:?}");
    assert!(lower.stdout.contains(r#""not-inspected""#), "{lower:?}");
}

#[test]
fn a_replay_can_end_at_a_given_time() {
    let (file, process) = (File::new(), Process::this());
    let record = format!("record {} --pid {} --idle 1s -o json", file.path(), process.pid);
    let host = Leak::Undrained.before_the_run(&process, 6);
    let host = host.at(Duration::from_secs(10), Sockets::close_all);
    let live = run(&format!("{record} --for 20s"), host);
    assert!(file.replay("-o json").report().leaks_of(process.pid).is_empty());
    let is_before = |line: &&str| line.contains(r#""at":"2026-03-01T12:00:0"#);
    let before = live.stdout.lines().rfind(is_before).unwrap();
    let before = super::report::Report::parse(before);

    let at = before.member("at").as_str().unwrap();
    let replayed = file.replay(&format!("-o json --at {at}"));

    assert_eq!(replayed.code, 1, "{replayed:?}");
    assert_eq!(replayed.report().to_string(), before.to_string());
    file.replay("--at 2001-01-01T00:00:00Z").assert_error(&["--at", "2026-03-01"]);
}

/// A crash or a full disk can truncate it anywhere.
#[test]
fn a_truncated_recording_is_replayed_up_to_its_last_snapshot() {
    let (file, process) = (File::new(), Process::this());
    let record = format!("record {} --pid {} --idle 1s --for 10s", file.path(), process.pid);
    assert_eq!(run(&record, Leak::Undrained.before_the_run(&process, 6)).code, 1);
    let length = fs::metadata(file.path()).unwrap().len();
    let opened = fs::OpenOptions::new().write(true).open(file.path()).unwrap();
    let mut replays = 0;
    for cut in (0..length).rev().step_by(37) {
        opened.set_len(cut).unwrap();
        let replayed = file.replay("-o json");
        if replayed.code == 2 {
            replayed.assert_error(&["run.rec"]);
        } else {
            assert_eq!(replayed.error, "", "{replayed:?}");
            assert_eq!(replayed.report().process(process.pid)["tcp_fds"], 6, "{replayed:?}");
            replays += 1;
        }
    }
    assert!(replays > 0);
}

#[test]
fn other_files_are_not_recordings() {
    let file = File::new();
    let notes = file.next_to_it("notes.txt");
    fs::write(&notes, "do not lose me\n").unwrap();

    let words = ["notes.txt", "not a recording"];
    run_offline(&format!("replay {notes}")).assert_error(&words);
    run_offline(&format!("report {notes}")).assert_error(&words);
    run_offline(&format!("diff {notes} {notes}")).assert_error(&["notes.txt", "neither"]);
}

/// The changes from one file to another.
fn diff(before: &str, after: &str) -> (u8, Vec<String>) {
    let outcome = run_offline(&format!("diff {before} {after} -o json"));
    let document: Value = serde_json::from_str(&outcome.stdout)
        .unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    Validator::strict("diff").check(&document);
    let changes = document["changes"].as_array().unwrap().clone();
    let words = changes.iter().map(|it| it["change"].as_str().unwrap().to_owned());
    (outcome.code, words.collect())
}

#[test]
fn a_diff_shows_what_is_new_gone_and_grown() {
    let (file, process) = (File::new(), Process::this());
    let audit = format!("audit --pid {} --idle 1s", process.pid);
    let recorded = file.path();
    let json = |name: &str, host: ScriptedHost| {
        let path = file.next_to_it(name);
        fs::write(&path, run(&format!("{audit} -o json"), host).stdout).unwrap();
        path
    };
    let six = Leak::Undrained.before_the_run(&process, 6);
    assert_eq!(run(&format!("{audit} --record {recorded}"), six).code, 1);
    let seven = json("seven.json", Leak::Undrained.before_the_run(&process, 7));
    let none = json("none.json", Leak::Undrained.before_the_run(&process, 0));

    for (before, after, code, change) in [
        (&recorded, &seven, 0, "grown"),
        (&seven, &recorded, 0, "shrunk"),
        (&seven, &seven, 0, "same"),
        (&seven, &none, 0, "gone"),
        (&none, &seven, 1, "new"),
    ] {
        assert_eq!(diff(before, after), (code, vec![change.to_owned()]), "{before} {after}");
    }
    let table = run_offline(&format!("diff {none} {seven}"));
    assert_eq!(table.code, 1, "{table:?}");
    assert!(table.stdout.contains("1 new"), "{table:?}");
}

/// Not all leaks that the later file does not have are gone.
#[test]
fn a_diff_says_what_the_later_file_could_not_show() {
    let (file, process) = (File::new(), Process::this());
    let six = || Leak::Undrained.before_the_run(&process, 6);
    let json = |name: &str, arguments: &str, host: ScriptedHost| {
        let path = file.next_to_it(name);
        let outcome = run(&format!("audit --idle 1s -o json {arguments}"), host);
        fs::write(&path, outcome.stdout).unwrap();
        path
    };
    let pid = process.pid;
    let before = json("before.json", "", six());
    let none = || Leak::Undrained.before_the_run(&process, 0);
    for (arguments, code, change) in [
        (format!("--pid {pid}"), 0, "gone"),
        // It has no TCP sockets, so it may have ended.
        (String::new(), 3, "not-observed"),
        (format!("--pid {}", std::os::unix::process::parent_id()), 3, "not-observed"),
        (format!("--pid {pid} -D 80"), 3, "not-observed"),
    ] {
        let after = json("after.json", &arguments, none());
        assert_eq!(diff(&before, &after), (code, vec![change.to_owned()]), "{arguments}");
    }
    let recorded = file.path();
    let parent = std::os::unix::process::parent_id();
    run(&format!("audit --idle 1s --pid {parent} --record {recorded}"), none());
    let table = run_offline(&format!("diff {before} {recorded}"));
    assert_eq!(table.code, 3, "{table:?}");
    let text = table.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let named = format!("Not observed: {}[{pid}].", process.comm);
    for words in ["No new leaks: 1 not observed.", &named, &format!("--pid {parent}")] {
        assert!(text.contains(words), "{words}: {table:?}");
    }

    // The same program, started again one second before the report.
    let mut document: Value = serde_json::from_str(&fs::read_to_string(&before).unwrap()).unwrap();
    document["at"] = "2026-03-01T12:10:00.000Z".into();
    document["findings"] = Value::Array(Vec::new());
    document["coverage"]["observed"][0]["pid"] = 1.into();
    document["coverage"]["observed"][0]["start_time"] = "2026-03-01T12:09:59.000Z".into();
    let restarted = file.next_to_it("restarted.json");
    fs::write(&restarted, document.to_string()).unwrap();
    assert_eq!(diff(&before, &restarted), (3, vec!["too-early".to_owned()]));
    let table = run_offline(&format!("diff {before} {restarted}"));
    assert!(table.stdout.contains("No new leaks: 1 too early."), "{table:?}");
    assert!(table.stdout.contains(&format!("{}[1] had run for 1s", process.comm)), "{table:?}");

    // New leaks are worse.
    let host = Leak::NeverRead.before_the_run(&process, 6);
    let new = json("new.json", &format!("--pid {pid} -L 8080"), host);
    assert_eq!(diff(&before, &new).0, 1);
}

/// Otherwise, a leak that has grown would seem to have shrunk.
#[test]
fn a_diff_of_swapped_files_is_refused() {
    let (file, process) = (File::new(), Process::this());
    let audit = format!("audit --pid {} --idle 1s -o json", process.pid);
    let later = run(&audit, Leak::Undrained.before_the_run(&process, 7)).stdout;
    let mut report: Value = serde_json::from_str(&later).unwrap();
    report["at"] = "2026-02-28T12:00:00Z".into();
    let [before, after] = ["before.json", "after.json"].map(|name| file.next_to_it(name));
    fs::write(&before, report.to_string()).unwrap();
    fs::write(&after, later).unwrap();

    assert_eq!(diff(&before, &after), (0, vec!["same".to_owned()]));
    let words = ["after.json", "2026-02-28T12:00:00Z", "before.json", "older file first"];
    run_offline(&format!("diff {after} {before}")).assert_error(&words);
}

#[test]
fn an_existing_file_is_renamed_only_if_the_run_starts() {
    let file = File::new();
    fs::write(file.path(), "an earlier recording").unwrap();

    let record = format!("record {} --pid 4194304 --for 0s", file.path());
    run_offline(&record).assert_error(&["4194304"]);

    let kept = fs::read_to_string(Path::new(&file.path())).unwrap();
    assert_eq!(kept, "an earlier recording");
}
