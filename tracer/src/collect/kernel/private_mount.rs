//! Looks into a kernel file system that is not mounted, without mounting it for anyone else.

use std::{ffi::CStr, io, ptr, thread};

/// Runs `work` on a thread of its own, which alone sees the kernel file system `kind` mounted at
/// `target`. The mount goes when the thread does.
///
/// # Errors
/// The file system could not be mounted, for want of `CAP_SYS_ADMIN` or because the kernel does
/// not have it. `work` has not run then.
pub(crate) fn with_mounted<T: Send>(
    kind: &'static CStr,
    target: &'static CStr,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter_private_namespace()?;
            mount(kind, target, Some(kind), 0)?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Gives the thread its own copy of the mounts, from which nothing gets back to the others.
fn enter_private_namespace() -> io::Result<()> {
    // SAFETY: takes no pointer, and changes this thread only.
    if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_PRIVATE)
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
) -> io::Result<()> {
    let kind = kind.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: all pointers are null, where that is allowed, or strings that outlive the call.
    let result = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, ptr::null()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
