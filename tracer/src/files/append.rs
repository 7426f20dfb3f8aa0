//! Files that hold whole pieces at any time, whatever happens to the process or the disk.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use anyhow::{Context as _, Result, bail};

/// What to do instead, if a path does not lead to a regular file.
#[derive(Clone, Copy)]
pub(crate) struct Remedies {
    /// It is a symbolic link.
    pub(crate) link: &'static str,
    /// It is a pipe, a device or the like.
    pub(crate) special: &'static str,
}

/// Opens for appending, or creates for its owner only, without following a link: a privileged
/// process is easily led to a file of an attacker's choice by a link in a directory that both may
/// write to. The file is locked for as long as it is open.
///
/// # Errors
/// It is a symbolic link or no regular file, it is locked by another program, or it cannot be
/// opened.
pub(crate) fn open(path: &Path, remedies: Remedies) -> Result<File> {
    let shown = path.display();
    let file = options().create(true).open(path).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => {
            anyhow::anyhow!("cannot write {shown}: it is a symbolic link; {}", remedies.link)
        }
        _ if error.kind() == ErrorKind::NotFound => anyhow::anyhow!(
            "cannot create {shown}: its directory does not exist; create that or name another file"
        ),
        _ => anyhow::anyhow!("cannot write {shown}: {error}; name another file"),
    })?;
    let metadata = file.metadata().with_context(|| format!("cannot inspect {shown}"))?;
    if !metadata.is_file() {
        bail!("cannot write {shown}: it is not a regular file; {}", remedies.special);
    }
    if !lock(&file) {
        bail!("cannot write {shown}: another program has it locked; name another file");
    }
    Ok(file)
}

/// Creates a file that is not there yet, for its owner only, and locks it.
///
/// # Errors
/// It is there, or cannot be created.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    let file = options().create_new(true).open(path)?;
    lock(&file);
    Ok(file)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).mode(0o600);
    // Without O_NONBLOCK, opening a pipe could wait for its other end.
    options.custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK);
    options
}

/// Gives false if another program has it locked. On a file system without locks, two tracers on one
/// file are the user's own lookout.
fn lock(file: &File) -> bool {
    !matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Why a file could not be written, in words.
pub(crate) fn cause(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::StorageFull => "disk full".to_owned(),
        ErrorKind::QuotaExceeded => "disk quota exceeded".to_owned(),
        ErrorKind::FileTooLarge => "file size limit reached".to_owned(),
        _ => format!("cannot write ({error})"),
    }
}

/// What a file is to [`Whole`].
pub(crate) trait Output: Write {
    /// Cuts off everything from `length` on.
    ///
    /// # Errors
    /// It cannot be cut.
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

impl Output for File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Appends pieces to an output and takes back what was written of one that did not fit.
pub(crate) struct Whole<O> {
    pub(crate) output: O,
    /// Length of the whole pieces, in bytes.
    pub(crate) length: u64,
    /// There is part of a piece after them that could not be taken back.
    pub(crate) is_torn: bool,
}

impl<O: Output> Whole<O> {
    /// An output that holds so many bytes.
    pub(crate) const fn new(output: O, length: u64) -> Self {
        Self { output, length, is_torn: false }
    }

    /// Appends a piece, in one write if the output takes it so.
    ///
    /// # Errors
    /// It could not be written whole, and was taken back if that could be. Another one may be
    /// tried: it fits if there is room again.
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
