//! The processes that the user named, and their descendants if requested.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tracer_core::{Holder, ProcessKey};

use tracer_inspect::process::{
    facts,
    identity::{self, TICK_NS},
    selection::{self, Family},
};

/// Processes, identified by pid and start time. A descendant stays in the set until it exits, even
/// if its parent exits first.
#[derive(Clone, Debug)]
pub(crate) struct TargetProcesses {
    family: Family,
    /// The pids that the user named.
    named: BTreeSet<u32>,
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
        let mut targets = Self { family, named: pids.clone(), with_descendants };
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

    /// The named processes that are not among `holders`: they have no TCP sockets.
    pub(crate) fn without_sockets(&self, holders: &[Holder]) -> Vec<Holder> {
        let holders: BTreeSet<u32> = holders.iter().map(|holder| holder.key.pid).collect();
        let without = self
            .family
            .members
            .iter()
            .filter(|(pid, _)| self.named.contains(pid) && !holders.contains(pid));
        let keys = without.filter_map(|(pid, _)| facts::holder(*pid));
        keys.map(|(key, comm)| Holder { key, comm, tcp_fds: 0 }).collect()
    }

    /// The processes without TCP sockets that have descendants which are not targets, and the
    /// number of those descendants.
    pub(crate) fn omitted_descendants<'a>(
        &self,
        holders: &'a [Holder],
    ) -> Vec<(&'a Holder, usize)> {
        if self.with_descendants {
            return Vec::new();
        }
        let without: Vec<_> = holders.iter().filter(|holder| holder.tcp_fds == 0).collect();
        let alone = without.iter().map(|holder| {
            let started = holder.key.start_time_ns / TICK_NS;
            Family::of([(holder.key.pid, started)].into())
        });
        let mut families: Vec<Family> = alone.collect();
        Family::add_descendants_of_each(&mut families);
        let omitted = families.iter().map(|family| {
            let pids = family.members.keys();
            pids.filter(|pid| !self.family.members.contains_key(pid)).count()
        });
        without.into_iter().zip(omitted).filter(|(_, omitted)| *omitted > 0).collect()
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

    use tracer_core::Comm;

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
    fn descendants_of_a_target_without_sockets_are_omitted() {
        let child = || Command::new("sleep").arg("600").stdin(Stdio::null()).spawn().unwrap();
        let mut children = [child(), child()];
        let targets = TargetProcesses::found(&me(), false).unwrap();
        // Other tests of this process also have children.
        let without = targets.without_sockets(&[]);
        let omitted = targets.omitted_descendants(&without);
        assert_eq!(omitted.len(), 1);
        assert!(omitted[0].0.key.pid == std::process::id() && omitted[0].1 >= 2, "{omitted:?}");
        let key = ProcessKey { start_time_ns: 0, pid: std::process::id() };
        let holder = Holder { key, comm: Comm::default(), tcp_fds: 1 };
        assert_eq!(targets.without_sockets(std::slice::from_ref(&holder)), []);
        assert_eq!(targets.omitted_descendants(&[holder]), []);
        let targets = TargetProcesses::found(&me(), true).unwrap();
        let without = targets.without_sockets(&[]);
        assert_eq!(without.len(), 1, "not the descendants");
        assert_eq!(targets.omitted_descendants(&without), [], "they are targets");
        let targets = TargetProcesses::found(&[children[0].id()].into(), false).unwrap();
        let without = targets.without_sockets(&[]);
        assert_eq!(without.first().map(|holder| holder.key.pid), Some(children[0].id()));
        assert_eq!(targets.omitted_descendants(&without), [], "it has none");
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
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
