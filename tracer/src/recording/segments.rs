//! The file of a recording while it is being written, and the deletion of its oldest segments.

use std::{
    collections::VecDeque,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{MetadataExt as _, fchown},
    },
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, renameat, unlinkat};

use super::{
    block::{self, FILE_HEADER_BYTES, Kind},
    wire::Version,
};
use crate::files::append::{self, AtomicAppender, Remedies};

const REMEDIES: Remedies = Remedies { link: "name the file itself", special: "name another file" };
/// Length of a segment if the size of the file is not limited, in bytes.
const SEGMENT_BYTES: u64 = 8 << 20;
/// If the size of the recording is limited, the number of segments for which the limit has room.
const SEGMENTS_PER_LIMIT: u64 = 8;

/// Appends blocks, and deletes the oldest segments to keep the file below its limit.
pub(super) struct Segments {
    /// The directory of the file, opened before `tracer` drops its privileges.
    directory: OwnedFd,
    /// The name of the file in it.
    name: OsString,
    file: AtomicAppender<File>,
    max_bytes: Option<u64>,
    /// Length of each segment in the file in bytes, the oldest first.
    lengths: VecDeque<u64>,
    /// How many segments were deleted.
    deleted: u64,
}

impl Segments {
    /// Creates the file, with access for its owner only. An earlier recording of this name is kept
    /// as `.old`.
    ///
    /// # Errors
    /// The file exists and is not a recording, or it cannot be written.
    pub(super) fn create(path: &Path, max_bytes: Option<u64>) -> Result<Self> {
        let shown = path.display();
        let mut file = append::open(path, REMEDIES)?;
        let length = file.metadata().with_context(|| format!("cannot inspect {shown}"))?.len();
        let is_recording = is_recording(&mut file);
        if !is_recording.with_context(|| format!("cannot read {shown}"))? {
            bail!(
                "cannot write {shown}: the file exists and is not a recording; name another file"
            );
        }
        let (directory, name) = split(path).with_context(|| format!("cannot open {shown}"))?;
        if length > FILE_HEADER_BYTES as u64 {
            keep_old(path)?;
            let created = append::create_new(&directory, &name);
            file = created.with_context(|| format!("cannot create {shown}; name another file"))?;
        } else {
            // An empty recording.
            file.set_len(0).with_context(|| format!("cannot write {shown}"))?;
        }
        let mut file = AtomicAppender::new(file, 0);
        file.append(&file_header()).map_err(|error| {
            anyhow::anyhow!("{}: {shown}; name a file on another disk", append::cause(&error))
        })?;
        let lengths = VecDeque::new();
        Ok(Self { directory, name, file, max_bytes, lengths, deleted: 0 })
    }

    /// Whether the size of the file is limited, so that it is replaced from time to time.
    pub(super) const fn is_limited(&self) -> bool {
        self.max_bytes.is_some()
    }

    /// Whether the current segment is long enough for the next one to begin.
    pub(super) fn is_long(&self) -> bool {
        let segment = self.max_bytes.map_or(SEGMENT_BYTES, |max| max / SEGMENTS_PER_LIMIT);
        self.lengths.back().is_some_and(|length| *length >= segment.min(SEGMENT_BYTES))
    }

    /// How many segments were deleted.
    pub(super) const fn deleted(&self) -> u64 {
        self.deleted
    }

    /// Appends a block.
    ///
    /// # Errors
    /// The block could not be written. The blocks before it are intact.
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

