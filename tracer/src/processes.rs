//! What `/proc` says of processes. Read-only, and only of the processes that are asked for.

mod container;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
};

use anyhow::{Context as _, Result, anyhow, bail};
use procfs::{
    FromRead as _, ProcError, ProcResult, ProcessCGroup,
    process::{ProcState, Process, Stat, Task, all_processes},
};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use tracer_core::{Comm, Input, ProcessFacts, ProcessKey};

use container::container;

/// Clock ticks a second in `/proc/PID/stat`: `USER_HZ`, 100 on every architecture of Linux that
/// has eBPF.
pub(crate) const TICK_NS: u64 = 10_000_000;

/// `PF_FORKNOEXEC` of `include/linux/sched.h`, in the flags of `/proc/PID/stat`.
const FORKED_ONLY: u32 = 0x40;
/// `PF_KTHREAD`, there too.
const KERNEL_THREAD: u32 = 0x0020_0000;

/// The answer to a question about a process; `None` if it is gone.
pub(crate) fn answer(key: ProcessKey, with_cmdline: bool) -> Option<Input> {
    match facts(key, with_cmdline) {
        Ok(facts) => facts.map(Input::Process),
        Err(ProcError::NotFound(_)) if !exists(key.pid) => None,
        Err(error) => {
            log::debug!("process {}: {error}", key.pid);
            Some(Input::ProcessUnreadable(key))
        }
    }
}

/// `None` if the pid belongs to a later process by now. What may be kept from this user, or is not
/// there for a kernel thread, is left out.
fn facts(key: ProcessKey, with_cmdline: bool) -> ProcResult<Option<ProcessFacts>> {
    let (process, stat) = look_up(key.pid)?;
    if stat.starttime != key.start_time_ns / TICK_NS {
        return Ok(None);
    }
    let cgroups = cgroups(&process);
    let state = stat.state().ok();
    let cmdline =
        || read(key.pid, "cmdline").ok().map(|text| text.trim_end_matches('\0').replace('\0', " "));
    Ok(Some(ProcessFacts {
        key,
        exe: process.exe().ok().map(|path| path.to_string_lossy().into_owned()),
        cmdline: if with_cmdline { cmdline() } else { None },
        uid: status_field(key.pid, "Uid:"),
        container: cgroups.iter().find_map(|group| container(&group.pathname)),
        inner_pid: innermost_pid(key.pid).filter(|pid| *pid != key.pid),
        open_fds: open_fds(key.pid),
        fd_limit: read(key.pid, "limits").ok().and_then(|limits| fd_limit(&limits)),
        stopped: matches!(state, Some(ProcState::Stopped | ProcState::Tracing))
            || cgroups.iter().any(is_frozen),
        has_executed: Some(stat.flags & FORKED_ONLY == 0),
    }))
}

/// A process that may have descriptors, and its name; `None` if it has ended, or is a thread of the
/// kernel's.
pub(crate) fn holder(pid: u32) -> Option<(ProcessKey, Comm)> {
    let (process, stat) = look_up(pid).ok()?;
    let key = ProcessKey { start_time_ns: stat.starttime.saturating_mul(TICK_NS), pid };
    (!has_ended(&process, &stat) && stat.flags & KERNEL_THREAD == 0)
        .then_some((key, Comm(stat.comm.into())))
}

