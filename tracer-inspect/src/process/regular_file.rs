//! Opens files that a watched process controls.
//!
//! Opening a FIFO can block, opening a device can have side effects, and a file system on the
//! network or on FUSE may never respond. So the type of a file and of its file system is checked on a
//! file descriptor that opens nothing (`O_PATH`), and a path is followed one component at a time.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{File, Metadata, OpenOptions},
    io,
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::OpenOptionsExt as _},
    },
    path::{Component, Path, PathBuf},
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, RawMode, StatxFlags, openat, readlinkat},
    io::Errno,
};

use super::mounts::{self, UNKNOWN};
use crate::budget::Budget;

/// Maximum number of symbolic links that are followed (`MAXSYMLINKS` of `include/linux/namei.h`).
const LINKS_MAX: usize = 40;
/// Maximum number of components that are followed, those of links included.
const COMPONENTS_MAX: usize = 2_048;
/// A file of a watched process.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// A link of `/proc/PID` that leads to the file itself, not to a path.
    Link(&'a Path),
    /// A path as the process sees it.
    Path(&'a Path),
    /// A path, unless its last component is a symbolic link.
    NotALink(&'a Path),
    /// A path as this process sees it, unless it is a symbolic link.
    Host(&'a Path),
}

/// Opens a file of process `pid` for reading, if it is a regular file on a local file system. If its
/// file system is not local, the budget records that ([`Budget::not_local`]).
///
/// # Errors
/// The file does not exist, may not be read, is not a regular file (`ErrorKind::Other`), or is on a
/// file system that may never respond (`ErrorKind::Unsupported`).
pub fn open(pid: u32, place: Place, budget: &Budget) -> io::Result<(File, Metadata)> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = match place {
        Place::Link(link) => openat(CWD, link, flags, Mode::empty())?,
        Place::Path(path) => walk(pid, &of_process(pid), path, true, budget)?,
        Place::NotALink(path) => walk(pid, &of_process(pid), path, false, budget)?,
        Place::Host(path) => walk(pid, Path::new("/"), path, false, budget)?,
    };
    check_filesystem(&file, pid, budget)?;
    if file_type(&file)? != FileType::RegularFile {
        return Err(not_regular());
    }
    // The same file, even if the path leads to another one by now.
    let link = format!("/proc/self/fd/{}", file.as_raw_fd());
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(link)?;
    let metadata = file.metadata()?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(not_regular()) }
}

/// Metadata of a directory, as this process sees it, under the same conditions.
///
/// # Errors
/// The directory does not exist, may not be read, or is on a file system that may never respond.
pub fn directory(pid: u32, path: &Path, budget: &Budget) -> io::Result<Metadata> {
    let directory = walk(pid, Path::new("/"), path, true, budget)?;
    check_filesystem(&directory, pid, budget)?;
    File::from(directory).metadata()
}

/// The root directory of a process.
fn of_process(pid: u32) -> PathBuf {
    format!("/proc/{pid}/root").into()
}

/// Follows a path below a root directory to the file, with `O_PATH`. Nothing is looked up in a
/// directory on a file system that may never respond. `follow`: a link at the end is followed too.
///
/// # Errors
/// The same as those of [`open`].
fn walk(pid: u32, root: &Path, path: &Path, follow: bool, budget: &Budget) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = openat(CWD, root, flags | OFlags::DIRECTORY, Mode::empty())?;
    check_filesystem(&root, pid, budget)?;
    // The directories from the root to the current file.
    let mut reached: Vec<OwnedFd> = Vec::new();
    let mut rest: VecDeque<OsString> = VecDeque::new();
    prepend(path, &mut rest);
    let mut links = 0;
    for _ in 0..COMPONENTS_MAX {
        let Some(name) = rest.pop_front() else {
            return Ok(reached.pop().unwrap_or(root));
        };
        if name == ".." {
            reached.pop();
            continue;
        }
        let parent = reached.last().unwrap_or(&root);
        let file = openat(parent, &name, flags | OFlags::NOFOLLOW, Mode::empty())?;
        check_filesystem(&file, pid, budget)?;
        if file_type(&file)? != FileType::Symlink {
            reached.push(file);
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP.into());
        }
        if rest.is_empty() && !follow {
            return Err(not_regular());
        }
        let target = readlinkat(&file, "", Vec::new())?;
        let target = Path::new(OsStr::from_bytes(target.as_bytes()));
        if target.is_absolute() {
            reached.clear();
        }
        prepend(target, &mut rest);
    }
    Err(Errno::NAMETOOLONG.into())
}

