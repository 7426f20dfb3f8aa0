//! Who holds which socket, by `/proc/PID/fd`.

use std::{
    fs::{self, DirEntry},
    io,
    path::Path,
};

use tracer_core::{Comm, ProcessKey};

use super::namespace;
use crate::processes;

/// Descriptors and the inode numbers of their sockets.
type Sockets = Vec<(u32, u64)>;

/// A process and its sockets of all kinds.
#[derive(Debug)]
pub(super) struct Holder {
    pub(super) key: ProcessKey,
    pub(super) comm: Comm,
    /// Inode number of its network namespace. A socket that it was given can be of another one.
    pub(super) netns: u32,
    /// Descriptor and inode number.
    pub(super) sockets: Sockets,
}

/// All processes that this one sees.
#[derive(Debug, Default)]
pub(super) struct Holders {
    /// Those that hold sockets.
    pub(super) readable: Vec<Holder>,
    /// Those whose descriptors may not be read.
    pub(super) unreadable: Vec<(ProcessKey, Comm)>,
}

/// Looks at every process.
///
/// # Errors
/// `/proc` cannot be read.
pub(super) fn all() -> io::Result<Holders> {
    let mut holders = Holders::default();
    for pid in fs::read_dir("/proc")?.flatten().filter_map(|entry| number(&entry)) {
        let Some((key, comm)) = processes::holder(pid) else { continue };
        match look(pid) {
            Ok(Some((netns, sockets))) => {
                holders.readable.push(Holder { key, comm, netns, sockets });
            }
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                holders.unreadable.push((key, comm));
            }
            // It has ended.
            Err(error) => log::debug!("process {pid}: {error}"),
        }
    }
    Ok(holders)
}

/// The network namespace and the sockets of a process, if it has any.
fn look(pid: u32) -> io::Result<Option<(u32, Sockets)>> {
    let mut sockets = sockets(&format!("/proc/{pid}/fd"))?;
    if sockets.is_empty() {
        // A main thread that has ended has no descriptors any more; the others still do.
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            if sockets.is_empty() && number(&task) != Some(pid) {
                sockets = self::sockets(&format!("{}/fd", task.path().display()))?;
            }
        }
    }
    if sockets.is_empty() {
        return Ok(None);
    }
    Ok(Some((namespace::of(pid)?, sockets)))
}

fn number(entry: &DirEntry) -> Option<u32> {
    entry.file_name().to_str()?.parse().ok()
}

/// The sockets in a directory of descriptors.
///
/// # Errors
/// It cannot be listed, or it may not be read what its links lead to, which takes more.
fn sockets(directory: &str) -> io::Result<Sockets> {
    let mut sockets = Vec::new();
    for entry in fs::read_dir(directory)?.flatten() {
        match fs::read_link(entry.path()) {
            Ok(target) => sockets.extend(number(&entry).zip(inode(&target))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(error),
            // It was closed.
            Err(_) => {}
        }
    }
    Ok(sockets)
}

/// The inode number of a socket, by what a descriptor's link says.
fn inode(target: &Path) -> Option<u64> {
    target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
