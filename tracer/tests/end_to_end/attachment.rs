//! Uprobes in a running Go program: attached while it is traced, and removed afterwards, regardless
//! of how the tracer ends.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Form, Go, Program, Report, Tracer, altered_code, go_source};

/// Longest wait for uprobes to be attached or removed.
const DEADLINE: Duration = Duration::from_mins(1);

/// A Go program that makes requests on command, and whether its code is modified.
struct Target {
    program: Program,
    _directory: tempfile::TempDir,
}

impl Target {
    fn start() -> Self {
        Self::start_as("pace")
    }

    /// Starts it under another name.
    fn start_as(name: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pace = Go::chosen().build(&go_source("pace"), directory.path(), Form::Stripped);
        let named = directory.path().join(name);
        fs::rename(pace, &named).unwrap();
        Self { program: Program::start_ready(&named, ""), _directory: directory }
    }

    fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Starts a tracer for it, and waits until uprobes are attached.
    fn trace(&self) -> Tracer {
        let mut tracer = Tracer::start(&format!("--pid {} --idle 1s -o json", self.pid()));
        tracer.wait_for_first_report();
        self.await_probes(true);
        tracer
    }

    /// Waits until it has uprobes, or has none.
    fn await_probes(&self, expected: bool) {
        self.await_altered(|altered| altered.is_empty() != expected);
    }

    fn await_altered(&self, condition: impl Fn(&BTreeSet<u64>) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let altered = altered_code(self.pid());
            if condition(&altered) {
                return;
            }
            assert!(Instant::now() < deadline, "probes: {altered:x?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes requests, all of which are answered.
    fn assert_it_works(&mut self) {
        let answer = self.program.ask("run 200ms");
        let requests = answer.strip_prefix("ok ").and_then(|it| it.split(' ').next());
        assert!(requests.is_some_and(|it| it.parse::<u64>().unwrap() > 0), "{answer}");
    }

    fn leak(&mut self, count: usize) {
        assert_eq!(self.program.ask(&format!("leak {count}")), "ok");
    }

    /// Its server process: the same program, which is not traced.
    fn server(&self) -> u32 {
        let pid = self.pid();
        let children = |task: PathBuf| fs::read_to_string(task.join("children")).unwrap();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let all: String = tasks.map(|task| children(task.unwrap().path())).collect();
        all.trim().parse().unwrap()
    }
}

#[test]
fn uprobes_are_in_the_traced_process_only_and_end_with_the_tracer() {
    let mut target = Target::start();
    assert_eq!(altered_code(target.pid()), BTreeSet::new());

    let tracer = target.trace();
    target.assert_it_works();
    assert_eq!(altered_code(target.server()), BTreeSet::new(), "the same program, not traced");
    let outcome = tracer.interrupt();

    assert_eq!(outcome.code, 0, "{outcome:?}");
    target.await_probes(false);
    target.assert_it_works();
}

#[test]
fn after_a_kill_the_program_runs_and_nothing_is_attached() {
    let mut target = Target::start();
    let tracer = target.trace();
    target.assert_it_works();

    tracer.kill_at_once();

    target.await_probes(false);
    target.assert_it_works();
}

#[test]
fn a_kill_during_requests_fails_none_of_them() {
    let mut target = Target::start();
    for _ in 0..5 {
        let tracer = target.trace();
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            tracer.kill_at_once();
        });
        target.assert_it_works();
        killer.join().unwrap();
    }
    target.await_probes(false);
}

#[test]
fn without_uprobes_nothing_is_attached() {
    let mut target = Target::start();
    let pid = target.pid();
    let mut tracer = Tracer::start(&format!("--pid {pid} --no-uprobes --idle 1s -o json"));
    tracer.wait_for_first_report();
    target.leak(6);

    // The confirmation by goroutine scan needs no uprobe.
    let report = tracer.wait_until(|report| report.leaked_by(pid) == 6);

    assert_eq!(report.leak_of(pid).text("verdict"), "abandoned", "{report}");
    assert_eq!(altered_code(pid), BTreeSet::new());
}

