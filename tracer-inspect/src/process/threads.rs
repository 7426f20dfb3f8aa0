//! Threads that are blocked in a call that reads a connection or waits for it to be readable, as
//! `/proc/PID/task/TID/syscall` tells.

pub mod wait_lists;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use tracer_core::{Asked, ConnectionId, Limit};

use super::{access::attach_error, socket_link::is_socket};
use wait_lists::WaitLists;

/// Most threads of a process that are looked at.
const THREADS_MAX: usize = 4_096;
/// The fifth byte of an ELF file that says it is a 64-bit program, whose numbers of system calls
/// are the ones known here.
const ELF_CLASS_64: u8 = 2;

/// What was found.
#[derive(Debug, Default)]
pub struct ThreadLook {
    /// A thread is blocked in a call that data or the end of the stream on these ends.
    pub reading: Vec<ConnectionId>,
    /// Why there may be more, if there may.
    pub limit: Option<Limit>,
}

/// Looks at what the threads of a process are blocked in.
pub fn look<'a>(pid: u32, asked: impl Iterator<Item = &'a Asked>) -> ThreadLook {
    let mut look = ThreadLook::default();
    let mut wanted: BTreeMap<u32, Asked> = asked.map(|asked| (asked.fd, *asked)).collect();
    if wanted.is_empty() {
        return look;
    }
    if let Err(error) = look_at(pid, &mut wanted, &mut look) {
        look.limit = Some(Limit::ThreadsUnreadable { error: attach_error(&error) });
    }
    look
}

fn look_at(pid: u32, wanted: &mut BTreeMap<u32, Asked>, look: &mut ThreadLook) -> io::Result<()> {
    if !is_64_bit(pid)? {
        look.limit = Some(Limit::ThirtyTwoBitProgram);
        return Ok(());
    }
    let mut lists = WaitLists::of(pid)?;
    for (index, task) in fs::read_dir(format!("/proc/{pid}/task"))?.enumerate() {
        if wanted.is_empty() {
            break;
        }
        if index == THREADS_MAX {
            look.limit = Some(Limit::ThreadsTruncated { threads_max: THREADS_MAX });
            break;
        }
        let task = task?.path();
        let file = task.join("syscall");
        let Some(call) = read_call(&file)? else { continue };
        let fds = call.waits_for(wanted, &mut lists);
        // What the memory says is what the call waits for only if it has not ended meanwhile.
        if fds.is_empty() || read_call(&file)? != Some(call) {
            continue;
        }
        for fd in fds {
            // A thread can have a descriptor table of its own.
            let link = task.join(format!("fd/{fd}"));
            if wanted.get(&fd).is_some_and(|asked| is_socket(&link, asked.inode)) {
                look.reading.extend(wanted.remove(&fd).map(|asked| asked.id));
            }
        }
    }
    if lists.is_spent() && look.limit.is_none() {
        look.limit = Some(Limit::PolledFdsTruncated);
    }
    Ok(())
}

fn is_64_bit(pid: u32) -> io::Result<bool> {
    let mut start = [0; 5];
    File::open(format!("/proc/{pid}/exe"))?.read_exact(&mut start)?;
    Ok(start.last() == Some(&ELF_CLASS_64))
}

/// The call that a thread is blocked in; `None` if it runs, is in none, or has ended.
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

/// A system call that a thread is blocked in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    number: i64,
    arguments: [u64; 6],
    /// Where its stack and the call itself are: the same call again has the same.
    place: [u64; 2],
}

/// How a call names what it waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The descriptor is the first argument.
    Directly,
    /// An array of `struct pollfd`, and how many there are.
    InArray,
    /// How many descriptors a set of bits has room for, and the set.
    InSet,
}

impl Call {
    /// The line of a thread that is blocked; `None` if it runs or is in no call.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let number = words.next()?.parse().ok().filter(|number| *number >= 0)?;
        let mut next = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        let mut arguments = [0; 6];
        for argument in &mut arguments {
            *argument = next()?;
        }
        Some(Self { number, arguments, place: [next()?, next()?] })
    }

    /// How this call names what it waits for; `None` if it waits for nothing to read.
    pub fn names(&self) -> Option<Names> {
        Some(match self.number {
            libc::SYS_read
            | libc::SYS_readv
            | libc::SYS_preadv2
            | libc::SYS_recvfrom
            | libc::SYS_recvmsg
            | libc::SYS_recvmmsg
            | libc::SYS_splice => Names::Directly,
            libc::SYS_ppoll => Names::InArray,
            libc::SYS_pselect6 => Names::InSet,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_poll => Names::InArray,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_select => Names::InSet,
            _ => return None,
        })
    }

    /// Those of the wanted descriptors that it would end for, once they become readable.
    fn waits_for(&self, wanted: &BTreeMap<u32, Asked>, lists: &mut WaitLists) -> Vec<u32> {
        let [first, second, ..] = self.arguments;
        let mut fds = match self.names() {
            None => Vec::new(),
            // The kernel takes an `int` and leaves the rest of the register alone.
            Some(Names::Directly) => [truncated(first)].into(),
            Some(Names::InArray) => lists.polled(first, truncated(second)),
            Some(Names::InSet) => lists.selected(truncated(first), second),
        };
        fds.retain(|fd| wanted.contains_key(fd));
        fds
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it is meant to")]
const fn truncated(argument: u64) -> u32 {
    argument as u32
}

#[cfg(test)]
mod tests;