/// The soft limit of open files in `/proc/PID/limits`; `None` if it is unlimited, or not there:
/// `procfs` panics at what is cut short.
fn fd_limit(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// The process is there, although `/proc` may hide it (`hidepid`).
fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

/// How many descriptors a process has open.
fn open_fds(pid: u32) -> Option<u64> {
    let path = format!("/proc/{pid}/fd");
    // From Linux 6.2 on the size of the directory is how many there are.
    match fs::metadata(&path).ok()?.len() {
        // None are seen of a process whose main thread has ended.
        0 => {
            let count = fs::read_dir(path).ok().map(|entries| entries.count() as u64);
            count.filter(|count| *count > 0)
        }
        count => Some(count),
    }
}

/// A process and its `stat`. Names in it are bytes that somebody chose and need not be UTF-8,
/// which `procfs` would refuse.
fn look_up(pid: u32) -> ProcResult<(Process, Stat)> {
    let process = Process::new(i32::try_from(pid).map_err(|_| ProcError::NotFound(None))?)?;
    let stat = parse_stat(&read(pid, "stat")?)?;
    Ok((process, stat))
}

/// `/proc/PID/stat`. Without a name in parentheses, with something before and after, `procfs`
/// panics.
fn parse_stat(text: &str) -> ProcResult<Stat> {
    let text = text.trim();
    let has_name = text.find(" (").zip(text.rfind(") ")).is_some_and(|(start, end)| {
        text.find('(') == Some(start + 1) && text.rfind(')') == Some(end) && start + 1 < end
    });
    if !has_name {
        return Err(ProcError::Other("/proc/PID/stat is not whole".to_owned()));
    }
    Stat::from_read(text.as_bytes())
}

/// A file of a process, with what is no UTF-8 replaced.
fn read(pid: u32, file: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{file}"))?).into_owned())
}

/// The first number of a line of `/proc/PID/status`.
fn status_field(pid: u32, name: &str) -> Option<u32> {
    status_numbers(pid, name)?.first().copied()
}

fn status_numbers(pid: u32, name: &str) -> Option<Vec<u32>> {
    let status = read(pid, "status").ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix(name))?;
    numbers.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// The process as it knows itself: its number in the innermost pid namespace. Kernels before 4.1 do
/// not tell.
pub(crate) fn innermost_pid(pid: u32) -> Option<u32> {
    status_numbers(pid, "NStgid:")?.last().copied()
}

/// The process's place in each cgroup hierarchy.
fn cgroups(process: &Process) -> Vec<ProcessCGroup> {
    process.cgroups().map(|groups| groups.0).unwrap_or_default()
}

/// The freezer holds this cgroup, or one above it: `docker pause`, or `systemctl freeze`.
fn is_frozen(group: &ProcessCGroup) -> bool {
    let path = group.pathname.trim_start_matches('/');
    let read = |root: &str, file: &str| fs::read_to_string(format!("{root}/{path}/{file}"));
    if group.hierarchy == 0 {
        return ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].into_iter().any(|root| {
            read(root, "cgroup.events")
                .is_ok_and(|events| events.lines().any(|line| line == "frozen 1"))
        });
    }
    group.controllers.iter().any(|controller| controller == "freezer")
        && read("/sys/fs/cgroup/freezer", "freezer.state")
            .is_ok_and(|state| state.trim_end() != "THAWED")
}

