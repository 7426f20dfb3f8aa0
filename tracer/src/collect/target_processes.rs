//! The processes that the user named, and their descendants if requested.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tracer_core::ProcessKey;

use tracer_inspect::process::{
    identity::{self, TICK_NS},
    selection::{self, Family},
};

/// Processes, identified by pid and start time. A descendant stays in the set until it exits, even
/// if its parent exits first.
#[derive(Clone, Debug)]
pub(crate) struct TargetProcesses {
    family: Family,
    with_descendants: bool,
}

impl TargetProcesses {
    /// The processes with these pids.
    ///
    /// # Errors
    /// One of them does not exist, or cannot be read.
    pub(crate) fn found(pids: &BTreeSet<u32>, with_descendants: bool) -> Result<Self> {
        let members = pids.iter().map(|pid| Ok((*pid, selection::check(*pid)?)));
        let family = Family::of(members.collect::<Result<_>>()?);
        let mut targets = Self { family, with_descendants };
        targets.refresh();
        Ok(targets)
    }

    /// Adds new descendants and removes processes that have exited.
    pub(crate) fn refresh(&mut self) {
        // First, because the pid of a process that has ended may belong to another one by now.
        self.family.members.retain(|pid, started| identity::started(*pid) == Some(*started));
        if self.with_descendants {
            self.family.add_descendants();
        }
    }

    pub(crate) fn contains(&self, key: ProcessKey) -> bool {
        self.family.members.get(&key.pid) == Some(&(key.start_time_ns / TICK_NS))
    }

    /// Start times by pid, in clock ticks since boot.
    pub(crate) const fn members(&self) -> &BTreeMap<u32, u64> {
        &self.family.members
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.family.members.keys().copied().collect()
    }

    /// Whether all target processes have exited.
    pub(crate) fn have_exited(&self) -> bool {
        self.family.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    use super::*;

    fn me() -> BTreeSet<u32> {
        [std::process::id()].into()
    }

    #[test]
    fn a_child_is_a_target_until_it_ends() {
        let mut child = Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let mut targets = TargetProcesses::found(&me(), true).unwrap();
        assert!(targets.pids().contains(&child.id()));
        assert!(!TargetProcesses::found(&me(), false).unwrap().pids().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        targets.refresh();
        assert!(!targets.pids().contains(&child.id()));
        assert!(!targets.have_exited());
    }

    #[test]
    fn descendants_are_targets_after_the_named_process_has_ended() {
        // A shell of its own session, and one more process whose parents have ended.
        let script = "sleep 600 & echo $!; read line; (sleep 600 & echo $!); exec sleep 0";
        let mut shell = Command::new("setsid")
            .args(["sh", "-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines();
        let mut next_pid = || lines.next().unwrap().unwrap().parse::<u32>().unwrap();
        let first = next_pid();
        let mut targets = TargetProcesses::found(&[shell.id()].into(), true).unwrap();
        let pids = |targets: &TargetProcesses| BTreeSet::from_iter(targets.pids());
        assert_eq!(pids(&targets), [shell.id(), first].into());
        drop(shell.stdin.take());
        let second = next_pid();
        shell.wait().unwrap();
        targets.refresh();
        assert_eq!(pids(&targets), [first, second].into());
        assert!(!targets.have_exited());
        for pid in [first, second] {
            // SAFETY: this only sends a signal.
            unsafe { libc::kill(pid.cast_signed(), libc::SIGKILL) };
        }
        // They are zombies until the process that has adopted them waits for them.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !targets.have_exited() {
            assert!(Instant::now() < deadline, "{targets:?}");
            thread::sleep(Duration::from_millis(5));
            targets.refresh();
        }
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_not_a_target() {
        let targets = TargetProcesses::found(&me(), false).unwrap();
        let started = identity::started(std::process::id()).unwrap();
        let key =
            |ticks: u64| ProcessKey { start_time_ns: ticks * TICK_NS + 3, pid: std::process::id() };
        assert!(targets.contains(key(started)));
        assert!(!targets.contains(key(started + 1)));
    }

    #[test]
    fn a_pid_without_a_process_is_an_error() {
        let error = TargetProcesses::found(&[0].into(), false).unwrap_err();
        assert!(error.to_string().contains("no process 0"));
    }
}
