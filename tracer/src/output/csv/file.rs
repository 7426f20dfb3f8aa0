use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::HEADER;
use crate::files::append::{self, AtomicAppender, Remedies};

const REMEDIES: Remedies = Remedies {
    link: "name the file itself, or use -o csv to write to standard output",
    special: "use -o csv to write to a pipe",
};

/// A CSV file that contains only complete rows at all times, even if the process is killed or the
/// disk is full.
pub(crate) struct CsvFile {
    path: PathBuf,
    rows: AtomicAppender<File>,
    /// Rows written by this run, without the header.
    written: u64,
}

impl CsvFile {
    /// Opens the file for appending, or creates it, for its owner only, and writes the header.
    ///
    /// # Errors
    /// The file is not a CSV file of this schema, ends in a partial row, is a symbolic link or not
    /// a regular file, is in use by another tracer, or cannot be written.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let shown = path.display();
        let mut file = append::open(path, REMEDIES)?;
        let length = file.metadata().with_context(|| format!("cannot inspect {shown}"))?.len();
        if length > 0 {
            let complaint = complaint(&mut file).with_context(|| format!("cannot read {shown}"))?;
            if let Some(complaint) = complaint {
                bail!("cannot append to {shown}: {complaint}");
            }
        }
        let mut this =
            Self { path: path.to_owned(), rows: AtomicAppender::new(file, length), written: 0 };
        if length == 0 {
            this.rows.append(HEADER.as_bytes()).map_err(|error| this.describe(&error))?;
        }
        Ok(this)
    }

    /// Appends one row from [`change`](super::change()) or [`remaining`](super::remaining), in one
    /// write.
    ///
    /// # Errors
    /// The row could not be written completely; the part that was written has been removed. Later
    /// rows can be appended once there is room again.
    pub(crate) fn append(&mut self, row: &[u8]) -> Result<()> {
        self.rows.append(row).map_err(|error| self.describe(&error))?;
        self.written += 1;
        Ok(())
    }

    /// Waits until all rows are on disk. Some file systems report only then that they are full.
    ///
    /// # Errors
    /// The last rows may not be on disk.
    pub(crate) fn finish(self) -> Result<()> {
        self.rows.output.sync_data().with_context(|| {
            let shown = self.path.display();
            format!("cannot flush {shown} to disk, so its last rows may be missing")
        })
    }

    fn describe(&self, error: &io::Error) -> anyhow::Error {
        describe(&self.path, self.written, self.rows.is_torn, error)
    }
}

/// Why no row can be appended to an existing file.
fn complaint(file: &mut File) -> io::Result<Option<&'static str>> {
    let mut header = Vec::with_capacity(HEADER.len());
    file.take(HEADER.len() as u64).read_to_end(&mut header)?;
    if header != HEADER.as_bytes() {
        return Ok(Some("its first line is not the header of this schema; choose another file"));
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    let ends_in_partial_row = last != *b"\n";
    Ok(ends_in_partial_row
        .then_some("its last row is incomplete; delete that row or choose another file"))
}

fn describe(path: &Path, written: u64, is_torn: bool, error: &io::Error) -> anyhow::Error {
    let shown = path.display();
    let rows = if written == 1 { "1 row was" } else { &format!("{written} rows were") };
    let cause = append::cause(error);
    let torn = if is_torn { ", followed by part of a row" } else { "" };
    anyhow::anyhow!(
        "cannot append to {shown}: {cause} after {rows} written{torn}; free disk space or choose a \
         file on another disk"
    )
}

#[cfg(test)]
mod tests;
