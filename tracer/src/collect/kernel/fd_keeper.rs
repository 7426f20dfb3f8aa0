//! A process that closes the file descriptors of `tracer` after `tracer` has exited.
//!
//! The kernel takes 17 to 120ms to remove one uprobe, while its last file descriptor is closed, and
//! neither several threads nor the exit of the process make that faster. The keeper shares the
//! table of file descriptors (`CLONE_FILES`), so the exit of `tracer` closes nothing, and the
//! keeper does it in the background. It is started early, so that this holds no matter how `tracer`
//! ends.

use std::io;

use anyhow::{Context as _, Result};
use rustix::{
    event::{PollFd, PollFlags, poll},
    fd::OwnedFd,
    io::Errno,
    process::{
        DumpableBehavior, PidfdFlags, Resource, getpid, getrlimit, pidfd_open,
        set_dumpable_behavior, setsid,
    },
    thread::{CapabilitySet, CapabilitySets, set_capabilities, set_no_new_privs},
};

/// File descriptors with higher numbers are closed by the exit of the keeper.
const FDS_MAX: u64 = 1 << 20;

/// Starts the keeper of this process.
///
/// # Errors
/// The kernel refused.
pub(crate) fn start() -> Result<()> {
    let tracer = pidfd_open(getpid(), PidfdFlags::empty()).context("cannot open a pidfd")?;
    let blocked = block_signals().context("cannot block signals")?;
    let flags = libc::c_long::from(libc::CLONE_FILES | libc::SIGCHLD);
    // SAFETY: without `CLONE_VM`, the new process has its own copy of the memory. Of the threads of
    // this process it has only the calling one, so locks may be held forever; `keep` takes none and
    // allocates nothing.
    let process =
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) };
    let error = io::Error::last_os_error();
    if process == 0 {
        keep(&tracer);
    }
    restore_signals(&blocked);
    // Both processes have the same file descriptors, so the keeper needs this one.
    std::mem::forget(tracer);
    if process < 0 { Err(error).context("cannot start a process") } else { Ok(()) }
}

/// Waits until `tracer` has exited, and then closes its file descriptors by exiting. Makes system
/// calls only.
fn keep(tracer: &OwnedFd) -> ! {
    // Another process of the same user could take the file descriptors otherwise.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = setsid();
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    let _ = set_no_new_privs(true).and_then(|()| set_capabilities(None, sets));
    let wait = || poll(&mut [PollFd::new(tracer, PollFlags::IN)], None);
    while matches!(wait(), Ok(0) | Err(Errno::INTR)) {}
    // One by one and in ascending order, because the kernel closes the last one first when a
    // process exits: standard streams, files and the socket of the launcher come before uprobes.
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(FDS_MAX);
    for fd in 0..limit.min(FDS_MAX) {
        // SAFETY: nothing here uses a file descriptor afterwards.
        unsafe { libc::close(i32::try_from(fd).unwrap_or(i32::MAX)) };
    }
    // SAFETY: it ends this process.
    unsafe { libc::_exit(0) }
}

/// Blocks all signals for the calling thread, and returns those that were blocked before. The
/// keeper has the signal handlers of `tracer`, which must not run in it.
fn block_signals() -> io::Result<libc::sigset_t> {
    let mut before = std::mem::MaybeUninit::uninit();
    // SAFETY: both point to memory for one set, which `sigfillset` and `pthread_sigmask`
    // initialize.
    unsafe {
        let mut all = std::mem::MaybeUninit::uninit();
        libc::sigfillset(all.as_mut_ptr());
        match libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) {
            0 => Ok(before.assume_init()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: the set is initialized. The function fails only for an unknown operation.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, std::ptr::null_mut()) };
}
