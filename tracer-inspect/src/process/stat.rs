//! Parses `/proc/PID/stat` and `/proc/PID/status`. A process chooses its name, so any bytes are
//! accepted in it.

use std::{
    fs::File,
    io::{self, Read as _},
};

use procfs::{
    FromRead as _, ProcError, ProcResult,
    process::{ProcState, Process, Stat, Task},
};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// A process and its `stat`. Read here, because `procfs` rejects process names that are not UTF-8.
pub(super) fn look_up(pid: u32) -> ProcResult<(Process, Stat)> {
    let process = Process::new(i32::try_from(pid).map_err(|_| ProcError::NotFound(None))?)?;
    let stat = parse_stat(&read(pid, "stat")?)?;
    Ok((process, stat))
}

/// The `stat` of the main thread only (`do_task_stat` in `fs/proc/array.c` with `whole` 0), for
/// which the kernel does not add up the times of all threads. Name, start time and addresses are
/// those of the process.
pub(super) fn main_thread(pid: u32) -> ProcResult<Stat> {
    parse_stat(&read(pid, &format!("task/{pid}/stat"))?)
}

/// Parses the text of `/proc/PID/stat`. `procfs` panics unless there is a name in parentheses with
/// text before and after it, so that is checked first.
///
/// # Errors
/// The text is truncated or malformed.
pub fn parse_stat(text: &str) -> ProcResult<Stat> {
    let text = text.trim();
    let has_name = text.find(" (").zip(text.rfind(") ")).is_some_and(|(start, end)| {
        text.find('(') == Some(start + 1) && text.rfind(')') == Some(end) && start + 1 < end
    });
    if !has_name {
        return Err(ProcError::Other("/proc/PID/stat is truncated".to_owned()));
    }
    Stat::from_read(text.as_bytes())
}

/// Maximum number of bytes read of a file in `/proc/PID`. `status` has a line with up to 65,536
/// groups; `cmdline` is as long as the process wants (`PR_SET_MM_ARG_END`).
const FILE_MAX: u64 = 1 << 20;

/// Reads a file in `/proc/PID`, up to a limit; invalid UTF-8 is replaced.
pub(super) fn read(pid: u32, file: &str) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/{file}"))?.take(FILE_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first number of the line of `/proc/PID/status` that begins with `name`.
pub fn status_field(pid: u32, name: &str) -> Option<u32> {
    status_numbers(pid, name)?.first().copied()
}

fn status_numbers(pid: u32, name: &str) -> Option<Vec<u32>> {
    let status = read(pid, "status").ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix(name))?;
    numbers.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// The pid of a process in its innermost pid namespace (`NStgid`); `None` on kernels before 4.1.
pub fn innermost_pid(pid: u32) -> Option<u32> {
    status_numbers(pid, "NStgid:")?.last().copied()
}

/// Whether the task is a zombie.
pub(super) fn is_dead(stat: &Stat) -> bool {
    matches!(stat.state(), Ok(ProcState::Zombie | ProcState::Dead))
}

/// Whether the main thread of a process is running or waiting for a CPU.
pub fn is_runnable(pid: u32) -> bool {
    main_thread(pid).is_ok_and(|stat| matches!(stat.state(), Ok(ProcState::Running)))
}

/// Whether the process has exited: it is a zombie, and so are all of its threads.
pub(super) fn has_ended(process: &Process, stat: &Stat) -> bool {
    let is_alive = |task: Task| {
        let stat = read(stat.pid.unsigned_abs(), &format!("task/{}/stat", task.tid));
        let stat = stat.ok().and_then(|text| parse_stat(&text).ok());
        stat.is_some_and(|stat| stat.state().is_ok() && !is_dead(&stat))
    };
    is_dead(stat) && !process.tasks().into_iter().flatten().flatten().any(is_alive)
}

/// Whether the process exists, even if `/proc` hides it (`hidepid`).
pub(super) fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_stat_is_an_error() {
        let whole = std::fs::read_to_string("/proc/self/stat").unwrap();
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
    fn the_innermost_pid_of_this_process_is_its_pid() {
        assert_eq!(innermost_pid(std::process::id()), Some(std::process::id()));
    }
}
