//! Threads that are blocked in a system call that reads a connection or waits until it is readable,
//! from `/proc/PID/task/TID/syscall`.

pub mod wait_lists;

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::Path,
};

use tracer_core::{Asked, ConnectionId, Limit};

use super::{
    access::{attach_error, file_error},
    auxiliary_vector::is_64_bit,
    socket_link::is_socket,
};
use crate::budget::Budget;
use wait_lists::WaitLists;

/// Maximum number of threads inspected per process.
const THREADS_MAX: usize = 4_096;

/// The connections for which blocked threads are waiting.
#[derive(Debug, Default)]
pub struct BlockedThreads {
    /// Connections for which a thread is blocked in a call that data or a FIN would end.
    pub reading: Vec<ConnectionId>,
    /// Why connections may be missing; `None` if the list is complete.
    pub limit: Option<Limit>,
}

/// Finds the connections that threads of a process are blocked on.
pub fn inspect<'a>(
    pid: u32,
    asked: impl Iterator<Item = &'a Asked>,
    budget: &Budget,
) -> BlockedThreads {
    let mut blocked = BlockedThreads::default();
    let mut wanted: BTreeMap<u32, Asked> = asked.map(|asked| (asked.fd, *asked)).collect();
    if wanted.is_empty() {
        return blocked;
    }
    if let Err(limit) = inspect_threads(pid, &mut wanted, &mut blocked, budget) {
        blocked.limit = Some(limit);
    }
    blocked
}

/// Moves the connections that have a reader from `wanted` to `blocked`.
fn inspect_threads(
    pid: u32,
    wanted: &mut BTreeMap<u32, Asked>,
    blocked: &mut BlockedThreads,
    budget: &Budget,
) -> Result<(), Limit> {
    // `syscall` requires `PTRACE_MODE_ATTACH`, the other files do not.
    let file = |error| Limit::ThreadsUnreadable { error: file_error(&error) };
    let attach = |error| Limit::ThreadsUnreadable { error: attach_error(&error) };
    // The system call numbers below are those of 64-bit programs.
    if !is_64_bit(pid).map_err(file)? {
        blocked.limit = Some(Limit::ThirtyTwoBitProgram);
        return Ok(());
    }
    let mut lists = WaitLists::of(pid, budget).map_err(file)?;
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(file)?;
    for (index, task) in tasks.enumerate() {
        if wanted.is_empty() {
            break;
        }
        if index == THREADS_MAX {
            blocked.limit = Some(Limit::ThreadsTruncated { threads_max: THREADS_MAX });
            break;
        }
        let task = task.map_err(file)?.path();
        let syscall = task.join("syscall");
        let Some(call) = read_call(&syscall).map_err(attach)? else { continue };
        let fds = call.waits_for(wanted, &mut lists);
        // The lists in memory belong to this call only if it has not returned in the meantime.
        if fds.is_empty() || read_call(&syscall).map_err(attach)? != Some(call) {
            continue;
        }
        for fd in fds {
            // A thread can have its own file descriptor table.
            let link = task.join(format!("fd/{fd}"));
            if wanted.get(&fd).is_some_and(|asked| is_socket(&link, asked.inode)) {
                blocked.reading.extend(wanted.remove(&fd).map(|asked| asked.id));
            }
        }
    }
    if blocked.limit.is_none() {
        blocked.limit = lists.limit();
    }
    Ok(())
}

/// The system call in which a thread is blocked; `None` if it is running, is not in a call, or has
/// exited.
fn read_call(path: &Path) -> io::Result<Option<Call>> {
    match fs::read_to_string(path) {
        Ok(line) => Ok(Call::parse(&line)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// A system call in which a thread is blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    number: i64,
    arguments: [u64; 6],
    /// Stack pointer and program counter. They distinguish this call from another with the same
    /// arguments.
    position: [u64; 2],
}

/// How the arguments of a system call specify the file descriptors that it is waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdArguments {
    /// The first argument is the file descriptor.
    Fd,
    /// An array of `struct pollfd`, and its length: poll(2).
    PollArray,
    /// The number of bits of an `fd_set`, and the set: select(2).
    FdSet,
}

impl Call {
    /// Parses `/proc/PID/task/TID/syscall` (`proc_pid_syscall` in `fs/proc/base.c`): the number of
    /// the call, six arguments, stack pointer and program counter. `None` if the thread is running
    /// or not in a system call.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let number = words.next()?.parse().ok().filter(|number| *number >= 0)?;
        let mut next = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = next()?;
        }
        Some(Self { number, arguments, position: [next()?, next()?] })
    }

    /// How this call specifies what it is waiting for; `None` if it does not wait for input.
    pub fn fd_arguments(&self) -> Option<FdArguments> {
        Some(match self.number {
            libc::SYS_read
            | libc::SYS_readv
            | libc::SYS_preadv2
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_recvmmsg
            | libc::SYS_splice => FdArguments::Fd,
            libc::SYS_ppoll => FdArguments::PollArray,
            libc::SYS_pselect6 => FdArguments::FdSet,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_poll => FdArguments::PollArray,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_select => FdArguments::FdSet,
            _ => return None,
        })
    }

    /// The wanted file descriptors for which this call waits to become readable.
    fn waits_for(&self, wanted: &BTreeMap<u32, Asked>, lists: &mut WaitLists<'_>) -> Vec<u32> {
        let [first, second, ..] = self.arguments;
        let mut fds = match self.fd_arguments() {
            None => Vec::new(),
            // The kernel reads an `int`; the upper half of the register is undefined.
            Some(FdArguments::Fd) => [truncated(first)].into(),
            Some(FdArguments::PollArray) => lists.polled(first, truncated(second)),
            Some(FdArguments::FdSet) => lists.selected(truncated(first), second),
        };
        fds.retain(|fd| wanted.contains_key(fd));
        fds
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the upper half is not part of the argument")]
const fn truncated(argument: u64) -> u32 {
    argument as u32
}

#[cfg(test)]
mod tests;
