use std::{borrow::Cow, path::Path};

use anyhow::{Context as _, Result};
use tracer_core::{Input, Snapshot, Timestamp};

use super::{
    block::{Block, Kind},
    carried::Carried,
    coder::Coder,
    entry::Entry,
    head::Head,
    segments::Segments,
    stream::Packer,
};
use crate::{files::append, wall_clock::WallClock};

/// What has gathered is written when it is so long, when a report is made,
const GATHERED_MAX: usize = 1 << 20;
/// and when more happens after so much time in which there was none.
const GATHERING_MS: u64 = 2_000;

/// Writes down what the judge of a run is told and asked. The first failure ends the recording, not
/// the run.
pub(crate) struct Recorder {
    segments: Segments,
    head: Head,
    coder: Coder,
    packer: Packer,
    carried: Carried,
    /// Entries that are in no block yet.
    gathered: Vec<u8>,
    /// What the next block is.
    kind: Kind,
    shown: String,
    /// The latest moment that was told of.
    at: Timestamp,
    /// That of the latest block.
    safe_until: Timestamp,
    /// Why the recording ends early.
    error: Option<anyhow::Error>,
}

impl Recorder {
    /// Creates the file of a recording that stays below `max_bytes`, if that is given.
    ///
    /// # Errors
    /// The file cannot be written, or is something else.
    pub(crate) fn create(path: &Path, max_bytes: Option<u64>, head: Head) -> Result<Self> {
        let at = Timestamp::default();
        let mut this = Self {
            segments: Segments::create(path, max_bytes)?,
            head,
            coder: Coder::default(),
            packer: Packer::new(),
            carried: Carried::default(),
            gathered: Vec::new(),
            kind: Kind::First,
            shown: path.display().to_string(),
            at,
            safe_until: at,
            error: None,
        };
        this.begin_segment();
        Ok(this)
    }

    /// The judge is told something.
    pub(crate) fn input(&mut self, input: &Input) {
        if self.error.is_some() {
            return;
        }
        match input {
            Input::Snapshot(snapshot) if self.segments.is_long() => self.next_segment(snapshot),
            Input::Event(event) => {
                self.at = self.at.max(event.at);
                if self.at.ms_since(self.safe_until) >= GATHERING_MS {
                    self.write();
                }
            }
            Input::Tick(now) => self.at = *now,
            _ => {}
        }
        for entry in self.coder.encode(input) {
            self.gather(&entry);
        }
        self.carried.note(input);
    }

    /// The judge is asked for its questions.
    pub(crate) fn asked(&mut self, now: Timestamp) {
        self.gather(&Entry::Asked(now));
    }

    /// The judge is asked for a report.
    pub(crate) fn reported(&mut self) {
        self.gather(&Entry::Reported);
        self.write();
    }

    /// What the reader of a report should know of the recording: that it has ended, or no longer
    /// has the beginning.
    pub(crate) fn note(&self) -> Option<String> {
        let ended = self.error.as_ref().map(|error| format!("the recording has ended: {error:#}"));
        ended.or_else(|| dropped_note(self.segments.dropped()))
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// It is not whole: something could not be written at some time.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.write();
        match self.error {
            Some(error) => Err(error),
            None => self.segments.sync().with_context(|| {
                format!("cannot bring {} to the disk; its end may be missing", self.shown)
            }),
        }
    }

    /// What was said before is said again, as far as it still holds, so that it can be dropped.
    fn next_segment(&mut self, snapshot: &Snapshot) {
        self.write();
        self.head.segment += 1;
        self.coder = Coder::default();
        self.packer = Packer::new();
        self.kind = Kind::First;
        self.begin_segment();
        for input in self.carried.inputs(snapshot) {
            self.gather(&Entry::Carried(Cow::Owned(input)));
        }
    }

    fn begin_segment(&mut self) {
        let head = self.head.clone();
        self.gather(&Entry::Head(Box::new(Cow::Owned(head))));
    }

    fn gather(&mut self, entry: &Entry<'_>) {
        if self.error.is_some() {
            return;
        }
        match postcard::to_extend(entry, std::mem::take(&mut self.gathered)) {
            Ok(gathered) => self.gathered = gathered,
            Err(error) => self.error = Some(error.into()),
        }
        if self.gathered.len() >= GATHERED_MAX {
            self.write();
        }
    }

    /// Writes what has gathered as one block.
    fn write(&mut self) {
        if self.error.is_some() || self.gathered.is_empty() {
            return;
        }
        match self.write_block() {
            Ok(()) => self.safe_until = self.at,
            Err(error) => self.error = Some(error),
        }
    }

    fn write_block(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        let payload = self.packer.pack(&gathered)?;
        let unpacked = u32::try_from(gathered.len()).unwrap_or(u32::MAX);
        let block = Block { kind: self.kind, unpacked, payload };
        let bytes = block.to_bytes().with_context(|| {
            format!("{} holds what was {}: more came at once than fits", self.shown, self.until())
        })?;
        self.segments.append(self.kind, &bytes).map_err(|error| {
            anyhow::anyhow!(
                "{}: {} holds what was {}; free some space or name a file on another disk",
                append::cause(&error),
                self.shown,
                self.until()
            )
        })?;
        self.kind = Kind::Next;
        Ok(())
    }

    fn until(&self) -> String {
        format!("until {}", WallClock::from(self.head.anchor).rfc3339(self.safe_until))
    }
}

/// That the oldest part was dropped, if any was.
pub(super) fn dropped_note(dropped: u64) -> Option<String> {
    let parts = if dropped == 1 { "part was" } else { "parts were" };
    let note = format!(
        "the recording does not hold the beginning: its {dropped} oldest {parts} dropped to keep \
         it below --max-size"
    );
    (dropped > 0).then_some(note)
}
