//! Other network namespaces: a netlink socket lists the namespace in which it was created.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Inode number of the network namespace of this process.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn own() -> io::Result<u32> {
    number(&fs::metadata("/proc/self/ns/net")?)
}

/// Inode number of the network namespace of another process or thread, by its directory.
///
/// # Errors
/// The process has exited, or may not be read.
pub(super) fn of(directory: &str) -> io::Result<u32> {
    number(&fs::metadata(format!("{directory}/ns/net"))?)
}

fn number(metadata: &fs::Metadata) -> io::Result<u32> {
    u32::try_from(metadata.ino()).map_err(io::Error::other)
}

/// Runs `work` on a new thread in the network namespace of process `pid`.
///
/// # Errors
/// `CAP_SYS_ADMIN` is missing, or the process is now in another namespace. In that case, `work` has
/// not run.
pub(super) fn within<T: Send>(
    pid: u32,
    netns: u32,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    let file = File::open(format!("/proc/{pid}/ns/net"))?;
    if number(&file.metadata()?)? != netns {
        return Err(io::Error::other("the process has moved to another one"));
    }
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
