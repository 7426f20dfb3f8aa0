use std::io;

/// Forks a child process that keeps every file descriptor open and does nothing until it is killed,
/// at the latest by the kernel when its parent exits.
pub(crate) fn fork() -> io::Result<libc::pid_t> {
    // SAFETY: the child calls nothing but prctl, pause and _exit, which are allowed in the child of
    // a program with several threads.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => sleep_for_ever(),
        pid => Ok(pid),
    }
}

fn sleep_for_ever() -> ! {
    // SAFETY: prctl with PR_SET_PDEATHSIG touches no memory.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    if result != 0 {
        // SAFETY: _exit may be called at any time.
        unsafe { libc::_exit(1) }
    }
    loop {
        // SAFETY: pause may be called at any time.
        unsafe { libc::pause() };
    }
}

/// Kills a child and waits until it has exited, and all its file descriptors are closed.
pub(crate) fn kill_child(pid: libc::pid_t) -> io::Result<()> {
    // SAFETY: kill touches no memory.
    if unsafe { libc::kill(pid, libc::SIGKILL) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the status pointer of waitpid may be null.
    if unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) } != pid {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
