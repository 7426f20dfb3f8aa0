//! The file system that a file is on, from `/proc/PID/mountinfo` (proc_pid_mountinfo(5)).
//!
//! The server of a network file system or of FUSE decides when an operation on it returns, if at all.
//! So the type is determined before anything is opened or looked up there: neither `statx` without
//! synchronization nor `mountinfo` asks the file system.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader},
    iter,
    os::fd::AsFd,
};

use rustix::fs::{AtFlags, Statx, StatxFlags, statx};
use tracer_core::Timestamp;

use super::bounded_line::read_line;
use crate::{budget::Budget, clock};

/// Maximum length of a line in bytes: two paths of `PATH_MAX` with every byte escaped, and options.
const LINE_MAX: u64 = 64 << 10;
/// Maximum length of a type in the result, in bytes.
const TYPE_MAX: usize = 32;
/// The type of a file system that is on no visible mount.
pub(super) const UNKNOWN: &str = "unknown";
const OVERLAY: &str = "overlay";
/// How long the type of a mount is remembered: its number is used again once it is unmounted.
const REMEMBERED_MS: u64 = 5_000;
/// Maximum number of mounts that are remembered.
const REMEMBERED_MAX: usize = 4_096;
/// File systems whose operations wait for another host or process, as in `mountinfo`, apart from
/// those that begin with `fuse`.
const REMOTE: [&str; 21] = [
    "9p",
    "afs",
    "autofs",
    "beegfs",
    "ceph",
    "cifs",
    "coda",
    "gfs2",
    "glusterfs",
    "gpfs",
    "kafs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "ocfs2",
    "orangefs",
    "pvfs2",
    "smb3",
    "smbfs",
    "vboxsf",
];

/// A mount: its number, and the device number of its file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Mount {
    id: u64,
    device: (u32, u32),
}

thread_local! {
    /// The types of mounts that were looked up, and when.
    static REMEMBERED: RefCell<HashMap<Mount, (Timestamp, String)>> = RefCell::default();
}

/// The type of the file system that a file is on, as in `ext4`. The file may have been opened with
/// `O_PATH`, and usually belongs to the mount namespace of process `pid`. `None` if it is on no
/// mount that is visible to that process or to this one.
///
/// # Errors
/// The kernel does not know its mount (before Linux 5.8).
pub(super) fn filesystem(file: impl AsFd, pid: u32, budget: &Budget) -> io::Result<Option<String>> {
    // FUSE mounts deny other users every field beyond these.
    let status = status(file, StatxFlags::empty())?;
    if status.stx_mask & StatxFlags::MNT_ID.bits() == 0 {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let device = (status.stx_dev_major, status.stx_dev_minor);
    let mount = Mount { id: status.stx_mnt_id, device };
    if let Some(known) = remembered(mount) {
        return Ok(Some(known));
    }
    let Some(found) = look_up(mount, pid, budget) else { return Ok(None) };
    remember(mount, &found);
    Ok(Some(found))
}

/// The type of the file system that a file of process `pid` is on, if another host or a process
/// without privileges may decide when operations on it return: FUSE, a network file system, or an
/// overlay in a user namespace, where it may be on top of FUSE. An overlay of a container that root
/// has started is visible to the init process or to this one. `None` if there is no such file system.
///
/// # Errors
/// The mount of the file cannot be determined.
pub fn untrusted(file: impl AsFd + Copy, pid: u32, budget: &Budget) -> io::Result<Option<String>> {
    let filesystem = filesystem(file, pid, budget)?.unwrap_or_else(|| UNKNOWN.to_owned());
    let is_trusted = match &*filesystem {
        UNKNOWN => false,
        OVERLAY => {
            let id = status(file, StatxFlags::empty())?.stx_mnt_id;
            overlay_device(pid, id, budget).is_some_and(|device| {
                ["1", "self"].iter().any(|process| has_overlay(process, device, budget))
            })
        }
        other => is_local(other),
    };
    Ok((!is_trusted).then_some(filesystem))
}

/// The device number of the overlay with this mount number. The files on it may have others.
fn overlay_device(pid: u32, id: u64, budget: &Budget) -> Option<(u32, u32)> {
    ["self", &pid.to_string()].iter().find_map(|process| {
        let is_wanted = |mount: &Mount, kind: &str| mount.id == id && kind == OVERLAY;
        first(process, is_wanted, budget).map(|mount| mount.device)
    })
}

fn has_overlay(process: &str, device: (u32, u32), budget: &Budget) -> bool {
    let is_wanted = |mount: &Mount, kind: &str| mount.device == device && kind == OVERLAY;
    first(process, is_wanted, budget).is_some()
}

/// The first wanted mount that a process sees. The search ends when the budget is exceeded.
fn first(
    process: &str,
    is_wanted: impl Fn(&Mount, &str) -> bool,
    budget: &Budget,
) -> Option<Mount> {
    let text = BufReader::new(File::open(format!("/proc/{process}/mountinfo")).ok()?);
    let mut mounts = mounts(text, budget);
    mounts.find(|(mount, kind)| is_wanted(mount, kind)).map(|(mount, _)| mount)
}

/// The `facts` about a file that the kernel knows without asking the file system. Its mount and
/// device are always among them.
pub(super) fn status(file: impl AsFd, facts: StatxFlags) -> io::Result<Statx> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    Ok(statx(file, "", flags, facts)?)
}

