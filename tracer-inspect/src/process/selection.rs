//! Checks that the processes, names, cgroups and containers that a user selected exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
};

use anyhow::{Result, anyhow, bail};
use procfs::{
    ProcError,
    process::{Process, Stat, all_processes},
};

use super::{
    cgroup::{container_of, is_in_cgroup},
    identity::started,
    stat::{exists, has_ended, look_up, read, status_field},
};

/// Start time of a process, in clock ticks since boot.
///
/// # Errors
/// The process does not exist, is a thread, or cannot be read; the message says what to do.
pub fn check(pid: u32) -> Result<u64> {
    let gone = || anyhow!("there is no process {pid}; find the pid with pgrep -a NAME");
    match look_up(pid) {
        Ok(_) => match status_field(pid, "Tgid:") {
            Some(process) if process != pid => {
                bail!("{pid} is a thread of process {process}; use --pid {process}")
            }
            _ => started(pid).ok_or_else(gone),
        },
        Err(ProcError::NotFound(_)) if !exists(pid) => Err(gone()),
        Err(error) if is_denied(&error) || matches!(error, ProcError::NotFound(_)) => {
            bail!("cannot read /proc/{pid}; run as root, or remount /proc without hidepid")
        }
        Err(error) => bail!("cannot read /proc/{pid}: {error}"),
    }
}

/// Checks that at least one process has each of these names (`/proc/PID/comm`).
///
/// # Errors
/// Names the first name that no process has.
pub fn check_names(names: &BTreeSet<String>) -> Result<()> {
    let comm = |process: Process| read(process.pid.unsigned_abs(), "comm").ok();
    let all: BTreeSet<String> =
        all_processes().into_iter().flatten().flatten().filter_map(comm).collect();
    for name in names {
        if !all.contains(&format!("{name}\n")) {
            bail!("no process is named {name}; names are those in /proc/PID/comm");
        }
    }
    Ok(())
}

/// Checks that at least one process is in the cgroup; if none is, its path is probably misspelled.
///
/// # Errors
/// No process is in it; the message says where to find the path.
pub fn check_cgroup(path: &str) -> Result<()> {
    if all_pids().any(|pid| is_in_cgroup(pid, path)) {
        return Ok(());
    }
    bail!("no process is in the cgroup {path}; paths are those in /proc/PID/cgroup")
}

/// Checks that exactly one container with a running process has an id with this prefix.
///
/// # Errors
/// There is none, or more than one; the message says what to do.
pub fn check_container(prefix: &str) -> Result<()> {
    let ids: BTreeSet<String> =
        all_pids().filter_map(container_of).filter(|id| id.starts_with(prefix)).collect();
    match ids.len() {
        0 => bail!(
            "no process is in a container {prefix}; the ID is in /proc/PID/cgroup of each process \
             of a container"
        ),
        1 => Ok(()),
        count => bail!("{count} containers begin with {prefix}; give more digits"),
    }
}

/// Processes and their descendants.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// The members that are running: start times in clock ticks since boot (`starttime` in `/proc/PID/stat`) by pid.
    pub members: BTreeMap<u32, u64>,
    /// The start times of the leaders of sessions and process groups whose leader is or was a
    /// member, by the leader's pid. A session contains only descendants of its leader, and a
    /// process group hardly anything else (setsid(2), setpgid(2)).
    leaders: BTreeMap<u32, u64>,
}

/// What `/proc/PID/stat` says about the relations of a process.
#[derive(Clone, Copy, Debug)]
struct Relations {
    pid: u32,
    parent: u32,
    session: u32,
    group: u32,
    started: u64,
}

impl Family {
    /// A family of these processes alone.
    pub const fn of(members: BTreeMap<u32, u64>) -> Self {
        Self { members, leaders: BTreeMap::new() }
    }

    /// Adds all descendants. A process whose parent has ended belongs to another parent, so a
    /// descendant that was not seen before is recognized by its session or process group.
    pub fn add_descendants(&mut self) {
        self.add(all_relations());
    }

    /// Adds the descendants of each family to it. The processes of the host are read once.
    pub fn add_descendants_of_each(families: &mut [Self]) {
        if !families.is_empty() {
            let relations = all_relations();
            for family in families {
                family.add(relations.clone());
            }
        }
    }

    fn add(&mut self, mut others: Vec<Relations>) {
        let in_use: BTreeSet<u32> = others.iter().flat_map(|it| [it.session, it.group]).collect();
        let sessions: BTreeMap<u32, u32> = others.iter().map(|it| (it.pid, it.session)).collect();
        self.leaders.retain(|leader, _| in_use.contains(leader));
        loop {
            let found = others.extract_if(.., |other| self.includes(other, &sessions));
            let found: Vec<Relations> = found.collect();
            if found.is_empty() {
                return;
            }
            for Relations { pid, session, group, started, .. } in found {
                self.members.insert(pid, started);
                if [session, group].contains(&pid) {
                    self.leaders.insert(pid, started);
                }
            }
        }
    }

