//! Whether the numbers of a process's descriptors mean the same to all of its threads.

use std::{fs, io};

/// Most threads of a process that are asked.
const THREADS_MAX: usize = 4_096;
/// Of `include/uapi/linux/kcmp.h`: compares the descriptor tables of two tasks.
const KCMP_FILES: libc::c_long = 2;

/// All threads of the process have the one descriptor table that `/proc/PID/fd` shows. False also
/// where that cannot be told: a thread may have a table of its own (`unshare`, `clone`), and a main
/// thread that has ended has none.
pub fn is_one(pid: u32) -> bool {
    let Ok(threads) = threads(pid) else { return false };
    threads.len() <= THREADS_MAX
        && threads.into_iter().filter(|thread| *thread != pid).all(|thread| share(pid, thread))
}

/// One more than are asked, if there are so many.
fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?.take(THREADS_MAX + 1);
    let numbers = entries.map(|entry| {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        number.ok_or_else(|| io::Error::other("a thread without a number"))
    });
    numbers.collect()
}

/// The thread has the process's table, or has ended meanwhile and with it what was its own.
fn share(pid: u32, thread: u32) -> bool {
    let [pid, thread] = [pid, thread].map(libc::c_long::from);
    // SAFETY: for this kind of comparison all arguments are plain numbers.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, pid, thread, KCMP_FILES, 0, 0) };
    result == 0 || result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[cfg(test)]
mod tests;
