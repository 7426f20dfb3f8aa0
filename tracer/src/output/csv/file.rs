use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::HEADER;
use crate::files::append::{self, Remedies, Whole};

const REMEDIES: Remedies = Remedies {
    link: "name the file itself, or use -o csv to write to standard output",
    special: "use -o csv to write to a pipe",
};

/// A CSV file that holds whole rows at any time, whatever happens to the process or the disk.
pub(crate) struct CsvFile {
    path: PathBuf,
    rows: Whole<File>,
    /// Rows written by this run, without the header.
    written: u64,
}

impl CsvFile {
    /// Opens the file for appending, or creates it, for its owner only, and writes the header.
    ///
    /// # Errors
    /// The file is something else than a CSV file of this schema, ends in half a row, is a symbolic
    /// link or no regular file, belongs to another tracer that runs, or cannot be written.
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
        let mut this = Self { path: path.to_owned(), rows: Whole::new(file, length), written: 0 };
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
        self.written += 1;
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
        describe(&self.path, self.written, self.rows.is_torn, error)
    }
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
    let cause = append::cause(error);
    let torn = if is_torn { ", and half a row that could not be taken back" } else { "" };
    anyhow::anyhow!(
        "{cause}: {rows} safe in {shown}{torn}; free some space or name a file on another disk"
    )
}

#[cfg(test)]
mod tests;
