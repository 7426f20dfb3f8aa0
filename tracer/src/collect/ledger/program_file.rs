//! The file of a program to which uprobes are attached, which an inspection worker has opened.

use std::{
    fmt::Display,
    fs, io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::PathBuf,
};

use rustix::fs::{AtFlags, CWD, FileType, RawMode, Statx, StatxFlags, statx};
use tracer_core::Limit;
use tracer_inspect::{
    budget::{Allowance, Budget},
    go::LedgerHook,
    process::mounts,
};

/// The file system is not queried.
const FLAGS: AtFlags = AtFlags::STATX_DONT_SYNC;
const FACTS: StatxFlags = StatxFlags::TYPE.union(StatxFlags::SIZE).union(StatxFlags::INO);

/// Maximum number of hooks in a program: more than there are functions of Go's HTTP client.
const HOOKS_MAX: usize = 16;

/// What looking up the mount of a file may cost: the list of mounts may be long.
const ALLOWANCE: Allowance =
    Allowance { bytes_max: 1 << 20, steps_max: 4 << 20, with_debug_info: false };

/// Checks that this is the regular file that a process executes, that reading it cannot block,
/// and that the hooks are inside it, because the worker may have been compromised by a process that it
/// has read. Nothing is opened, and the file system is not queried.
///
/// # Errors
/// The file is a different one, or this cannot be determined.
pub(super) fn check(file: &OwnedFd, pid: u32, hooks: &[(LedgerHook, u64)]) -> Result<(), Limit> {
    let refused = |detail: &dyn Display| Limit::UprobesRefused { detail: detail.to_string() };
    // Attaching a uprobe reads from the file, while this process can do nothing else.
    match mounts::untrusted(file, pid, &Budget::new(ALLOWANCE)) {
        Ok(None) => {}
        Ok(Some(filesystem)) => return Err(Limit::FileNotLocal { filesystem }),
        Err(error) => return Err(refused(&error)),
    }
    match is_program(file, pid, hooks) {
        Ok(true) => Ok(()),
        Ok(false) => Err(refused(&"it is not the program of the process")),
        Err(error) => Err(refused(&error)),
    }
}

fn is_program(file: &OwnedFd, pid: u32, hooks: &[(LedgerHook, u64)]) -> io::Result<bool> {
    let status = statx(file, "", FLAGS | AtFlags::EMPTY_PATH, FACTS)?;
    let is_regular =
        FileType::from_raw_mode(RawMode::from(status.stx_mode)) == FileType::RegularFile;
    let are_inside = hooks.iter().all(|(_, offset)| *offset < status.stx_size);
    if !is_regular || !are_inside || hooks.len() > HOOKS_MAX {
        return Ok(false);
    }
    let exe = PathBuf::from(format!("/proc/{pid}/exe"));
    // The kernel writes both from the files themselves; the path is not looked up.
    if fs::read_link(path(file))? != fs::read_link(&exe)? {
        return Ok(false);
    }
    // Another mount namespace may have another file at the same path.
    let of_process = statx(CWD, &exe, FLAGS, FACTS)?;
    let number = |it: &Statx| (it.stx_dev_major, it.stx_dev_minor, it.stx_ino);
    Ok(number(&of_process) == number(&status))
}

/// A path that leads to the file itself.
pub(super) fn path(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        path::Path,
        process::{Command, Stdio},
        thread,
        time::Duration,
    };

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

    /// A path in another mount namespace is the same text and leads to another file.
    #[test]
    fn a_file_with_the_path_of_the_program_is_not_the_program() {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        fs::copy("/bin/sleep", &program).unwrap();
        let script = format!(
            "mount -t tmpfs tmpfs {0} && cp /bin/sleep {0}/program && exec {0}/program 600",
            directory.path().display()
        );
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]);
        let mut child = unshare.stderr(Stdio::null()).spawn().unwrap();
        let exe = format!("/proc/{}/exe", child.id());
        let is_started = || fs::read_link(&exe).is_ok_and(|path| path == program);
        while !is_started() && child.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_millis(5));
        }
        // The kernel may not allow user namespaces.
        if is_started() {
            let hook = [(LedgerHook::Close, 64)];
            let file = |path: &Path| OwnedFd::from(File::open(path).unwrap());
            assert_eq!(check(&file(Path::new(&exe)), child.id(), &hook), Ok(()));
            assert!(check(&file(&program), child.id(), &hook).is_err());
        }
        let _ = child.kill();
        child.wait().unwrap();
    }
}
