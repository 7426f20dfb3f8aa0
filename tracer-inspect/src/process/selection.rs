//! Checks that the processes, names, cgroups and containers that a user selected exist.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::ErrorKind,
};

use anyhow::{Result, anyhow, bail};
use procfs::{
    ProcError,
    process::{Process, all_processes},
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

/// Adds all descendants of these processes. The map has start times in clock ticks since boot, by
/// pid.
pub fn add_descendants(members: &mut BTreeMap<u32, u64>) {
    let processes = all_processes().into_iter().flatten().flatten();
    let stats = processes.filter_map(|process| {
        let (process, stat) = look_up(process.pid.unsigned_abs()).ok()?;
        (!has_ended(&process, &stat)).then_some(stat)
    });
    let mut others: Vec<(u32, u32, u64)> = stats
        .filter_map(|stat| {
            let (pid, parent) = (u32::try_from(stat.pid).ok()?, u32::try_from(stat.ppid).ok()?);
            Some((pid, parent, stat.starttime))
        })
        .collect();
    loop {
        let children: Vec<_> =
            others.extract_if(.., |(_, parent, _)| members.contains_key(parent)).collect();
        if children.is_empty() {
            return;
        }
        members.extend(children.into_iter().map(|(pid, _, started)| (pid, started)));
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
