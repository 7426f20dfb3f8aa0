//! What `/proc` says of processes. Read-only, and only of the processes that are asked for.

use std::{
    collections::BTreeSet,
    io::{self, ErrorKind},
};

use anyhow::{Result, bail};
use procfs::{
    ProcError, ProcResult,
    process::{LimitValue, ProcState, Process, all_processes},
};
use tracer_core::{Input, ProcessFacts, ProcessKey};

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every architecture of Linux that
/// has eBPF.
const TICK_NS: u64 = 10_000_000;

/// The answer to a question about a process; `None` if it is gone.
pub(crate) fn answer(key: ProcessKey, with_cmdline: bool) -> Option<Input> {
    match facts(key, with_cmdline) {
        Ok(facts) => facts.map(Input::Process),
        Err(ProcError::NotFound(_)) => None,
        Err(error) => {
            log::debug!("process {}: {error}", key.pid);
            Some(Input::ProcessUnreadable(key))
        }
    }
}

/// `None` if the pid belongs to a later process by now.
fn facts(key: ProcessKey, with_cmdline: bool) -> ProcResult<Option<ProcessFacts>> {
    let pid = i32::try_from(key.pid).map_err(|_| ProcError::NotFound(None))?;
    let process = Process::new(pid)?;
    let stat = process.stat()?;
    if stat.starttime != key.start_time_ns / TICK_NS {
        return Ok(None);
    }
    let limit = process.limits()?.max_open_files.soft_limit;
    let state = stat.state().ok();
    let cmdline = if with_cmdline { Some(process.cmdline()?.join(" ")) } else { None };
    Ok(Some(ProcessFacts {
        key,
        exe: process.exe().ok().map(|path| path.to_string_lossy().into_owned()),
        cmdline,
        uid: Some(process.status()?.ruid),
        container: cgroups(&process).iter().find_map(|path| container_id(path)),
        fd_limit: match limit {
            LimitValue::Value(limit) => Some(limit),
            LimitValue::Unlimited => None,
        },
        stopped: matches!(state, Some(ProcState::Stopped | ProcState::Tracing)),
    }))
}

/// The process's paths in all cgroup hierarchies.
fn cgroups(process: &Process) -> Vec<String> {
    let groups = process.cgroups().map(|groups| groups.0).unwrap_or_default();
    groups.into_iter().map(|group| group.pathname).collect()
}

/// A container id is 64 hexadecimal digits somewhere in the cgroup's path, whatever the runtime
/// puts around them: `/docker/ID`, `cri-containerd-ID.scope`.
fn container_id(path: &str) -> Option<String> {
    path.split(|character: char| !character.is_ascii_hexdigit())
        .find(|word| word.len() == 64)
        .map(str::to_owned)
}

/// The process is in this cgroup or in one below it, in some hierarchy.
pub(crate) fn is_in_cgroup(pid: u32, path: &str) -> bool {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else {
        return false;
    };
    let path = path.trim_end_matches('/');
    cgroups(&process).iter().any(|group| {
        group.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Refuses a cgroup that no process is in: most likely it is misspelt.
///
/// # Errors
/// One that names the cgroup and what to do.
pub(crate) fn check_cgroup(path: &str) -> Result<()> {
    let processes = all_processes().into_iter().flatten().flatten();
    let mut pids = processes.filter_map(|process| u32::try_from(process.pid).ok());
    if pids.any(|pid| is_in_cgroup(pid, path)) {
        return Ok(());
    }
    bail!("no process is in the cgroup {path}: /proc/PID/cgroup shows a process's own")
}

/// Which of these run. A zombie holds nothing any more and does not count.
pub(crate) fn running(pids: &BTreeSet<u32>) -> BTreeSet<u32> {
    let runs = |pid: &u32| {
        let stat = i32::try_from(*pid).ok().and_then(|pid| Process::new(pid).ok()?.stat().ok());
        stat.and_then(|stat| stat.state().ok())
            .is_some_and(|state| !matches!(state, ProcState::Zombie | ProcState::Dead))
    };
    pids.iter().copied().filter(runs).collect()
}

/// These processes and their descendants.
pub(crate) fn with_descendants(pids: &BTreeSet<u32>) -> BTreeSet<u32> {
    let stats =
        all_processes().into_iter().flatten().filter_map(|process| process.ok()?.stat().ok());
    let mut pairs: Vec<(u32, u32)> = stats
        .filter_map(|stat| Some((u32::try_from(stat.pid).ok()?, u32::try_from(stat.ppid).ok()?)))
        .collect();
    let mut family = pids.clone();
    loop {
        let before = family.len();
        pairs.retain(|(pid, parent)| {
            !(family.contains(parent) && {
                family.insert(*pid);
                true
            })
        });
        if family.len() == before {
            return family;
        }
    }
}

/// Refuses pids that are no processes.
///
/// # Errors
/// One that names the pid and what to do.
pub(crate) fn check(pids: &BTreeSet<u32>) -> Result<()> {
    for pid in pids {
        let status = i32::try_from(*pid)
            .map_err(|_| ProcError::NotFound(None))
            .and_then(|pid| Process::new(pid)?.status());
        match status {
            Ok(status) if u32::try_from(status.tgid).ok() == Some(*pid) => {}
            Ok(status) => {
                bail!("{pid} is a thread of process {}: use --pid {}", status.tgid, status.tgid)
            }
            Err(ProcError::NotFound(_)) => {
                bail!("there is no process {pid}: look it up with `pgrep -a NAME`")
            }
            Err(error) if is_denied(&error) => {
                bail!("/proc/{pid} cannot be read: run as root, or remount /proc without hidepid")
            }
            Err(error) => bail!("/proc/{pid} cannot be read: {error}"),
        }
    }
    Ok(())
}

fn is_denied(error: &ProcError) -> bool {
    match error {
        ProcError::PermissionDenied(_) => true,
        ProcError::Io(error, _) => error.kind() == ErrorKind::PermissionDenied,
        _ => false,
    }
}

/// Host name and kernel release.
///
/// # Errors
/// If `/proc/sys/kernel` cannot be read.
pub(crate) fn host() -> io::Result<(String, String)> {
    let read = |name| std::fs::read_to_string(format!("/proc/sys/kernel/{name}"));
    Ok((read("hostname")?.trim_end().to_owned(), read("osrelease")?.trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_id_is_found_whatever_surrounds_it() {
        let id = "0123456789abcdef".repeat(4);
        for path in [
            format!("/docker/{id}"),
            format!("/kubepods.slice/cri-containerd-{id}.scope"),
            format!("/machine.slice/libpod-{id}.scope/container"),
        ] {
            assert_eq!(container_id(&path), Some(id.clone()), "{path}");
        }
        assert_eq!(container_id("/system.slice/ssh.service"), None);
        assert_eq!(container_id(&format!("/{id}00")), None);
    }

    #[test]
    fn this_process_runs_and_pid_0_does_not() {
        let me = std::process::id();
        assert_eq!(running(&[0, me].into()), [me].into());
        assert!(check(&[me].into()).is_ok());
        assert!(check(&[0].into()).unwrap_err().to_string().contains("no process 0"));
        assert!(with_descendants(&[1].into()).contains(&1));
    }

    #[test]
    fn a_pid_that_was_reused_is_another_process() {
        let key = ProcessKey { start_time_ns: 1, pid: std::process::id() };
        assert_eq!(answer(key, false), None);
    }
}
