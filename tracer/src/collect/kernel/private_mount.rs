//! Access to a kernel file system that is not mounted, without mounting it for other processes.

use std::{ffi::CStr, io, thread};

use rustix::{
    mount::{MountFlags, MountPropagationFlags, mount, mount_change},
    thread::{UnshareFlags, unshare_unsafe},
};

/// Runs `work` on a new thread in a mount namespace of its own, in which the kernel file system
/// `kind` is mounted at `target`. The namespace and the mount end with the thread.
///
/// # Errors
/// The file system could not be mounted: `CAP_SYS_ADMIN` is missing, or the kernel does not have
/// that file system. In that case, `work` has not run.
pub(crate) fn with_mounted<T: Send>(
    kind: &'static CStr,
    target: &'static CStr,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // SAFETY: this changes the mount namespace of this thread only, and leaves its fd table
            // shared.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
            // From here on, no mount in this namespace propagates to another.
            mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
            mount(kind, target, kind, MountFlags::empty(), None)?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