/// The process is in this cgroup or in one below it, in some hierarchy.
pub(crate) fn is_in_cgroup(pid: u32, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    cgroups_of(pid).iter().any(|group| {
        group
            .pathname
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// The process is in a container whose id begins like this.
pub(crate) fn is_in_container(pid: u32, beginning: &str) -> bool {
    container_of(pid).is_some_and(|id| id.starts_with(beginning))
}

fn container_of(pid: u32) -> Option<String> {
    cgroups_of(pid).iter().find_map(|group| Some(container(&group.pathname)?.id))
}

fn cgroups_of(pid: u32) -> Vec<ProcessCGroup> {
    let process = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok());
    process.map(|process| cgroups(&process)).unwrap_or_default()
}

fn all_pids() -> impl Iterator<Item = u32> {
    let processes = all_processes().into_iter().flatten().flatten();
    processes.filter_map(|process| u32::try_from(process.pid).ok())
}

/// Refuses a cgroup that no process is in: most likely it is misspelt.
///
/// # Errors
/// One that names the cgroup and what to do.
pub(crate) fn check_cgroup(path: &str) -> Result<()> {
    if all_pids().any(|pid| is_in_cgroup(pid, path)) {
        return Ok(());
    }
    bail!("no process is in the cgroup {path}: /proc/PID/cgroup shows a process's own")
}

/// Refuses the beginning of an id that is not that of one container, in which some process runs.
///
/// # Errors
/// One that names it and what to do.
pub(crate) fn check_container(beginning: &str) -> Result<()> {
    let ids: BTreeSet<String> =
        all_pids().filter_map(container_of).filter(|id| id.starts_with(beginning)).collect();
    match ids.len() {
        0 => bail!(
            "no process is in a container {beginning}: its 64 digits are in /proc/PID/cgroup of \
             each of its processes"
        ),
        1 => Ok(()),
        count => bail!("{count} containers begin with {beginning}: give more digits"),
    }
}

/// When a process started, in clock ticks since boot; `None` if it has ended. One whose main
/// thread has exited runs as long as another thread does.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let (process, stat) = look_up(pid).ok()?;
    (!has_ended(&process, &stat)).then_some(stat.starttime)
}

/// The process runs, and its pid has not become another one's.
pub(crate) fn is_running(process: ProcessKey) -> bool {
    started(process.pid) == Some(process.start_time_ns / TICK_NS)
}

fn has_ended(process: &Process, stat: &Stat) -> bool {
    let is_over = |state: ProcState| matches!(state, ProcState::Zombie | ProcState::Dead);
    let runs = |task: Task| {
        let stat = read(stat.pid.unsigned_abs(), &format!("task/{}/stat", task.tid));
        let stat = stat.ok().and_then(|text| parse_stat(&text).ok());
        stat.and_then(|stat| stat.state().ok()).is_some_and(|state| !is_over(state))
    };
    stat.state().is_ok_and(is_over) && !process.tasks().into_iter().flatten().flatten().any(runs)
}

/// Adds all descendants of these processes, with when they started.
pub(crate) fn adopt_descendants(family: &mut BTreeMap<u32, u64>) {
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
            others.extract_if(.., |(_, parent, _)| family.contains_key(parent)).collect();
        if children.is_empty() {
            return;
        }
        family.extend(children.into_iter().map(|(pid, _, started)| (pid, started)));
    }
}

/// When the process started, in clock ticks since boot.
///
/// # Errors
/// One line that names the pid, why it cannot be watched, and what to do.
pub(crate) fn check(pid: u32) -> Result<u64> {
    let gone = || anyhow!("there is no process {pid}: look it up with `pgrep -a NAME`");
    match look_up(pid) {
        Ok(_) => match status_field(pid, "Tgid:") {
            Some(process) if process != pid => {
                bail!("{pid} is a thread of process {process}: use --pid {process}")
            }
            _ => started(pid).ok_or_else(gone),
        },
        Err(ProcError::NotFound(_)) if !exists(pid) => Err(gone()),
        Err(error) if is_denied(&error) || matches!(error, ProcError::NotFound(_)) => {
            bail!("/proc/{pid} cannot be read: run as root, or remount /proc without hidepid")
        }
        Err(error) => bail!("/proc/{pid} cannot be read: {error}"),
    }
}

/// Refuses names that no process has.
///
/// # Errors
/// One line that names the first such name.
pub(crate) fn check_names(names: &BTreeSet<String>) -> Result<()> {
    let comm = |process: Process| read(process.pid.unsigned_abs(), "comm").ok();
    let all: BTreeSet<String> =
        all_processes().into_iter().flatten().flatten().filter_map(comm).collect();
    for name in names {
        if !all.contains(&format!("{name}\n")) {
            bail!("no process is named {name}: /proc/PID/comm has each one's name");
        }
    }
    Ok(())
}

