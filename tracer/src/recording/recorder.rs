use std::path::Path;

use anyhow::{Context as _, Result};
use tracer_core::{Input, Note, Snapshot, Timestamp};

use super::{
    block::{Block, Kind},
    delta_codec::DeltaCodec,
    head::Head,
    segment_preamble::SegmentPreamble,
    segments::Segments,
    stream::Packer,
    wire::{self, Wire as _, entry::Entry},
};
use crate::files::append;

/// Number of pending bytes at which entries are written without waiting for the next report.
const PENDING_MAX: usize = 1 << 20;
/// Milliseconds without a new block after which the next event writes the pending entries. A run
/// that receives only events makes no report that would write them.
const PENDING_MAX_MS: u64 = 2_000;

/// Records the calls of a run's detector. The first error ends the recording, not the run: every block
/// before it stays readable, and the run's own output is complete.
pub(crate) struct Recorder {
    segments: Segments,
    head: Head,
    codec: DeltaCodec,
    packer: Packer,
    preamble: SegmentPreamble,
    /// Entries that are in no block yet, encoded.
    pending: Vec<u8>,
    /// Kind of the next block.
    kind: Kind,
    shown: String,
    /// The latest time of an input.
    at: Timestamp,
    /// The latest time of an input that is in a block.
    written_until: Timestamp,
    /// Why the recording ended early.
    error: Option<anyhow::Error>,
}

impl Recorder {
    /// Creates the file of a recording, which stays below `max_bytes` if that is given.
    ///
    /// # Errors
    /// The file exists and is not a recording, or cannot be written.
    pub(crate) fn create(path: &Path, max_bytes: Option<u64>, head: Head) -> Result<Self> {
        let at = Timestamp::default();
        let mut this = Self {
            segments: Segments::create(path, max_bytes)?,
            head,
            codec: DeltaCodec::default(),
            packer: Packer::new(),
            preamble: SegmentPreamble::default(),
            pending: Vec::new(),
            kind: Kind::First,
            shown: path.display().to_string(),
            at,
            written_until: at,
            error: None,
        };
        this.begin_segment();
        Ok(this)
    }

    /// Whether the file is replaced from time to time.
    pub(crate) const fn replaces_file(&self) -> bool {
        self.segments.is_limited()
    }

    /// Records an input.
    pub(crate) fn input(&mut self, input: &Input) {
        if self.error.is_some() {
            return;
        }
        match input {
            Input::Snapshot(snapshot) if self.segments.is_long() => self.next_segment(snapshot),
            Input::Event(event) => {
                self.at = self.at.max(event.at);
                if self.at.ms_since(self.written_until) >= PENDING_MAX_MS {
                    self.write();
                }
            }
            Input::Tick(now) => self.at = *now,
            _ => {}
        }
        for entry in self.codec.encode(input) {
            self.push(&entry);
        }
        self.preamble.update(input);
    }

    /// Records that the detector is asked for its questions.
    pub(crate) fn asked(&mut self, now: Timestamp) {
        self.push(&Entry::Asked(wire::time::Time::from_core(&now)));
    }

    /// Records that the detector is asked for a report.
    pub(crate) fn reported(&mut self) {
        self.push(&Entry::Reported);
        self.write();
    }

    /// A note for the report, if the recording ended early or no longer contains the beginning.
    pub(crate) fn note(&self) -> Option<Note> {
        let stopped = self.error.as_ref().map(|error| format!("{error:#}"));
        let stopped = stopped.map(|detail| Note::RecordingStopped { detail });
        stopped.or_else(|| deleted_note(self.segments.deleted()))
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The recording ended early, or its end may not be on the disk.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.write();
        match self.error {
            Some(error) => Err(error),
            None => self.segments.sync().map_err(|error| {
                anyhow::anyhow!(
                    "cannot write {} to the disk ({error}), so its end may be missing; check that \
                     disk, and name a file on another one",
                    self.shown
                )
            }),
        }
    }

    /// Begins a segment before `snapshot`. Earlier inputs that are still in effect are written
    /// again, so that earlier segments can be deleted.
    fn next_segment(&mut self, snapshot: &Snapshot) {
        self.write();
        self.head.segment += 1;
        self.codec = DeltaCodec::default();
        self.packer = Packer::new();
        self.kind = Kind::First;
        self.begin_segment();
        for input in self.preamble.inputs(snapshot) {
            self.push(&Entry::Restated(input));
        }
    }

    fn begin_segment(&mut self) {
        let head = wire::head::Head::from_core(&self.head);
        self.push(&Entry::Head(Box::new(head)));
    }

    fn push(&mut self, entry: &Entry) {
        if self.error.is_some() {
            return;
        }
        match postcard::to_extend(entry, std::mem::take(&mut self.pending)) {
            Ok(pending) => self.pending = pending,
            // Encoding an entry into memory does not fail.
            Err(error) => self.error = Some(error.into()),
        }
        if self.pending.len() >= PENDING_MAX {
            self.write();
        }
    }

    /// Writes the pending entries as one block.
    fn write(&mut self) {
        if self.error.is_some() || self.pending.is_empty() {
            return;
        }
        match self.write_block() {
            Ok(()) => self.written_until = self.at,
            Err(error) => self.error = Some(error),
        }
    }

    fn write_block(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let payload = self.packer.pack(&pending)?;
        let unpacked = u32::try_from(pending.len()).unwrap_or(u32::MAX);
        let block = Block { kind: self.kind, unpacked, payload };
        let bytes = block.to_bytes().with_context(|| {
            format!(
                "{}: one process has more connections than a block of the file can hold; record \
                 fewer processes (--pid, --comm)",
                self.extent()
            )
        })?;
        self.segments.append(self.kind, &bytes).map_err(|error| {
            anyhow::anyhow!(
                "{}: {}; free some space, or name a file on another disk",
                append::cause(&error),
                self.extent()
            )
        })?;
        self.kind = Kind::Next;
        Ok(())
    }

    /// A phrase that says until when the recording is complete.
    fn extent(&self) -> String {
        let Self { shown, head, written_until, .. } = self;
        if *written_until == Timestamp::default() {
            return format!("{shown} is empty");
        }
        format!("{shown} ends at {}", head.clock.rfc3339(*written_until))
    }
}

/// A note, if the oldest segments were deleted.
pub(super) const fn deleted_note(segments: u64) -> Option<Note> {
    if segments == 0 { None } else { Some(Note::RecordingSegmentsDeleted { segments }) }
}
