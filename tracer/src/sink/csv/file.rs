use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read, Seek, SeekFrom, Write},
    os::{fd::AsRawFd, unix::fs::OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::HEADER;

/// A CSV file that holds whole rows at any time, whatever happens to the process or the disk.
pub(crate) struct CsvFile {
    path: PathBuf,
    rows: WholeRows<File>,
}

impl CsvFile {
    /// Opens the file for appending, or creates it, for its owner only, and writes the header.
    ///
    /// # Errors
    /// The file is something else than a CSV file of this schema, ends in half a row, is a symbolic
    /// link or no regular file, belongs to another tracer that runs, or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut file = open(path)?;
        let length = file.metadata().with_context(|| format!("cannot inspect {shown}"))?.len();
        if length > 0 {
            let complaint = complaint(&mut file).with_context(|| format!("cannot read {shown}"))?;
            if let Some(complaint) = complaint {
                bail!("cannot append to {shown}: {complaint}");
            }
        }
        let mut this = Self {
            path: path.to_owned(),
            rows: WholeRows { output: file, length, is_torn: false, written: 0 },
        };
        if length == 0 {
            this.rows.append(HEADER.as_bytes()).map_err(|error| this.describe(&error))?;
        }
        Ok(this)
    }

    /// Appends one row, as [`change`](super::change()) or [`remaining`](super::remaining) made it,
    /// in one write.
    ///
    /// # Errors
    /// It could not be written whole: what was written of it has been taken back. A later row may
    /// be tried; it fits if there is room again.
    pub(crate) fn append(&mut self, row: &[u8]) -> Result<()> {
        self.rows.append(row).map_err(|error| self.describe(&error))?;
        self.rows.written += 1;
        Ok(())
    }

    /// Waits until all rows are on the disk. A file system may notice only now that it is full.
    ///
    /// # Errors
    /// Some rows may be missing on the disk.
    pub(crate) fn finish(self) -> Result<()> {
        self.rows.output.sync_data().with_context(|| {
            let shown = self.path.display();
            format!("cannot bring {shown} to the disk; its last rows may be missing")
        })
    }

    fn describe(&self, error: &io::Error) -> anyhow::Error {
        describe(&self.path, self.rows.written, self.rows.is_torn, error)
    }
}

/// Opens without following a link: a privileged process is easily led to a file of an
/// attacker's choice by a link in a directory that both may write to.
fn open(path: &Path) -> Result<File> {
    let shown = path.display();
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        // Without O_NONBLOCK, opening a pipe could wait for its other end.
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC | libc::O_NONBLOCK)
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => anyhow::anyhow!(
                "cannot write {shown}: it is a symbolic link; name the file itself, or use -o csv \
                 to write to standard output"
            ),
            _ if error.kind() == ErrorKind::NotFound => anyhow::anyhow!(
                "cannot create {shown}: its directory does not exist; create that or name another \
                 file"
            ),
            _ => anyhow::anyhow!("cannot write {shown}: {error}; name another file"),
        })?;
    let metadata = file.metadata().with_context(|| format!("cannot inspect {shown}"))?;
    if !metadata.is_file() {
        bail!("cannot write {shown}: it is not a regular file; use -o csv to write to a pipe");
    }
    // SAFETY: the descriptor is open for as long as `file` lives; flock touches no memory of ours.
    if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
        let error = io::Error::last_os_error();
        if error.kind() == ErrorKind::WouldBlock {
            bail!("cannot write {shown}: another program has it locked; name another file");
        }
        // A file system without locks: two tracers on one file are the user's own lookout there.
    }
    Ok(file)
}

/// Why no row can be appended to a file that holds something already.
fn complaint(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut header = Vec::with_capacity(HEADER.len());
    file.take(HEADER.len() as u64).read_to_end(&mut header)?;
    if header != HEADER.as_bytes() {
        return Ok(Some("its first line is not the header of this schema; name another file"));
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    let ends_in_half_a_row = last != *b"\n";
    Ok(ends_in_half_a_row.then_some("it ends in half a row; remove that or name another file"))
}

fn describe(path: &Path, written: u64, is_torn: bool, error: &io::Error) -> anyhow::Error {
    let shown = path.display();
    let rows = if written == 1 { "1 row is" } else { &format!("{written} rows are") };
    let cause = match error.kind() {
        ErrorKind::StorageFull => "disk full".to_owned(),
        ErrorKind::QuotaExceeded => "disk quota exceeded".to_owned(),
        ErrorKind::FileTooLarge => "file size limit reached".to_owned(),
        _ => format!("cannot write ({error})"),
    };
    let torn = if is_torn { ", and half a row that could not be taken back" } else { "" };
    anyhow::anyhow!(
        "{cause}: {rows} safe in {shown}{torn}; free some space or name a file on another disk"
    )
}

/// What a file is to [`WholeRows`].
trait Output: Write {
    /// Cuts off everything from `length` on.
    fn set_length(&mut self, length: u64) -> io::Result<()>;
}

impl Output for File {
    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}

/// Appends rows to an output and takes back what was written of one that did not fit.
struct WholeRows<O> {
    output: O,
    /// Length of the whole rows, in bytes.
    length: u64,
    /// There is half a row after them that could not be taken back.
    is_torn: bool,
    /// Rows written by this run, without the header.
    written: u64,
}

impl<O: Output> WholeRows<O> {
    fn append(&mut self, row: &[u8]) -> io::Result<()> {
        if self.is_torn {
            self.output.set_length(self.length)?;
            self.is_torn = false;
        }
        let result = self.output.write_all(row).and_then(|()| self.output.flush());
        match result {
            Ok(()) => self.length += row.len() as u64,
            Err(_) => self.is_torn = self.output.set_length(self.length).is_err(),
        }
        result
    }
}

#[cfg(test)]
mod tests;