/// What keeps this process from seeing all of the host by its `/proc`, if anything does.
///
/// # Errors
/// `/proc` is not the one of this process's pid namespace, so it tells of other processes; or the
/// clocks are others than the kernel's.
pub(crate) fn limits_of_proc() -> Result<Option<&'static str>> {
    /// `PROC_PID_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_PID_NAMESPACE: u64 = 0xEFFF_FFFC;
    let own = fs::read_link("/proc/self").context("cannot read /proc: is it mounted?")?;
    if own.to_str().and_then(|pid| pid.parse().ok()) != Some(std::process::id()) {
        bail!("/proc is that of another pid namespace: run `mount -t proc proc /proc` in this one");
    }
    // What the kernel side tells the time by is the clock of the host.
    let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
    if offsets.split_whitespace().filter_map(|word| word.parse().ok()).any(|it: i64| it != 0) {
        bail!(
            "the clocks of this time namespace are not the host's: run it in that, \
             `nsenter --time=/proc/1/ns/time`"
        );
    }
    let namespace = fs::metadata("/proc/self/ns/pid").context("cannot read /proc/self/ns/pid")?;
    let is_inside = namespace.ino() != INITIAL_PID_NAMESPACE;
    Ok(is_inside.then_some("inside a pid namespace: processes outside of it are not seen"))
}

/// Whether this process is in a cgroup namespace of its own, so that paths of cgroups begin there.
///
/// # Errors
/// `/proc` does not say: the kernel has no cgroups.
pub(crate) fn has_own_cgroups() -> Result<bool> {
    /// `PROC_CGROUP_INIT_INO` of `include/linux/proc_ns.h`.
    const INITIAL_CGROUP_NAMESPACE: u64 = 0xEFFF_FFFB;
    let namespace = fs::metadata("/proc/self/ns/cgroup");
    let namespace = namespace.context("cannot read /proc/self/ns/cgroup")?;
    Ok(namespace.ino() != INITIAL_CGROUP_NAMESPACE)
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
    let read = |name| fs::read(format!("/proc/sys/kernel/{name}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim_end().to_owned();
    Ok((text(read("hostname")?), text(read("osrelease")?)))
}

/// Any of the files of a process that are read here.
#[cfg(any(fuzzing, test))]
pub(crate) fn fuzz(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(stat) = parse_stat(&text) {
        let _ = stat.state();
    }
    for group in procfs::ProcessCGroups::from_read(bytes).into_iter().flatten() {
        container(&group.pathname);
    }
    fd_limit(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_has_executed_and_a_fork_has_not() {
        let has_executed = |pid| {
            let start_time_ns = started(pid).unwrap() * TICK_NS;
            match answer(ProcessKey { start_time_ns, pid }, false) {
                Some(Input::Process(facts)) => facts.has_executed,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(has_executed(std::process::id()), Some(true));
        // SAFETY: the child calls nothing but `pause` and `_exit`, which are safe after a fork of
        // a process with threads.
        let child = unsafe {
            let child = libc::fork();
            if child == 0 {
                libc::pause();
                libc::_exit(0);
            }
            child
        };
        let answer = has_executed(u32::try_from(child).unwrap());
        // SAFETY: the child is ours and was not waited for yet; no status is asked for.
        unsafe {
            libc::kill(child, libc::SIGKILL);
            libc::waitpid(child, std::ptr::null_mut(), 0);
        }
        assert_eq!(answer, Some(false));
    }

    #[test]
    fn a_stat_that_is_cut_anywhere_is_an_error() {
        let whole = fs::read_to_string("/proc/self/stat").unwrap();
        assert!(parse_stat(&whole).is_ok());
        assert!(parse_stat(&whole.replacen('(', "(a) (\u{e9}\n", 1)).is_ok());
        let flags = whole.rfind(')').unwrap() + 4;
        for end in 0..flags {
            assert!(parse_stat(&whole[..end]).is_err(), "{end}");
        }
        for text in ["(", ")(", "1 )(", "1 (a)", "1 (a) ", "(a) R 1", ") (", "1 (", "1 )  ("] {
            assert!(parse_stat(text).is_err(), "{text}");
        }
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
    fn this_process_knows_its_number() {
        assert_eq!(innermost_pid(std::process::id()), Some(std::process::id()));
    }

    #[test]
    fn a_pid_that_was_reused_is_another_process() {
        let key = ProcessKey { start_time_ns: 1, pid: std::process::id() };
        assert_eq!(answer(key, false), None);
    }
}
