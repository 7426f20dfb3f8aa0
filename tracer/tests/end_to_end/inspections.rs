//! The processes that inspect others: what they may do, and what happens when one fails.

use std::{
    fs,
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Cgroup, Kind, Leak, NOBODY, Tracer, is_running, launcher_of, worker_of};

/// Longest wait for something that takes a short time.
const DEADLINE: Duration = Duration::from_mins(1);

/// A shell that is always busy.
const BUSY: &str = "while :; do :; done";

/// `include/uapi/linux/capability.h`.
const DAC_READ_SEARCH: u64 = 1 << 2;
const SYS_PTRACE: u64 = 1 << 19;
const CHECKPOINT_RESTORE: u64 = 1 << 40;

/// A line of `/proc/PID/status`, without its name.
fn status(pid: u32, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

fn capabilities(pid: u32, set: &str) -> u64 {
    u64::from_str_radix(&status(pid, set), 16).unwrap()
}

fn signal(pid: u32, number: i32) {
    // SAFETY: the process is one of a tracer that this test has started and not waited for; this
    // sends a signal only.
    assert_eq!(unsafe { libc::kill(pid.cast_signed(), number) }, 0);
}

#[test]
fn a_worker_has_only_what_reading_takes_and_an_exec_would_gain_nothing() {
    let leak = Leak::of(Kind::Undrained, 5);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);

    let worker = worker_of(launcher_of(&tracer), None);

    let reading = DAC_READ_SEARCH | SYS_PTRACE | CHECKPOINT_RESTORE;
    for set in ["CapPrm:", "CapEff:"] {
        assert_eq!(capabilities(worker, set) & !reading, 0, "{set}");
    }
    for set in ["CapInh:", "CapBnd:", "CapAmb:"] {
        assert_eq!(capabilities(worker, set), 0, "{set}");
    }
    assert_eq!(status(worker, "NoNewPrivs:"), "1");
    // `SECCOMP_MODE_FILTER`.
    assert_eq!(status(worker, "Seccomp:"), "2");
    // A user that no other process has, the tracer included.
    let user = |pid| status(pid, "Uid:").split_whitespace().next().unwrap().to_owned();
    assert!(!["0".to_owned(), NOBODY.to_string(), user(tracer.id())].contains(&user(worker)));
    assert_eq!(status(worker, "Gid:"), status(worker, "Uid:"));
    assert_eq!(status(worker, "Groups:"), "");
    let limits = fs::read_to_string(format!("/proc/{worker}/limits")).unwrap();
    let limit = |name| limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    let data = limit("Max data size").split_whitespace().next().unwrap();
    assert_eq!(data, (232 << 20).to_string());
    assert_eq!(limit("Max file size").split_whitespace().next(), Some("0"));
    tracer.interrupt();
}

#[test]
fn a_worker_that_is_killed_or_hangs_is_replaced() {
    let mut leaks = [Kind::Undrained; 3].map(Leak::prepare);
    let pids = leaks.each_ref().map(|leak| leak.pid().to_string()).join(",");
    let mut tracer = Tracer::start(&format!("--pid {pids} --idle 2s -o json"));
    leaks[0].grow(5);
    tracer.wait_until(|report| report.leaked_by(leaks[0].pid()) == 5);
    let launcher = launcher_of(&tracer);

    for (leak, number) in leaks[1..].iter_mut().zip([libc::SIGKILL, libc::SIGSTOP]) {
        let worker = worker_of(launcher, None);
        signal(worker, number);
        leak.grow(5);
        let report = tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
        assert!(!report.leak_of(leak.pid()).is_null("exe"), "{report}");
        worker_of(launcher, Some(worker));
    }
    let report = tracer.wait_until(|report| report.member("coverage")["complete"] == true);
    for leak in &leaks {
        leak.assert_reported_by(&report);
    }
    tracer.interrupt();
}

/// A request of a process takes at most a second, without the time for which the worker waits.
#[test]
fn a_worker_that_waits_for_a_cpu_is_not_replaced() {
    let Some(slow) = Cgroup::make_slow("tracer-test-slow") else { return };
    let mut leaks = [Kind::Undrained; 2].map(Leak::prepare);
    let pids = leaks.each_ref().map(|leak| leak.pid().to_string()).join(",");
    let mut tracer = Tracer::start(&format!("--pid {pids} --idle 2s --interval 1s -o json"));
    leaks[0].grow(5);
    tracer.wait_until(|report| report.leaked_by(leaks[0].pid()) == 5);
    let worker = worker_of(launcher_of(&tracer), None);
    // They use up what the worker could have.
    let mut busy = [(); 4].map(|()| Command::new("sh").args(["-c", BUSY]).spawn().unwrap());
    for pid in busy.each_ref().map(Child::id).into_iter().chain([worker]) {
        slow.admit(pid);
    }

    let release = thread::spawn(move || {
        let (mut waiting_since, deadline) = (Instant::now(), Instant::now() + DEADLINE);
        while waiting_since.elapsed() < Duration::from_millis(1_500) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
            if !status(worker, "State:").starts_with('R') {
                waiting_since = Instant::now();
            }
        }
        // In the cgroup, their exits would take as long.
        drop(slow);
        for child in &mut busy {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    });
    leaks[1].grow(5);
    let pid = leaks[1].pid();
    let report = tracer
        .wait_until(|report| report.leaked_by(pid) == 5 && !report.leak_of(pid).is_null("exe"));

    release.join().unwrap();
    leaks[1].assert_reported_by(&report);
    assert_eq!(worker_of(launcher_of(&tracer), None), worker, "it was not replaced");
    tracer.interrupt();
}

#[test]
fn launcher_and_worker_end_with_a_tracer_that_is_killed() {
    let leak = Leak::of(Kind::Undrained, 5);
    let mut tracer = Tracer::start(&format!("--pid {} --idle 2s -o json", leak.pid()));
    tracer.wait_until(|report| report.leaked_by(leak.pid()) == 5);
    let launcher = launcher_of(&tracer);
    let worker = worker_of(launcher, None);

    tracer.kill_at_once();

    let deadline = Instant::now() + DEADLINE;
    while is_running(launcher, "__launch-inspection") || is_running(worker, "__inspect") {
        assert!(Instant::now() < deadline, "they are still there");
        thread::sleep(Duration::from_millis(20));
    }
}