/// Whether operations on a file system of this type return without another host or process.
pub(super) fn is_local(filesystem: &str) -> bool {
    !filesystem.starts_with("fuse") && !REMOTE.contains(&filesystem)
}

fn remembered(mount: Mount) -> Option<String> {
    let now = clock::now();
    REMEMBERED.with_borrow(|known| {
        let (at, found) = known.get(&mount)?;
        (now.ms_since(*at) < REMEMBERED_MS).then(|| found.clone())
    })
}

fn remember(mount: Mount, found: &str) {
    REMEMBERED.with_borrow_mut(|known| {
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(mount, (clock::now(), found.to_owned()));
    });
}

/// A process that has changed its root directory does not see the mount of its program, but this
/// process does if both are in one mount namespace. A file system that both see has one device
/// number, whatever it is mounted as.
fn look_up(mount: Mount, pid: u32, budget: &Budget) -> Option<String> {
    let mut of_device = None;
    for path in [format!("/proc/{pid}/mountinfo"), "/proc/self/mountinfo".to_owned()] {
        let Ok(file) = File::open(path) else { continue };
        match find(BufReader::new(file), mount, budget) {
            Found::Mount(found) => return Some(found),
            Found::Device(found) => of_device = of_device.or(Some(found)),
            Found::Nothing => {}
        }
    }
    of_device
}

/// What `mountinfo` has about a mount.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The type of its file system.
    Mount(String),
    /// The type of a file system with the same device number.
    Device(String),
    Nothing,
}

/// Looks up a mount in the text of `mountinfo`, within the budget.
fn find(text: impl BufRead, mount: Mount, budget: &Budget) -> Found {
    let mut of_device = Found::Nothing;
    for (known, kind) in mounts(text, budget) {
        if known.id == mount.id {
            return Found::Mount(kind);
        }
        if known.device == mount.device {
            of_device = Found::Device(kind);
        }
    }
    of_device
}

/// The mounts in the text of `mountinfo`, each with the type of its file system, until the budget is
/// exceeded.
fn mounts(mut text: impl BufRead, budget: &Budget) -> impl Iterator<Item = (Mount, String)> {
    let mut line = Vec::new();
    let lines = iter::from_fn(move || {
        let is_read = read_line(&mut text, &mut line, LINE_MAX, budget).unwrap_or(false);
        is_read.then(|| parse(&line))
    });
    lines.flatten()
}