    /// Whether a process is a member or a descendant of one. `sessions` are those of all processes.
    fn includes(&self, process: &Relations, sessions: &BTreeMap<u32, u32>) -> bool {
        let is_led = |leader| self.leaders.get(&leader).is_some_and(|it| *it <= process.started);
        // A shell may put several of its children into the group of one. Then it is in the same
        // session, while a process that has adopted an orphan is not.
        let is_orphan = sessions.get(&process.parent) != Some(&process.session);
        self.members.get(&process.pid) == Some(&process.started)
            || self.members.contains_key(&process.parent)
            || is_led(process.session)
            || is_orphan && is_led(process.group)
    }
}

/// The relations of all processes that are running.
fn all_relations() -> Vec<Relations> {
    let processes = all_processes().into_iter().flatten().flatten();
    let relations = processes.filter_map(|process| {
        let (process, stat) = look_up(process.pid.unsigned_abs()).ok()?;
        (!has_ended(&process, &stat)).then(|| Relations::of(&stat))?
    });
    relations.collect()
}

impl Relations {
    fn of(stat: &Stat) -> Option<Self> {
        Some(Self {
            pid: u32::try_from(stat.pid).ok()?,
            parent: u32::try_from(stat.ppid).ok()?,
            // -1 or 0: none that is visible here.
            session: u32::try_from(stat.session).unwrap_or(0),
            group: u32::try_from(stat.pgrp).unwrap_or(0),
            started: stat.starttime,
        })
    }
}

fn all_pids() -> impl Iterator<Item = u32> {
    let processes = all_processes().into_iter().flatten().flatten();
    processes.filter_map(|process| u32::try_from(process.pid).ok())
}

fn is_denied(error: &ProcError) -> bool {
    match error {
        ProcError::PermissionDenied(_) => true,
        ProcError::Io(error, _) => error.kind() == ErrorKind::PermissionDenied,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pid, parent, session and process group of each; those with greater pids started later.
    fn members(family: &mut Family, processes: &[[u32; 4]]) -> Vec<u32> {
        let relations = |&[pid, parent, session, group]: &[u32; 4]| Relations {
            pid,
            parent,
            session,
            group,
            started: pid.into(),
        };
        family.members.retain(|pid, _| processes.iter().any(|it| it[0] == *pid));
        family.add(processes.iter().map(relations).collect());
        family.members.keys().copied().collect()
    }

    const INIT: [u32; 4] = [1, 0, 1, 1];
    const SHELL: [u32; 4] = [50, 1, 50, 50];

    fn family() -> Family {
        Family::of([(100, 100)].into())
    }

    #[test]
    fn descendants_stay_when_their_parents_end() {
        let mut family = family();
        let before = [INIT, SHELL, [100, 50, 50, 100], [101, 100, 50, 100], [102, 101, 102, 102]];
        assert_eq!(members(&mut family, &before), [100, 101, 102]);
        assert_eq!(members(&mut family, &[INIT, SHELL, [102, 1, 102, 102]]), [102]);
        let after = [INIT, SHELL, [103, 102, 102, 102], [102, 1, 102, 102]];
        assert_eq!(members(&mut family, &after), [102, 103]);
    }

    #[test]
    fn an_orphan_that_was_not_seen_before_is_known_by_its_group_or_session() {
        let mut family = family();
        assert_eq!(members(&mut family, &[INIT, SHELL, [100, 50, 50, 100]]), [100]);
        assert_eq!(members(&mut family, &[INIT, SHELL, [101, 1, 50, 100]]), [101]);
        // The member that was known by this group has ended too.
        assert_eq!(members(&mut family, &[INIT, SHELL, [102, 1, 50, 100]]), [102]);

        let mut family = Family::of([(100, 100)].into());
        assert_eq!(members(&mut family, &[INIT, [100, 1, 100, 100]]), [100]);
        assert_eq!(members(&mut family, &[INIT, [101, 1, 100, 101]]), [101]);
    }

    #[test]
    fn other_processes_are_not_descendants() {
        let mut family = family();
        let others = [
            // In the same pipeline, another job of the shell, and other sessions.
            [101, 50, 50, 100],
            [102, 50, 50, 102],
            [103, 1, 50, 102],
            [104, 1, 104, 104],
        ];
        let all = [&[INIT, SHELL, [100, 50, 50, 100]][..], &others].concat();
        assert_eq!(members(&mut family, &all), [100]);
        assert_eq!(members(&mut family, &[&[INIT, SHELL][..], &others].concat()), [0; 0]);
        // The pid of the leader was reused after the group was gone.
        assert_eq!(members(&mut family, &[INIT, SHELL]), [0; 0]);
        assert_eq!(members(&mut family, &[INIT, SHELL, [100, 1, 100, 100]]), [0; 0]);
        assert_eq!(members(&mut family, &[INIT, SHELL, [99, 1, 50, 100]]), [0; 0]);
    }
}
