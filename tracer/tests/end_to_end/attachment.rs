//! Probes in a running program: there while it is traced, and gone without a trace afterwards,
//! however the tracer ends.

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Form, Go, Program, Report, Tracer, altered_code, go_source};

/// Longest wait for a probe to come or go.
const DEADLINE: Duration = Duration::from_mins(1);

/// A Go program that makes requests when it is told to, and whether its code is its own.
struct Target {
    program: Program,
    _directory: tempfile::TempDir,
}

impl Target {
    fn start() -> Self {
        Self::start_as("pace")
    }

    /// Under a name of its own.
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

    /// The tracer of it, once its probes are there.
    fn trace(&self) -> Tracer {
        let mut tracer = Tracer::start(&format!("--pid {} --idle 1s -o json", self.pid()));
        tracer.wait_until_it_looks();
        self.await_probes(true);
        tracer
    }

    /// Until it has some, or none at all.
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

    /// The process that answers it: the same program, which nobody traces.
    fn server(&self) -> u32 {
        let pid = self.pid();
        let children = |task: PathBuf| fs::read_to_string(task.join("children")).unwrap();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let all: String = tasks.map(|task| children(task.unwrap().path())).collect();
        all.trim().parse().unwrap()
    }
}

#[test]
fn probes_are_in_the_traced_process_only_and_leave_with_the_tracer() {
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
fn killing_the_tracer_leaves_the_program_running_and_nothing_attached() {
    let mut target = Target::start();
    let tracer = target.trace();
    target.assert_it_works();

    tracer.kill_at_once();

    target.await_probes(false);
    target.assert_it_works();
}

#[test]
fn killing_the_tracer_in_the_midst_of_requests_fails_none() {
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
    tracer.wait_until_it_looks();
    target.leak(6);

    // The proof by its goroutines needs no probe.
    let report = tracer.wait_until(|report| report.leaked_by(pid) == 6);

    assert_eq!(report.leak_of(pid).text("verdict"), "abandoned", "{report}");
    assert_eq!(altered_code(pid), BTreeSet::new());
}

#[test]
fn an_audit_attaches_nothing() {
    let mut target = Target::start();
    target.leak(6);
    let pid = target.pid();

    // So long that what it finds has leaked before, and too short for a response to be out for T.
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
fn a_program_that_becomes_another_starts_with_a_clean_page() {
    let mut target = Target::start();
    let pid = target.pid();
    let mut tracer = target.trace();
    target.leak(5);
    tracer.wait_until(|report| report.leaked_by(pid) == 5);

    assert_eq!(target.program.ask("exec"), "ready");
    tracer.wait_until(|report| report.leaks_of(pid).is_empty());
    // The garbage collector's addresses are the same in each run of a program: a record of the old
    // one would fit a connection of the new one.
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
fn a_program_that_is_killed_while_it_works_takes_its_leak_along() {
    let mut target = Target::start();
    let pid = target.pid();
    let mut tracer = target.trace();
    target.leak(6);
    tracer.wait_until(|report| report.leaked_by(pid) == 6);

    target.program.kill();
    let outcome = tracer.finish();

    assert_eq!(outcome.code, 0, "nothing is leaked any more: {outcome:?}");
}

#[test]
fn every_go_program_with_sockets_can_be_meant() {
    // The name keeps the tracer away from the programs of other tests, whose code is looked at.
    let mut target = Target::start_as("meant");
    let pid = target.pid();
    target.assert_it_works();
    let alone = target.trace();
    let all = altered_code(pid);
    drop(alone);
    target.await_probes(false);
    let mut everything = Tracer::start("--comm meant --idle 1s -o json");
    everything.wait_until_it_looks();
    assert_eq!(altered_code(pid), BTreeSet::new(), "nobody asked for it");
    drop(everything);

    let mut tracer = Tracer::start("--go --comm meant --idle 1s -o json");
    target.await_altered(|altered| *altered == all);
    // The last hook is in the code a moment before it counts.
    tracer.wait_until_it_looks_again();
    target.leak(6);

    // At the look at which they are seen to have been read from last, only the goroutines tell.
    let is_named = |report: &Report| {
        let leaks = report.leaks_of(pid);
        leaks.iter().any(|leak| leak.text("verdict") == "body-not-closed" && leak.count() == 6)
    };
    tracer.wait_until(is_named);
}
