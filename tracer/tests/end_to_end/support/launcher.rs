use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::Tracer;

/// Longest wait for a worker.
const DEADLINE: Duration = Duration::from_mins(1);

/// The child processes of the main thread of a process.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    children.split_whitespace().map(|pid| pid.parse().expect("a pid is a number")).collect()
}

/// Whether a process runs this hidden command of the tracer.
pub(crate) fn is_running(pid: u32, command: &str) -> bool {
    let arguments = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split('\0').any(|argument| argument == command)
}

/// The launcher of a tracer.
pub(crate) fn launcher_of(tracer: &Tracer) -> u32 {
    let mut launchers = children(tracer.id()).into_iter();
    launchers.find(|pid| is_running(*pid, "__launch-inspection")).expect("it is a child")
}

/// The worker that a launcher has, once it has one that is not `other`.
pub(crate) fn worker_of(launcher: u32, other: Option<u32>) -> u32 {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let mut workers = children(launcher).into_iter();
        if let Some(pid) = workers.find(|pid| is_running(*pid, "__inspect") && Some(*pid) != other)
        {
            return pid;
        }
        assert!(Instant::now() < deadline, "there is no worker");
        thread::sleep(Duration::from_millis(20));
    }
}