/// Parses a line such as
/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`. The kernel
/// escapes spaces in paths.
fn parse(line: &[u8]) -> Option<(Mount, String)> {
    let mut words = line.split(|byte| *byte == b' ');
    let id = number(words.next()?)?;
    let device = words.nth(1)?;
    let colon = device.iter().position(|byte| *byte == b':')?;
    let major = number(device.get(..colon)?)?;
    let minor = number(device.get(colon + 1..)?)?;
    let device = (u32::try_from(major).ok()?, u32::try_from(minor).ok()?);
    words.find(|word| *word == b"-")?;
    Some((Mount { id, device }, printable(words.next()?)))
}

fn number(digits: &[u8]) -> Option<u64> {
    str::from_utf8(digits).ok()?.parse().ok()
}

/// A type as text. The user who mounts a FUSE file system chooses the part after `fuse.`.
fn printable(kind: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    let plain = kind.iter().filter(|byte| is_plain(byte)).take(TYPE_MAX);
    plain.map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const MOUNTINFO: &str = "\
        22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/root rw\n\
        nonsense\n\
        30 22 0:26 /a\\040- /mnt/a\\040b rw master:7 propagate_from:2 - fuse.sshfs me@host: rw\n\
        31 22 0:30 / /mnt/nfs rw - nfs4 10.0.0.1:/export rw\n\
        32 22 0:31 / /mnt/odd rw - fuse.a\x1b[31m\\040b x rw\n\
        33 22 0:26 / /mnt/again rw - fuse.sshfs me@host: rw\n";

    fn found(id: u64, device: (u32, u32)) -> Found {
        find(MOUNTINFO.as_bytes(), Mount { id, device }, &Budget::default())
    }

    #[test]
    fn a_mount_is_found_by_its_number_or_else_by_its_device() {
        assert_eq!(found(22, (0, 0)), Found::Mount("ext4".to_owned()));
        assert_eq!(found(30, (0, 26)), Found::Mount("fuse.sshfs".to_owned()));
        assert_eq!(found(31, (259, 2)), Found::Mount("nfs4".to_owned()));
        assert_eq!(found(99, (0, 26)), Found::Device("fuse.sshfs".to_owned()));
        assert_eq!(found(99, (0, 99)), Found::Nothing);
        assert_eq!(found(32, (0, 31)), Found::Mount("fuse.a31m040b".to_owned()));
    }

    #[test]
    fn malformed_lines_have_no_mount() {
        for line in ["", "1", "1 2 3", "1 2 0:1 / / rw", "1 2 0:1 / / rw -", "x 2 0:1 / / rw - a"] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        assert!(parse(b"1 2 0:1 / / rw - tmpfs").is_some());
    }

    #[test]
    fn network_file_systems_and_fuse_are_not_local() {
        for kind in ["fuse", "fuseblk", "fuse.sshfs", "nfs", "nfs4", "cifs", "9p", "autofs"] {
            assert!(!is_local(kind), "{kind}");
        }
        for kind in ["ext4", "xfs", "btrfs", "overlay", "tmpfs", "squashfs", "virtiofs", "proc"] {
            assert!(is_local(kind), "{kind}");
        }
    }

    /// A user who may mount an overlay in a user namespace may mount FUSE below it.
    #[test]
    fn an_overlay_of_a_user_namespace_is_not_trusted() {
        let directory = tempfile::tempdir().unwrap();
        let script = "mkdir lower upper work merged && cp /bin/sleep lower \
            && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged \
            && exec merged/sleep 600";
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        let mut child =
            unshare.current_dir(directory.path()).stderr(Stdio::null()).spawn().unwrap();
        let exe = format!("/proc/{}/exe", child.id());
        let is_started =
            || std::fs::read_link(&exe).is_ok_and(|path| path.ends_with("merged/sleep"));
        while !is_started() && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        // The kernel may not allow user namespaces.
        if is_started() {
            let untrusted = |path: &str| {
                untrusted(&File::open(path).unwrap(), child.id(), &Budget::default()).unwrap()
            };
            assert_eq!(untrusted(&exe).as_deref(), Some(OVERLAY));
            assert_eq!(untrusted("/proc/self/exe"), None);
        }
        let _ = child.kill();
        child.wait().unwrap();
    }

    #[test]
    fn the_file_system_of_this_program_and_of_proc_are_found() {
        let (pid, budget) = (std::process::id(), Budget::default());
        let of = |path: &str| filesystem(File::open(path).unwrap(), pid, &budget).unwrap();
        assert!(of("/proc/self/exe").is_some_and(|kind| is_local(&kind)));
        // The second time, it is remembered.
        for _ in 0..2 {
            assert_eq!(of("/proc/self/stat").as_deref(), Some("proc"));
        }
    }
}
