//! The processes that the user named, and their descendants if requested.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tracer_core::ProcessKey;

use tracer_inspect::process::{
    identity::{self, TICK_NS},
    selection,
};

/// Processes, identified by pid and start time. A descendant stays in the set until it exits, even
/// if its parent exits first.
#[derive(Clone, Debug)]
pub(crate) struct TargetProcesses {
    /// Start times by pid, in clock ticks since boot (`/proc/PID/stat`, field 22).
    members: BTreeMap<u32, u64>,
    with_descendants: bool,
}

impl TargetProcesses {
    /// The processes with these pids.
    ///
    /// # Errors
    /// One of them does not exist, or cannot be read.
    pub(crate) fn found(pids: &BTreeSet<u32>, with_descendants: bool) -> Result<Self> {
        let members = pids.iter().map(|pid| Ok((*pid, selection::check(*pid)?)));
        let mut targets = Self { members: members.collect::<Result<_>>()?, with_descendants };
        targets.refresh();
        Ok(targets)
    }

    /// Adds new descendants and removes processes that have exited.
    pub(crate) fn refresh(&mut self) {
        self.members.retain(|pid, started| identity::started(*pid) == Some(*started));
        if self.with_descendants {
            selection::add_descendants(&mut self.members);
        }
    }

    pub(crate) fn contains(&self, key: ProcessKey) -> bool {
        self.members.get(&key.pid) == Some(&(key.start_time_ns / TICK_NS))
    }

    /// Start times by pid, in clock ticks since boot.
    pub(crate) const fn members(&self) -> &BTreeMap<u32, u64> {
        &self.members
    }

    pub(crate) fn pids(&self) -> Vec<u32> {
        self.members.keys().copied().collect()
    }

    /// Whether all target processes have exited.
    pub(crate) fn have_exited(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

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
