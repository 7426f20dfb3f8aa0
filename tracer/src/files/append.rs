//! Appends to files so that they contain only complete pieces, even after a crash or on a full
//! disk.

use std::{
    ffi::OsStr,
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::{fd::AsFd, unix::fs::OpenOptionsExt},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags, openat};

/// The fixes to suggest if a path is not a regular file.
#[derive(Clone, Copy)]
pub(crate) struct Remedies {
    /// The fix if the path is a symbolic link.
    pub(crate) link: &'static str,
    /// The fix if the path is a pipe, a device or another special file.
    pub(crate) special: &'static str,
}

/// Opens a file for appending and locks it. A new file is readable by its owner only. Symbolic
/// links are not followed: in a directory that an attacker may write to, a link could lead a
/// privileged process to any file.
///
/// # Errors
/// The path is a symbolic link or not a regular file, another program has locked the file, or it
/// cannot be opened.
pub(crate) fn open(path: &Path, remedies: Remedies) -> Result<File> {
    let shown = path.display();
    let file = options().create(true).open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => {
            anyhow::anyhow!("cannot write {shown}: it is a symbolic link; {}", remedies.link)
        }
        _ if error.kind() == ErrorKind::NotFound => anyhow::anyhow!(
            "cannot create {shown}: its directory does not exist; create the directory or choose another file"
        ),
        _ => anyhow::anyhow!("cannot write {shown}: {error}; choose another file"),
    })?;
    let metadata =
        file.metadata().with_context(|| format!("cannot read the metadata of {shown}"))?;
    if !metadata.is_file() {
        bail!("cannot write {shown}: it is not a regular file; {}", remedies.special);
    }
    if !lock(&file) {
        bail!("cannot write {shown}: another program has locked it; choose another file");
    }
    Ok(file)
}

/// Creates a file in a directory, readable by its owner only, and locks it.
///
/// # Errors
/// The file exists, or cannot be created.
pub(crate) fn create_new(directory: impl AsFd, name: &OsStr) -> io::Result<File> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::APPEND | OFlags::CLOEXEC;
    let file = File::from(openat(directory, name, flags, Mode::RUSR | Mode::WUSR)?);
    lock(&file);
    Ok(file)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    // Without O_NONBLOCK, opening a pipe blocks until its other end is open.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK);
    options
}

/// Locks the file; false if another program has locked it. On a file system without locks, nothing
/// prevents two tracers from writing to the same file.
fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Why a file could not be written, as part of an error message.
pub(crate) fn cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull => "disk full".to_owned(),
        ErrorKind::QuotaExceeded => "disk quota exceeded".to_owned(),
        ErrorKind::FileTooLarge => "file size limit reached".to_owned(),
        _ => error.to_string(),
    }
}

/// An output of [`AtomicAppender`].
pub(crate) trait Output: Write {
    /// Truncates it to `length` bytes.
    ///
    /// # Errors
    /// The file cannot be truncated.
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

impl Output for File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Appends complete pieces to an output: a piece that could be written only in part is removed
/// again.
pub(crate) struct AtomicAppender<O> {
    pub(crate) output: O,
    /// Length of the complete pieces, in bytes.
    pub(crate) length: u64,
    /// Whether a partial piece follows them, because it could not be removed.
    pub(crate) is_torn: bool,
}

impl<O: Output> AtomicAppender<O> {
    /// An appender for an output that contains `length` bytes.
    pub(crate) const fn new(output: O, length: u64) -> Self {
        Self { output, length, is_torn: false }
    }

    /// Appends a piece, if possible with a single write.
    ///
    /// # Errors
    /// The piece could not be written completely. The part that was written has been removed, or
    /// will be removed before the next piece is appended.
    pub(crate) fn append(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.output.set_length(self.length)?;
            self.is_torn = false;
        }
        let result = self.output.write_all(piece).and_then(|()| self.output.flush());
        match result {
            Ok(()) => self.length += piece.len() as u64,
            Err(_) => self.is_torn = self.output.set_length(self.length).is_err(),
        }
        result
    }
}

#[cfg(test)]
mod tests;
