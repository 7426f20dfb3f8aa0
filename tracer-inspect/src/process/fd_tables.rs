//! The file descriptor tables of a process.

use std::{fs, io};

/// Maximum number of threads compared.
const THREADS_MAX: usize = 4_096;
/// `include/uapi/linux/kcmp.h`: compares the file descriptor tables of two tasks.
const KCMP_FILES: libc::c_long = 2;

/// Whether the file descriptors of a process can be read, which takes the privilege to trace it.
pub fn is_readable(pid: u32) -> bool {
    fs::read_dir(format!("/proc/{pid}/fd")).is_ok()
}

/// Whether all threads of a process share the file descriptor table that `/proc/PID/fd` shows.
/// `false` if that is unknown. A thread can have its own table (`unshare`, `clone`), and a main
/// thread that has exited has none.
pub fn is_shared_by_all_threads(pid: u32) -> bool {
    let Ok(threads) = threads(pid) else { return false };
    threads.len() <= THREADS_MAX
        && threads
            .into_iter()
            .filter(|thread| *thread != pid)
            .all(|thread| shares_table(pid, thread))
}

/// The thread ids; at most one more than [`THREADS_MAX`].
fn threads(pid: u32) -> io::Result<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"))?.take(THREADS_MAX + 1);
    let numbers = entries.map(|entry| {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        number.ok_or_else(|| io::Error::other("a thread id is not a number"))
    });
    numbers.collect()
}

/// Whether a thread shares the table of its process. A thread that has exited counts as sharing:
/// its own table, if it had one, is gone.
fn shares_table(pid: u32, thread: u32) -> bool {
    let [pid, thread] = [pid, thread].map(libc::c_long::from);
    // SAFETY: for `KCMP_FILES` all arguments are plain numbers.
    let result = unsafe { libc::syscall(libc::SYS_kcmp, pid, thread, KCMP_FILES, 0, 0) };
    result == 0 || result < 0 && io::Error::last_os_error().raw_os_error() == Some(libc::ESRCH)
}

#[cfg(test)]
mod tests;
