//! The file of a program to which uprobes are attached, which an inspection worker has opened.

use std::{
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
};

use rustix::fs::{AtFlags, FileType, RawMode, StatxFlags, statx};
use tracer_inspect::go::LedgerHook;

/// Maximum number of hooks in a program: more than there are functions of Go's HTTP client.
const HOOKS_MAX: usize = 16;

/// Checks that this is the regular file that a process executes, and that the hooks are inside it,
/// because the worker may have been compromised by a process that it has read. Nothing is opened,
/// and the file system is not queried.
///
/// # Errors
/// It is not, or that cannot be determined.
pub(super) fn check(file: &OwnedFd, pid: u32, hooks: &[(LedgerHook, u64)]) -> io::Result<()> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let status = statx(file, "", flags, StatxFlags::TYPE | StatxFlags::SIZE)?;
    let is_regular =
        FileType::from_raw_mode(RawMode::from(status.stx_mode)) == FileType::RegularFile;
    // The kernel writes both from the files themselves; the path is not looked up.
    let is_program = fs::read_link(path(file))? == fs::read_link(format!("/proc/{pid}/exe"))?;
    let are_inside = hooks.iter().all(|(_, offset)| *offset < status.stx_size);
    if is_regular && is_program && are_inside && hooks.len() <= HOOKS_MAX {
        Ok(())
    } else {
        Err(io::Error::other("it is not the program of the process"))
    }
}

/// A path that leads to the file itself.
pub(super) fn path(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn only_the_program_of_the_process_is_accepted() {
        let pid = std::process::id();
        let own = || OwnedFd::from(File::open("/proc/self/exe").unwrap());
        let hook = |offset| (LedgerHook::Close, offset);
        assert!(check(&own(), pid, &[hook(64)]).is_ok());
        assert!(check(&own(), pid, &[hook(u64::MAX)]).is_err());
        assert!(check(&own(), pid, &[hook(64); HOOKS_MAX + 1]).is_err());
        let directory = tempfile::tempdir().unwrap();
        fs::copy("/proc/self/exe", directory.path().join("copy")).unwrap();
        let other = File::open(directory.path().join("copy")).unwrap();
        assert!(check(&other.into(), pid, &[hook(64)]).is_err());
        let device = File::open("/dev/null").unwrap();
        assert!(check(&device.into(), pid, &[]).is_err());
    }
}
