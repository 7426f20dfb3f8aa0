use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use tracer_core::Note;

use super::{
    Step,
    block::{self, Block, FILE_HEADER_BYTES, Found, Kind},
    delta_codec::{DeltaCodec, InvalidEntry},
    head::Head,
    recorder::deleted_note,
    stream::Unpacker,
    wire::{Version, Wire as _, entry::Entry},
};
use crate::program;

/// A recording, read from its beginning.
pub struct Recording {
    shown: String,
    entries: Entries,
    head: Head,
    codec: DeltaCodec,
    /// Whether restated inputs are new to the reader, because no earlier segment was read.
    is_first_segment: bool,
    ending: Option<Ending>,
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// After a whole block.
    Whole,
    /// The file ends within a block: the recorder was killed, or the disk was full.
    Truncated,
    /// The bytes from this offset onwards are not what was written.
    Damaged(u64),
    /// The block at this offset is intact and contains an entry that this program does not know.
    Unknown(u64),
}

impl Recording {
    /// Whether the file begins like a recording.
    ///
    /// # Errors
    /// The recording cannot be read.
    pub(crate) fn is_one(path: &Path) -> io::Result<bool> {
        let mut start = Vec::with_capacity(FILE_HEADER_BYTES);
        File::open(path)?.take(FILE_HEADER_BYTES as u64).read_to_end(&mut start)?;
        Ok(block::version(&start).is_some())
    }

    /// Opens a file and reads its beginning.
    ///
    /// # Errors
    /// The file cannot be read, is not a recording, has a format that this program does not read, or ends
    /// before its first complete block.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
        Self::read(file, shown)
    }

    /// Reads the beginning of a recording. Error messages call it `shown`.
    ///
    /// # Errors
    /// The same as those of [`open`](Self::open).
    pub fn read(source: impl Read + 'static, shown: String) -> Result<Self> {
        let mut source: Box<dyn Read> = Box::new(BufReader::new(source));
        let mut start = Vec::with_capacity(FILE_HEADER_BYTES);
        let read = source.by_ref().take(FILE_HEADER_BYTES as u64).read_to_end(&mut start);
        read.with_context(|| format!("cannot read {shown}"))?;
        let version = match block::version(&start) {
            Some(number) => Version::from_number(number)
                .with_context(|| format!("{shown} {}", other_version(number)))?,
            None if block::is_truncated_header(&start) => bail!("{shown} {EMPTY}"),
            None => bail!("{shown} is not a recording; make one with {} record", program::name()),
        };
        let mut entries = Entries::new(source, version);
        let found = entries.read_block().with_context(|| format!("cannot read {shown}"))?;
        let head = match found {
            Ok(Kind::First) => entries.next(),
            Err(Ending::Whole | Ending::Truncated) => bail!("{shown} {EMPTY}"),
            Ok(Kind::Next) | Err(_) => bail!("{shown} is damaged from the beginning"),
        };
        let Some(Entry::Head(head)) = head else {
            bail!(
                "{shown} begins with an entry that this version of tracer does not know; replay it \
                 with the version that recorded it"
            );
        };
        Ok(Self {
            shown,
            entries,
            head: *head.to_core(),
            codec: DeltaCodec::default(),
            is_first_segment: true,
            ending: None,
        })
    }

    /// What analyzing it requires in addition to the inputs.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How the recording ends, once it has been read to the end.
    pub(crate) const fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// A note, if it does not contain the beginning of the run.
    pub(crate) fn deleted(&self) -> Option<Note> {
        deleted_note(self.head.segment)
    }

    /// The next step; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn step(&mut self) -> Result<Option<Step>> {
        while self.ending.is_none() {
            if self.entries.is_empty() {
                let read = self.entries.read_block();
                match read.with_context(|| format!("cannot read {}", self.shown))? {
                    Ok(Kind::First) => {
                        (self.codec, self.is_first_segment) = (DeltaCodec::default(), false);
                    }
                    Ok(Kind::Next) => {}
                    Err(ending) => self.ending = Some(ending),
                }
                continue;
            }
            let step = match self.entries.next() {
                Some(Entry::Restated(input)) if self.is_first_segment => {
                    return Ok(Some(Step::Input(input.to_core())));
                }
                Some(entry) => self.codec.decode(entry),
                None => Err(InvalidEntry),
            };
            match step {
                Ok(Some(step)) => return Ok(Some(step)),
                Ok(None) => {}
                Err(InvalidEntry) => self.ending = Some(Ending::Unknown(self.entries.block_at)),
            }
        }
        Ok(None)
    }
}

const EMPTY: &str = "contains no snapshot: the recording ended before the first one was written";

/// The error for a recording of a format that this program does not read, with what to do.
fn other_version(number: u16) -> String {
    let [oldest, .., newest] = Version::ALL.map(Version::number);
    let which = if number > newest { "newer" } else { "older" };
    format!(
        "has recording format {number}, and this version of tracer reads formats {oldest} to \
         {newest}; replay it with the {which} version that recorded it"
    )
}

/// The entries of successive blocks.
struct Entries {
    source: Box<dyn Read>,
    version: Version,
    unpacker: Unpacker,
    /// The bytes of the current block.
    bytes: Vec<u8>,
    /// The index of the next entry in `bytes`.
    next: usize,
    /// The offsets in the file of the current block and of the next one.
    block_at: u64,
    block_end: u64,
}

impl Entries {
    fn new(source: Box<dyn Read>, version: Version) -> Self {
        let start = FILE_HEADER_BYTES as u64;
        Self {
            source,
            version,
            unpacker: Unpacker::new(),
            bytes: Vec::new(),
            next: 0,
            block_at: start,
            block_end: start,
        }
    }

    const fn is_empty(&self) -> bool {
        self.next == self.bytes.len()
    }

    /// Reads the next block, or returns how the file ends.
    fn read_block(&mut self) -> io::Result<Result<Kind, Ending>> {
        self.block_at = self.block_end;
        let damaged = Err(Ending::Damaged(self.block_at));
        let block = match Block::read(&mut self.source)? {
            Found::End => return Ok(Err(Ending::Whole)),
            Found::Truncated => return Ok(Err(Ending::Truncated)),
            Found::Damaged => return Ok(damaged),
            Found::Block(block) => block,
        };
        if block.kind == Kind::First {
            self.unpacker = Unpacker::new();
        }
        let Ok(bytes) = self.unpacker.unpack(&block.payload, block.unpacked as usize) else {
            return Ok(damaged);
        };
        (self.bytes, self.next) = (bytes, 0);
        self.block_end += block.length();
        Ok(Ok(block.kind))
    }

    /// The next entry of the block; `None` if it is not one of this version.
    fn next(&mut self) -> Option<Entry> {
        let (entry, length) = self.version.take_entry(self.bytes.get(self.next..)?)?;
        self.next += length;
        Some(entry)
    }
}
