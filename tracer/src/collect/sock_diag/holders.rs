//! The processes that hold sockets, from `/proc/PID/fd`.

use std::{
    fs::{self, DirEntry},
    io,
};

use tracer_core::{Comm, ProcessKey};

use super::namespace;
use tracer_inspect::process::{facts, socket_link};

/// File descriptors and the inode numbers of their sockets.
type Sockets = Vec<(u32, u64)>;

/// A process and its sockets of all kinds.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) key: ProcessKey,
    pub(super) comm: Comm,
    /// Inode number of the network namespace of the process. A socket that was passed to the
    /// process may belong to another one.
    pub(super) netns: u32,
    /// File descriptors and inode numbers.
    pub(super) sockets: Sockets,
}

/// All processes that are visible to the tracer.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// The processes that hold sockets.
    pub(super) readable: Vec<Holder>,
    /// The processes whose file descriptors could not be read.
    pub(super) unreadable: Vec<(ProcessKey, Comm)>,
}

/// Reads every process.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn all() -> io::Result<Holders> {
    let mut holders = Holders::default();
    for pid in fs::read_dir("/proc")?.flatten().filter_map(|entry| number(&entry)) {
        let Some((key, comm)) = facts::holder(pid) else { continue };
        match sockets_of(pid) {
            Ok(Some((netns, sockets))) => {
                holders.readable.push(Holder { key, comm, netns, sockets });
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                holders.unreadable.push((key, comm));
            }
            // The process has exited.
            Err(error) => log::debug!("process {pid}: {error}"),
        }
    }
    Ok(holders)
}

/// The network namespace and the sockets of a process, if it has any.
fn sockets_of(pid: u32) -> io::Result<Option<(u32, Sockets)>> {
    let own = format!("/proc/{pid}");
    let (directory, sockets) = match sockets(&own)? {
        Some(sockets) => (own, sockets),
        None => of_other_thread(own)?,
    };
    if sockets.is_empty() {
        return Ok(None);
    }
    Ok(Some((namespace::of(&directory)?, sockets)))
}

/// The sockets of a process whose main thread has no file descriptors, for example because it has
/// exited while other threads still run. The result includes the directory from which they were
/// read.
fn of_other_thread(own: String) -> io::Result<(String, Sockets)> {
    for task in fs::read_dir(format!("{own}/task"))?.flatten() {
        let directory = task.path().display().to_string();
        match sockets(&directory) {
            Ok(Some(sockets)) => return Ok((directory, sockets)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // This thread has none either, or has exited.
            Ok(None) | Err(_) => {}
        }
    }
    Ok((own, Sockets::new()))
}

fn number(entry: &DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

/// The sockets of a process or thread, by its directory; `None` if it has no file descriptors.
///
/// # Errors
/// The directory cannot be listed or its links cannot be read, because more privileges are
/// required.
fn sockets(directory: &str) -> io::Result<Option<Sockets>> {
    let mut sockets = None;
    for entry in fs::read_dir(format!("{directory}/fd"))?.flatten() {
        let sockets = sockets.get_or_insert_with(Sockets::new);
        match fs::read_link(entry.path()) {
            Ok(target) => sockets.extend(number(&entry).zip(socket_link::inode(&target))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // It was closed in the meantime.
            Err(_) => {}
        }
    }
    Ok(sockets)
}
