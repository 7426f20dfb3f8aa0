//! Opens files that a watched process controls.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
};

/// Opens a file for reading, if it is a regular file. Opening a FIFO can block, and opening a device
/// can have side effects, so the type is checked on a file descriptor that opens nothing (`O_PATH`).
///
/// # Errors
/// It does not exist, may not be read, or is not a regular file.
pub fn open(path: impl AsRef<Path>) -> io::Result<(File, Metadata)> {
    open_with(path.as_ref(), 0)
}

/// The same, unless the last component of the path is a symbolic link.
///
/// # Errors
/// Those of [`open`]; or it is a symbolic link.
pub fn open_no_follow(path: impl AsRef<Path>) -> io::Result<(File, Metadata)> {
    open_with(path.as_ref(), libc::O_NOFOLLOW)
}

fn open_with(path: &Path, flags: libc::c_int) -> io::Result<(File, Metadata)> {
    let place = OpenOptions::new().read(true).custom_flags(libc::O_PATH | flags).open(path)?;
    check(&place.metadata()?)?;
    // The same file, even if the path leads to another one by now.
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(link)?;
    let metadata = file.metadata()?;
    check(&metadata)?;
    Ok((file, metadata))
}

fn check(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Read as _, os::unix::fs::symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

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
            let mut text = String::new();
            open(path(name)).unwrap().0.read_to_string(&mut text).unwrap();
            assert_eq!(text, "text");
        }
        assert!(open_no_follow(path("file")).is_ok());
        assert!(open_no_follow(path("link")).is_err());
        for other in [path("fifo"), path("device"), path("absent"), directory.path().to_owned()] {
            assert!(open(&other).is_err(), "{}", other.display());
            assert!(open_no_follow(&other).is_err(), "{}", other.display());
        }
    }
}