/// The components of a path, before those that follow it.
fn prepend(path: &Path, rest: &mut VecDeque<OsString>) {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => rest.push_front(name.to_owned()),
            Component::ParentDir => rest.push_front("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
}

fn file_type(file: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(RawMode::from(mounts::status(file, StatxFlags::TYPE)?.stx_mode)))
}

/// Checks that operations on the file do not wait for another host or process.
///
/// # Errors
/// Operations may wait. The budget records this as a reason for an incomplete result.
fn check_filesystem(file: &OwnedFd, pid: u32, budget: &Budget) -> io::Result<()> {
    let filesystem = match mounts::filesystem(file, pid, budget) {
        Ok(Some(filesystem)) if mounts::is_local(&filesystem) => return Ok(()),
        Ok(Some(filesystem)) => filesystem,
        Ok(None) => UNKNOWN.to_owned(),
        // Linux before 5.8, which does not have BPF iterators either.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(()),
        Err(error) => return Err(error),
    };
    budget.record_not_local(filesystem);
    Err(io::ErrorKind::Unsupported.into())
}

fn not_regular() -> io::Error {
    io::Error::other("not a regular file")
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::symlink};

    use rustix::fs::mknodat;

    use super::*;

    fn open_here(place: Place) -> io::Result<String> {
        let (mut file, _) = open(std::process::id(), place, &Budget::default())?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn only_regular_files_are_opened() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("file"), "text").unwrap();
        symlink(path("file"), path("link")).unwrap();
        // Opening it would wait for a writer.
        mknodat(CWD, path("fifo"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        symlink("/dev/zero", path("device")).unwrap();

        for name in ["file", "link"] {
            assert_eq!(open_here(Place::Path(&path(name))).unwrap(), "text");
            assert_eq!(open_here(Place::Link(&path(name))).unwrap(), "text");
        }
        let (file, link) = (path("file"), path("link"));
        for not_a_link in [Place::NotALink, Place::Host] {
            assert_eq!(open_here(not_a_link(&file)).unwrap(), "text");
            assert!(open_here(not_a_link(&link)).is_err());
        }
        for other in [path("fifo"), path("device"), path("absent"), directory.path().to_owned()] {
            for place in [Place::Link, Place::Path, Place::NotALink, Place::Host] {
                assert!(open_here(place(&other)).is_err(), "{}", other.display());
            }
        }
    }

    #[test]
    fn links_are_followed_one_component_at_a_time() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::write(path("a/file"), "text").unwrap();
        symlink("a/b", path("relative")).unwrap();
        symlink(path("relative"), path("absolute")).unwrap();
        symlink("loop", path("loop")).unwrap();
        symlink("/../../../..", path("up")).unwrap();

        for name in ["relative/../file", "absolute/../file", "a/b/./..//file"] {
            assert_eq!(open_here(Place::Path(&path(name))).unwrap(), "text", "{name}");
        }
        let below_root = path("up").join(path("a/file").strip_prefix("/").unwrap());
        assert_eq!(open_here(Place::Path(&below_root)).unwrap(), "text");
        for name in ["loop", "loop/file", "a/file/x", "absent/file"] {
            assert!(open_here(Place::Path(&path(name))).is_err(), "{name}");
        }
        let metadata = super::directory(std::process::id(), &path("absolute"), &Budget::default());
        assert!(metadata.unwrap().is_dir());
    }

    #[test]
    fn nothing_is_looked_up_on_a_file_system_of_unknown_type() {
        let budget = Budget::default();
        // A pipe is on no visible mount.
        let (pipe, _) = io::pipe().unwrap();
        let error = check_filesystem(&pipe.into(), std::process::id(), &budget).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        let filesystem = UNKNOWN.to_owned();
        assert_eq!(budget.not_local(), Some(tracer_core::Limit::FileNotLocal { filesystem }));
    }
}
