//! Workers that cannot be killed, because they wait for a file system that never responds: an
//! overlay on top of FUSE, which is not recognized as such. There are never more than three of
//! them, and the run neither waits for them nor hides what it could not inspect.

use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Kind, Leak, Listener, Program, Puppet, Report, Tracer, children, compile_c, launcher_of,
    one_by_one,
};

/// How many connections each process leaks.
const COUNT: usize = 5;
/// Longest wait for workers to hang or to exit.
const DEADLINE: Duration = Duration::from_mins(2);

/// Processes on which workers hang, and a run that watches them and a harmless one.
struct Hanging {
    programs: Vec<Program>,
    harmless: Leak,
    peer: Puppet,
    listener: Listener,
    tracer: Tracer,
    launcher: u32,
    _directory: tempfile::TempDir,
}

impl Hanging {
    /// Starts one process for each of these users.
    fn of_users(users: &[u32]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/hostile.c");
        let executable = compile_c(&source, directory.path(), "-g0 -O1 -fno-omit-frame-pointer");
        let programs = users.iter().map(|user| {
            let mut program = Program::start_ready(&executable, "");
            for command in ["hang-tmp".to_owned(), format!("user {user}")] {
                let answer = program.ask(&command);
                assert!(answer.starts_with("ok"), "{command}: {answer}");
            }
            program
        });
        let programs: Vec<Program> = programs.collect();
        let harmless = Leak::prepare(Kind::Undrained);
        let mut peer = Puppet::start();
        let listener = peer.listen();
        let pids = programs.iter().map(Program::pid).chain([harmless.pid()]);
        let pids: Vec<String> = pids.map(|pid| pid.to_string()).collect();
        let arguments = format!("--pid {} --idle 2s --interval 1s -o json", pids.join(","));
        let mut tracer = Tracer::start(&arguments);
        tracer.wait_for_first_report();
        let launcher = launcher_of(&tracer);
        Self { programs, harmless, peer, listener, tracer, launcher, _directory: directory }
    }

    /// The process with this index leaks connections.
    fn leak(&mut self, index: usize) {
        let port = self.listener.address.port();
        one_by_one(COUNT, || {
            let answer = self.programs[index].ask(&format!("connect-generated {port}"));
            assert!(answer.starts_with("ok"), "{answer}");
            let other_end = self.peer.accept(self.listener, 1);
            self.peer.send(&other_end, 8 * 1024);
        });
    }

    /// Waits until this many workers hang. `tracer` has killed them all.
    fn await_hanging(&self, count: usize) -> Vec<u32> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let hanging = self.hanging();
            if hanging.len() == count {
                return hanging;
            }
            assert!(Instant::now() < deadline, "{hanging:?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The workers that were killed and have not exited.
    fn hanging(&self) -> Vec<u32> {
        children(self.launcher).into_iter().filter(|pid| is_hanging(*pid)).collect()
    }

    /// Waits for three more snapshots, and returns the report of the last one.
    fn await_snapshots(&mut self) -> Report {
        let snapshots = |report: &Report| report.member("coverage")["snapshots"].as_u64().unwrap();
        let before = snapshots(&self.tracer.wait_for_next_report());
        self.tracer.wait_until(|report| snapshots(report) >= before + 3)
    }
}

/// Whether SIGKILL is pending for a process in uninterruptible sleep.
fn is_hanging(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let value = |name| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
    let is_killed = |name| {
        let pending = value(name).and_then(|set| u64::from_str_radix(set, 16).ok());
        pending.is_some_and(|set| set & 1 << (libc::SIGKILL - 1) != 0)
    };
    value("State:").is_some_and(|state| state.starts_with('D'))
        && (is_killed("SigPnd:") || is_killed("ShdPnd:"))
}

/// The number of processes for which a question was given up because workers failed, as coverage
/// counts them.
fn not_answered(report: &Report, question: &str) -> u64 {
    let notes = report.member("coverage")["notes"].as_array().unwrap();
    let failed = notes.iter().filter(|note| {
        note["code"] == "no-answer" && note["reason"] == "failed" && note["question"] == question
    });
    failed.map(|note| note["count"].as_u64().unwrap()).sum()
}

#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn lacks_fuse() -> bool {
    let file_systems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let is_missing = fs::metadata("/dev/fuse").is_err()
        || !file_systems.lines().any(|it| it.ends_with("overlay"));
    if is_missing {
        eprintln!("skipped: this host has no FUSE, or no overlay file system");
    }
    is_missing
}

#[test]
fn at_most_three_workers_hang_and_the_run_goes_on_and_ends() {
    if lacks_fuse() {
        return;
    }
    let mut run = Hanging::of_users(&[1_001, 1_002, 1_003]);
    // A worker hangs with debug information, and another one without.
    run.leak(0);
    run.await_hanging(2);
    run.leak(1);
    let hanging = run.await_hanging(3);

    run.leak(2);
    run.harmless.grow(COUNT);
    run.tracer.wait_until(|report| not_answered(report, "process") >= 2);
    let report = run.await_snapshots();

    assert_eq!(run.hanging(), hanging, "no other worker was started");
    assert_eq!(report.member("coverage")["complete"], false, "{report}");
    let Hanging { tracer, programs, .. } = run;
    tracer.interrupt();
    assert!(hanging.iter().all(|pid| is_hanging(*pid)), "they were abandoned");

    // With the file systems, their last waits end.
    drop(programs);
    let deadline = Instant::now() + DEADLINE;
    while hanging.iter().any(|pid| is_hanging(*pid)) {
        assert!(Instant::now() < deadline);
        thread::sleep(Duration::from_millis(20));
    }
}
