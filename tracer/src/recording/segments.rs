//! The file of a recording while it is written, and what becomes of its oldest parts.

use std::{
    collections::VecDeque,
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::block::{self, Kind, PREAMBLE_BYTES};
use crate::files::append::{self, Remedies, Whole};

const REMEDIES: Remedies = Remedies { link: "name the file itself", special: "name another file" };
/// A segment is about so long where the size of the file is not limited.
const SEGMENT_BYTES: u64 = 8 << 20;
/// One part in so many of the limit is a segment, where there is one.
const SEGMENT_SHARE: u64 = 8;

/// Appends blocks, and drops the oldest segments to make room.
pub(super) struct Segments {
    path: PathBuf,
    file: Whole<File>,
    max_bytes: Option<u64>,
    /// Bytes of each segment in the file, the oldest first.
    lengths: VecDeque<u64>,
    /// How many were dropped.
    dropped: u64,
}

impl Segments {
    /// Creates the file, for its owner only. An earlier recording of this name is kept, as `.old`.
    ///
    /// # Errors
    /// The path leads to something else than a recording, or cannot be written.
    pub(super) fn create(path: &Path, max_bytes: Option<u64>) -> Result<Self> {
        let shown = path.display();
        let mut file = append::open(path, REMEDIES)?;
        let length = file.metadata().with_context(|| format!("cannot inspect {shown}"))?.len();
        let is_recording = is_recording(&mut file);
        if !is_recording.with_context(|| format!("cannot read {shown}"))? {
            bail!("cannot write {shown}: it is something else than a recording; name another file");
        }
        if length > PREAMBLE_BYTES as u64 {
            keep_old(path)?;
            let created = append::create_new(path);
            file = created.with_context(|| format!("cannot create {shown}; name another file"))?;
        } else {
            // One that ended before it began.
            file.set_len(0).with_context(|| format!("cannot write {shown}"))?;
        }
        let mut file = Whole::new(file, 0);
        file.append(&block::preamble()).map_err(|error| {
            anyhow::anyhow!("{}: {shown}; name a file on another disk", append::cause(&error))
        })?;
        let lengths = VecDeque::new();
        Ok(Self { path: path.to_owned(), file, max_bytes, lengths, dropped: 0 })
    }

    /// The latest segment is as long as one should be.
    pub(super) fn is_long(&self) -> bool {
        let segment = self.max_bytes.map_or(SEGMENT_BYTES, |max| max / SEGMENT_SHARE);
        self.lengths.back().is_some_and(|length| *length >= segment.min(SEGMENT_BYTES))
    }

    /// How many segments were dropped.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Appends a block.
    ///
    /// # Errors
    /// It could not be written: the blocks before it are whole.
    pub(super) fn append(&mut self, kind: Kind, bytes: &[u8]) -> io::Result<()> {
        let length = bytes.len() as u64;
        self.make_room(kind, length)?;
        self.file.append(bytes)?;
        match (kind, self.lengths.back_mut()) {
            (Kind::Next, Some(last)) => *last += length,
            _ => self.lengths.push_back(length),
        }
        Ok(())
    }

    /// Waits until all is on the disk.
    ///
    /// # Errors
    /// Some of it may be missing there.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.output.sync_data()
    }

    /// Drops old segments if the file would get too long: so many that this is rarely needed, and
    /// none that is still written to.
    fn make_room(&mut self, kind: Kind, length: u64) -> io::Result<()> {
        let Some(max_bytes) = self.max_bytes else { return Ok(()) };
        if self.file.length + length <= max_bytes {
            return Ok(());
        }
        let in_use = usize::from(kind == Kind::Next);
        let (mut left, mut count) = (self.file.length, 0);
        for dropped in self.lengths.iter().take(self.lengths.len().saturating_sub(in_use)) {
            if left + length <= max_bytes / 4 * 3 {
                break;
            }
            left -= dropped;
            count += 1;
        }
        if count > 0 { self.drop_oldest(count) } else { Ok(()) }
    }

    /// Writes what is to stay to a file beside this one, which then takes its place: at any moment
    /// there is a whole recording of this name.
    fn drop_oldest(&mut self, count: usize) -> io::Result<()> {
        let beside = beside(&self.path, ".new");
        // One that a crash has left behind.
        let _ = fs::remove_file(&beside);
        let kept = self.copy_to(&beside, count);
        let renamed = kept.and_then(|kept| fs::rename(&beside, &self.path).map(|()| kept));
        match renamed {
            Ok(kept) => self.file = kept,
            Err(error) => {
                let _ = fs::remove_file(&beside);
                return Err(error);
            }
        }
        self.lengths.drain(..count);
        self.dropped += count as u64;
        Ok(())
    }

    fn copy_to(&mut self, path: &Path, count: usize) -> io::Result<Whole<File>> {
        let mut copy = append::create_new(path)?;
        copy.write_all(&block::preamble())?;
        let dropped: u64 = self.lengths.iter().take(count).sum();
        let preamble = PREAMBLE_BYTES as u64;
        self.file.output.seek(SeekFrom::Start(preamble + dropped))?;
        let left = self.file.length - preamble - dropped;
        let copied = io::copy(&mut (&self.file.output).take(left), &mut copy)?;
        if copied != left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        copy.sync_data()?;
        Ok(Whole::new(copy, preamble + left))
    }
}

/// It begins as recordings do, or as one that was cut in its first bytes, be it before all.
fn is_recording(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::with_capacity(PREAMBLE_BYTES);
    file.take(PREAMBLE_BYTES as u64).read_to_end(&mut start)?;
    Ok(block::version(&start).is_some() || block::preamble().starts_with(&start))
}

/// Renames an earlier recording, unless it would take the place of something that is none.
fn keep_old(path: &Path) -> Result<()> {
    let old = beside(path, ".old");
    let (shown, shown_old) = (path.display(), old.display());
    if fs::symlink_metadata(&old).is_ok() {
        let mut file = append::open(&old, REMEDIES)?;
        let is_recording = is_recording(&mut file);
        if !is_recording.with_context(|| format!("cannot read {shown_old}"))? {
            bail!(
                "cannot keep the recording {shown} as {shown_old}: that is something else; name \
                 another file"
            );
        }
    }
    fs::rename(path, &old).with_context(|| format!("cannot keep {shown} as {shown_old}"))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
