//! The program of a process, by which processes that run the same program are recognized.

use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use tracer_core::ProcessKey;
use tracer_inspect::process::{identity::is_running, stat::status_field};

use super::exchange::Program;

/// Identifies the program of a process by its path, its mount namespace and its user, all of which
/// come from the kernel: nothing is opened. The user is part of it so that one user cannot affect
/// the inspection of another user's processes, which may run the same interpreter.
pub(super) fn identify(process: ProcessKey) -> Option<Program> {
    let pid = process.pid;
    let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
    let mut hasher = DefaultHasher::new();
    let user = status_field(pid, "Uid:")?;
    (link("exe")?, link("ns/mnt")?, user).hash(&mut hasher);
    is_running(process).then(|| Program { hash: hasher.finish(), user })
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use tracer_inspect::process::identity::{TICK_NS, started};

    use super::*;

    #[test]
    fn two_processes_of_a_program_are_the_same() {
        let start =
            |program: &str| Command::new(program).arg("600").stdout(Stdio::null()).spawn().unwrap();
        let mut children = ["sleep", "sleep"].map(start);
        let key = |pid| ProcessKey { start_time_ns: started(pid).unwrap() * TICK_NS, pid };
        let [first, second] = children.each_ref().map(|child| identify(key(child.id())));
        assert!(first.is_some());
        assert_eq!(first, second);
        assert_ne!(first, identify(key(std::process::id())));
        let ended = ProcessKey { start_time_ns: 1, pid: children[0].id() };
        assert_eq!(identify(ended), None);
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}