#[test]
fn an_audit_attaches_nothing() {
    let mut target = Target::start();
    target.leak(6);
    let pid = target.pid();

    // The responses are older than `--idle`, and the run is too short to track new ones for that
    // long.
    thread::sleep(Duration::from_secs(1));
    let audit = Tracer::start(&format!("audit --pid {pid} --idle 1s --for 1s -o json"));
    let altered = thread::spawn(move || {
        let mut altered = BTreeSet::new();
        let end = Instant::now() + Duration::from_secs(2);
        while Instant::now() < end {
            altered.extend(altered_code(pid));
        }
        altered
    });

    assert_eq!(audit.finish().report().leaked_by(pid), 6);
    assert_eq!(altered.join().unwrap(), BTreeSet::new());
}

#[test]
fn two_tracers_of_one_program_do_not_disturb_each_other() {
    let mut target = Target::start();
    let pid = target.pid();
    let first = target.trace();
    let mut second = target.trace();
    target.leak(3);

    first.kill_at_once();
    target.leak(4);

    second.wait_until(|report| report.leaked_by(pid) == 7);
    assert_ne!(altered_code(pid), BTreeSet::new(), "the other's are still there");
    let outcome = second.interrupt();
    assert_eq!(outcome.report().leak_of(pid).text("verdict"), "body-not-closed", "{outcome:?}");
    target.await_probes(false);
    target.assert_it_works();
}

#[test]
fn a_process_that_calls_execve_starts_without_responses() {
    let mut target = Target::start();
    let pid = target.pid();
    let mut tracer = target.trace();
    target.leak(5);
    tracer.wait_until(|report| report.leaked_by(pid) == 5);

    assert_eq!(target.program.ask("exec"), "ready");
    tracer.wait_until(|report| report.leaks_of(pid).is_empty());
    // Heap addresses are the same in each run of a program: a record of the old program would match
    // a connection of the new one.
    target.assert_it_works();
    target.await_probes(true);
    target.leak(6);
    let report = tracer.wait_until(|report| report.leaked_by(pid) == 6);

    let finding = report.leak_of(pid);
    assert_eq!(finding.text("verdict"), "body-not-closed", "{report}");
    drop(tracer);
    target.await_probes(false);
    target.assert_it_works();
}

#[test]
fn a_killed_process_has_no_leak() {
    let mut target = Target::start();
    let pid = target.pid();
    let mut tracer = target.trace();
    target.leak(6);
    tracer.wait_until(|report| report.leaked_by(pid) == 6);

    target.program.kill();
    let outcome = tracer.finish();

    assert_eq!(outcome.code, 0, "nothing is leaked any longer: {outcome:?}");
}

#[test]
fn the_option_go_attaches_to_every_go_program_with_sockets() {
    // The name excludes the programs of other tests, which compare their code.
    let mut target = Target::start_as("meant");
    let pid = target.pid();
    target.assert_it_works();
    let alone = target.trace();
    let all = altered_code(pid);
    drop(alone);
    target.await_probes(false);
    let mut everything = Tracer::start("--comm meant --idle 1s -o json");
    everything.wait_for_first_report();
    assert_eq!(altered_code(pid), BTreeSet::new(), "nobody asked for it");
    drop(everything);

    let mut tracer = Tracer::start("--go --comm meant --idle 1s -o json");
    target.await_altered(|altered| *altered == all);
    // The last uprobe is in the code shortly before it is active.
    tracer.wait_for_next_report();
    target.leak(6);

    // In the first snapshot after the last read, the verdict is based on the goroutines alone.
    let is_named = |report: &Report| {
        let leaks = report.leaks_of(pid);
        leaks.iter().any(|leak| leak.text("verdict") == "body-not-closed" && leak.count() == 6)
    };
    tracer.wait_until(is_named);
}
