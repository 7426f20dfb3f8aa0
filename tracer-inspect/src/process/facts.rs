//! Facts about a process for reports, from `/proc`: its program, user, container and fd limit.

mod cache;

use std::fs;

pub(crate) use cache::FactsCache;
use procfs::{
    ProcResult, ProcessCGroup,
    process::{ProcState, Stat},
};
use tracer_core::{Comm, ProcessFacts, ProcessKey};

use super::{
    cgroup::{cgroups, is_frozen},
    container::container,
    identity::TICK_NS,
    script::{cmdline, script},
    stat::{has_ended, innermost_pid, look_up, read, status_field},
};

/// `PF_FORKNOEXEC` of `include/linux/sched.h`, in the flags of `/proc/PID/stat`.
const FORKED_ONLY: u32 = 0x40;

/// `PF_KTHREAD` of `include/linux/sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// What was read about a process.
#[derive(Clone, Debug)]
struct Reading {
    facts: ProcessFacts,
    /// The cgroups of the process, in which the freezer may stop it.
    cgroups: Vec<ProcessCGroup>,
    image: Image,
}

/// A value from `/proc/PID/stat` that changes when a process executes another program: its name,
/// and the addresses of its code, its stack and its arguments, which are random.
/// Without the privilege to trace the process, the addresses are 0 and only the name can change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Image {
    comm: String,
    forked_only: bool,
    start_code: u64,
    start_stack: u64,
    arguments: Option<u64>,
}

impl Image {
    fn of(stat: &Stat) -> Self {
        Self {
            comm: stat.comm.clone(),
            forked_only: stat.flags & FORKED_ONLY != 0,
            start_code: stat.startcode,
            start_stack: stat.startstack,
            arguments: stat.arg_start,
        }
    }
}

/// Whether the command line, which is in the memory of the process, is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// It is.
    Read,
    /// It is not: a worker may have failed on it.
    NotRead,
}

/// Reads everything. `None` if the pid has been reused by another process. Fields that this user
/// may not read, or that a kernel thread does not have, are `None`.
fn read_all(key: ProcessKey, memory: Memory, with_cmdline: bool) -> ProcResult<Option<Reading>> {
    let (process, stat) = look_up(key.pid)?;
    if !is_of(key, &stat) {
        return Ok(None);
    }
    let cgroups = cgroups(&process);
    let is_read = memory == Memory::Read;
    let cmdline = || {
        let bytes = cmdline(key.pid).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches('\0').replace('\0', " "))
    };
    let exe = process.exe().ok().map(|path| path.to_string_lossy().into_owned());
    let facts = ProcessFacts {
        key,
        script: exe.as_deref().filter(|_| is_read).and_then(|exe| script(key.pid, exe)),
        exe,
        cmdline: if with_cmdline && is_read { cmdline() } else { None },
        uid: status_field(key.pid, "Uid:"),
        container: cgroups.iter().find_map(|group| container(&group.pathname)),
        inner_pid: innermost_pid(key.pid).filter(|pid| *pid != key.pid),
        open_fds: open_fds(key.pid),
        fd_limit: read(key.pid, "limits").ok().and_then(|limits| fd_limit(&limits)),
        stopped: is_stopped(&stat) || cgroups.iter().any(is_frozen),
        has_executed: Some(stat.flags & FORKED_ONLY == 0),
    };
    Ok(Some(Reading { facts, cgroups, image: Image::of(&stat) }))
}

fn is_of(key: ProcessKey, stat: &Stat) -> bool {
    stat.starttime == key.start_time_ns / TICK_NS
}

/// Whether the process is stopped by a signal or a debugger.
fn is_stopped(stat: &Stat) -> bool {
    matches!(stat.state(), Ok(ProcState::Stopped | ProcState::Tracing))
}

/// A process that may hold file descriptors, and its name; `None` if it has exited or is a kernel
/// thread.
pub fn holder(pid: u32) -> Option<(ProcessKey, Comm)> {
    let (process, stat) = look_up(pid).ok()?;
    let key = ProcessKey { start_time_ns: stat.starttime.saturating_mul(TICK_NS), pid };
    (!has_ended(&process, &stat) && stat.flags & KERNEL_THREAD == 0)
        .then_some((key, Comm(stat.comm.into())))
}

/// The soft limit of open files in `/proc/PID/limits`; `None` if it is unlimited or missing. Parsed
/// here because `procfs` panics on truncated input.
pub fn fd_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Number of open file descriptors of a process.
fn open_fds(pid: u32) -> Option<u64> {
    let path = format!("/proc/{pid}/fd");
    // Since Linux 6.2 the size of the directory is the number of entries.
    match fs::metadata(&path).ok()?.len() {
        // An older kernel, or a process whose main thread has exited: its directory is empty.
        0 => {
            let count = fs::read_dir(path).ok().map(|entries| entries.count() as u64);
            count.filter(|count| *count > 0)
        }
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use tracer_core::Input;

    use super::*;
    use crate::process::identity::started;

    #[test]
    fn a_program_has_executed_and_a_fork_has_not() {
        let has_executed = |pid| {
            let start_time_ns = started(pid).unwrap() * TICK_NS;
            match FactsCache::new(false).answer(ProcessKey { start_time_ns, pid }, Memory::Read) {
                Some(Input::Process(facts)) => facts.has_executed,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(has_executed(std::process::id()), Some(true));
        // SAFETY: the child calls only `pause` and `_exit`, which are safe after a fork of a
        // multi-threaded process.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::pause();
                libc::_exit(0);
            }
            child
        };
        let answer = has_executed(u32::try_from(child).unwrap());
        // SAFETY: the child is ours and has not been waited for yet; the status pointer may be
        // null.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        assert_eq!(answer, Some(false));
    }

    #[test]
    fn without_memory_the_command_line_is_unknown_and_the_rest_is_not() {
        let pid = std::process::id();
        let key = ProcessKey { start_time_ns: started(pid).unwrap() * TICK_NS, pid };
        let facts = |memory| match FactsCache::new(true).answer(key, memory) {
            Some(Input::Process(facts)) => facts,
            other => panic!("{other:?}"),
        };
        let (all, without) = (facts(Memory::Read), facts(Memory::NotRead));
        assert!(all.cmdline.is_some() && all.exe.is_some());
        let open_fds = without.open_fds;
        assert_eq!(without, ProcessFacts { cmdline: None, script: None, open_fds, ..all });
    }

    #[test]
    fn the_limit_of_open_files_is_the_soft_one() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            20000                524288               files\n";
        assert_eq!(fd_limit(limits), Some(20_000));
        assert_eq!(fd_limit(&limits.replace("20000", "unlimited")), None);
        assert_eq!((fd_limit("Max open files"), fd_limit("Lim"), fd_limit("")), (None, None, None));
    }

    #[test]
    fn a_pid_that_was_reused_is_another_process() {
        let key = ProcessKey { start_time_ns: 1, pid: std::process::id() };
        assert_eq!(FactsCache::new(false).answer(key, Memory::Read), None);
    }
}
