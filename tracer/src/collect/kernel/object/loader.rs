//! aya's loader, without its parsing of the kernel's BTF.

use std::{ffi::CStr, io, thread};

use aya::EbpfLoader;
use rustix::{
    process::chroot,
    thread::{UnshareFlags, unshare_unsafe},
};

/// A directory without a subdirectory `sys`.
const EMPTY: &CStr = c"/proc/self/fdinfo";

/// A new loader. `EbpfLoader::new` parses all of `/sys/kernel/btf/vmlinux`, which takes 20ms and is
/// useless here, because the programs have no CO-RE relocations. It cannot be disabled, but a
/// missing file is not an error. So it is called on a separate thread whose root directory has no
/// `/sys`.
pub(super) fn new() -> EbpfLoader<'static> {
    let made = thread::scope(|scope| {
        scope
            .spawn(|| {
                // If this is not permitted, the loader just takes longer.
                let _ = leave_root();
                EbpfLoader::new()
            })
            .join()
    });
    made.unwrap_or_else(|_| EbpfLoader::new())
}

/// Changes the root directory of this thread to [`EMPTY`].
fn leave_root() -> io::Result<()> {
    // SAFETY: this gives the thread a root and working directory of its own, and leaves its fd
    // table shared.
    unsafe { unshare_unsafe(UnshareFlags::FS) }?;
    Ok(chroot(EMPTY)?)
}