    /// Waits until everything is on the disk.
    ///
    /// # Errors
    /// The end of the file may not be on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.output.sync_data()
    }

    /// Deletes old segments if the file would exceed its limit. It deletes down to three quarters
    /// of the limit, so that this is rare, but never the segment that is being written.
    fn make_room(&mut self, kind: Kind, length: u64) -> io::Result<()> {
        let Some(max_bytes) = self.max_bytes else { return Ok(()) };
        if self.file.length + length <= max_bytes {
            return Ok(());
        }
        let in_use = usize::from(kind == Kind::Next);
        let (mut left, mut count) = (self.file.length, 0);
        for segment in self.lengths.iter().take(self.lengths.len().saturating_sub(in_use)) {
            if left + length <= max_bytes / 4 * 3 {
                break;
            }
            left -= segment;
            count += 1;
        }
        if count > 0 { self.delete_oldest(count) } else { Ok(()) }
    }

    /// Copies the remaining segments to a file next to this one and renames it, so that a complete
    /// recording exists under this name at all times.
    fn delete_oldest(&mut self, count: usize) -> io::Result<()> {
        let new = with_ending(&self.name, ".new");
        // A crash may have left such a file behind.
        let _ = unlinkat(&self.directory, &new, AtFlags::empty());
        let kept = self.copy_to(&new, count);
        let renamed = kept.and_then(|kept| {
            renameat(&self.directory, &new, &self.directory, &self.name)?;
            Ok(kept)
        });
        match renamed {
            Ok(kept) => self.file = kept,
            Err(error) => {
                let _ = unlinkat(&self.directory, &new, AtFlags::empty());
                return Err(error);
            }
        }
        self.lengths.drain(..count);
        self.deleted += count as u64;
        Ok(())
    }

    fn copy_to(&mut self, name: &OsStr, count: usize) -> io::Result<AtomicAppender<File>> {
        let mut copy = append::create_new(&self.directory, name)?;
        // This process may now run as a different user from the one that created the file.
        let (old, new) = (self.file.output.metadata()?, copy.metadata()?);
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            fchown(&copy, Some(old.uid()), Some(old.gid()))?;
        }
        copy.write_all(&file_header())?;
        let deleted: u64 = self.lengths.iter().take(count).sum();
        let header = FILE_HEADER_BYTES as u64;
        self.file.output.seek(SeekFrom::Start(header + deleted))?;
        let left = self.file.length - header - deleted;
        let copied = io::copy(&mut (&self.file.output).take(left), &mut copy)?;
        if copied != left {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        copy.sync_data()?;
        Ok(AtomicAppender::new(copy, header + left))
    }
}

/// Whether the file begins like a recording. A file truncated within its header counts, and so does
/// an empty one.
fn is_recording(file: &mut File) -> io::Result<bool> {
    let mut start = Vec::with_capacity(FILE_HEADER_BYTES);
    file.take(FILE_HEADER_BYTES as u64).read_to_end(&mut start)?;
    Ok(block::version(&start).is_some() || block::is_truncated_header(&start))
}

/// Renames an earlier recording to `.old`, unless a file of that name exists and is not a
/// recording.
fn keep_old(path: &Path) -> Result<()> {
    let old = with_ending(path.as_os_str(), ".old");
    let old = Path::new(&old);
    let (shown, shown_old) = (path.display(), old.display());
    if fs::symlink_metadata(old).is_ok() {
        let mut file = append::open(old, REMEDIES)?;
        let is_recording = is_recording(&mut file);
        if !is_recording.with_context(|| format!("cannot read {shown_old}"))? {
            bail!(
                "cannot rename the earlier recording {shown} to {shown_old}: that file exists and is \
                 not a recording; name another file"
            );
        }
    }
    fs::rename(path, old).map_err(|error| {
        anyhow::anyhow!(
            "cannot rename the earlier recording {shown} to {shown_old}: {error}; name another file"
        )
    })
}

fn file_header() -> [u8; FILE_HEADER_BYTES] {
    block::file_header(Version::CURRENT.number())
}

/// The directory of a file, and the name of the file in it.
fn split(path: &Path) -> io::Result<(OwnedFd, OsString)> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?.to_owned();
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = openat(CWD, directory.unwrap_or(Path::new(".")), flags, Mode::empty())?;
    Ok((directory, name))
}

fn with_ending(name: &OsStr, ending: &str) -> OsString {
    let mut name = name.to_owned();
    name.push(ending);
    name
}
