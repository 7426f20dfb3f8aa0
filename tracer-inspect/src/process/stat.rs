//! `/proc/PID/stat` and `/proc/PID/status`, read so that nothing that a process puts into them is an error.

use std::{fs, io};

use procfs::{
    FromRead as _, ProcError, ProcResult,
    process::{ProcState, Process, Stat, Task},
};
use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};

/// A process and its `stat`. Names in it are bytes that somebody chose and need not be UTF-8,
/// which `procfs` would refuse.
pub(super) fn look_up(pid: u32) -> ProcResult<(Process, Stat)> {
    let process = Process::new(i32::try_from(pid).map_err(|_| ProcError::NotFound(None))?)?;
    let stat = parse_stat(&read(pid, "stat")?)?;
    Ok((process, stat))
}

/// The text of `/proc/PID/stat`. Without a name in parentheses, with something before and after,
/// `procfs` panics.
///
/// # Errors
/// It is not whole.
pub fn parse_stat(text: &str) -> ProcResult<Stat> {
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
pub(super) fn read(pid: u32, file: &str) -> io::Result<String> {
    Ok(String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{file}"))?).into_owned())
}

/// The first number of a line of `/proc/PID/status`.
pub(super) fn status_field(pid: u32, name: &str) -> Option<u32> {
    status_numbers(pid, name)?.first().copied()
}

fn status_numbers(pid: u32, name: &str) -> Option<Vec<u32>> {
    let status = read(pid, "status").ok()?;
    let numbers = status.lines().find_map(|line| line.strip_prefix(name))?;
    numbers.split_whitespace().map(|number| number.parse().ok()).collect()
}

/// The process as it knows itself: its number in the innermost pid namespace. Kernels before 4.1 do
/// not tell.
pub fn innermost_pid(pid: u32) -> Option<u32> {
    status_numbers(pid, "NStgid:")?.last().copied()
}

pub(super) fn has_ended(process: &Process, stat: &Stat) -> bool {
    let is_over = |state: ProcState| matches!(state, ProcState::Zombie | ProcState::Dead);
    let runs = |task: Task| {
        let stat = read(stat.pid.unsigned_abs(), &format!("task/{}/stat", task.tid));
        let stat = stat.ok().and_then(|text| parse_stat(&text).ok());
        stat.and_then(|stat| stat.state().ok()).is_some_and(|state| !is_over(state))
    };
    stat.state().is_ok_and(is_over) && !process.tasks().into_iter().flatten().flatten().any(runs)
}

/// The process is there, although `/proc` may hide it (`hidepid`).
pub(super) fn exists(pid: u32) -> bool {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return false };
    matches!(test_kill_process(pid), Ok(()) | Err(Errno::PERM))
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn this_process_knows_its_number() {
        assert_eq!(innermost_pid(std::process::id()), Some(std::process::id()));
    }
}
