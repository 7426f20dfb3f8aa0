//! aya's loader, without what it does before anybody can tell it not to.

use std::{ffi::CStr, io, thread};

use aya::EbpfLoader;

/// A directory in which there is nothing that a loader might look for.
const EMPTY: &CStr = c"/proc/self/fdinfo";

/// A new loader. aya's reads and takes apart all of the kernel's type information at once, 20 ms for
/// nothing, since the programs have no relocations against it. Where the file is not to be found, it
/// goes without; so it is made on a thread that sees an empty root directory, and ends with that.
pub(super) fn new() -> EbpfLoader<'static> {
    let made = thread::scope(|scope| {
        scope
            .spawn(|| {
                // Where it is not allowed, the loader takes longer.
                let _ = leave_root();
                EbpfLoader::new()
            })
            .join()
    });
    made.unwrap_or_else(|_| EbpfLoader::new())
}

/// Gives the thread a root directory of its own.
fn leave_root() -> io::Result<()> {
    // SAFETY: takes no pointer, and changes this thread only.
    if unsafe { libc::unshare(libc::CLONE_FS) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the pointer is to a string, and since the call before, this is about this thread only.
    if unsafe { libc::chroot(EMPTY.as_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
