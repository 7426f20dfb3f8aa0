use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

use anyhow::{Context as _, Result, bail};

use super::{
    Step,
    block::{self, Block, Found, Kind, PREAMBLE_BYTES, VERSION},
    coder::{Coder, Nonsense},
    entry::Entry,
    head::Head,
    recorder::dropped_note,
    stream::Unpacker,
};

const NOTHING: &str = "holds nothing yet: it ended before the first look was recorded";

/// A recording that is read from its beginning.
pub struct Recording {
    shown: String,
    entries: Entries,
    head: Head,
    coder: Coder,
    /// What is carried over is news: no earlier segment was read.
    is_first_segment: bool,
    ending: Option<Ending>,
}

/// How a recording ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With a whole block.
    Whole,
    /// Within a block: whoever wrote it was killed, or the disk was full.
    Torn,
    /// There is something else than what was written, from this byte on.
    Damaged(u64),
}

impl Recording {
    /// Whether the file begins as recordings do.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn is_one(path: &Path) -> io::Result<bool> {
        let mut start = Vec::with_capacity(PREAMBLE_BYTES);
        File::open(path)?.take(PREAMBLE_BYTES as u64).read_to_end(&mut start)?;
        Ok(block::version(&start).is_some())
    }

    /// Opens a file and reads what it begins with.
    ///
    /// # Errors
    /// It cannot be read, is no recording, is one of a newer or older tool, or holds nothing whole.
    pub fn open(path: &Path) -> Result<Self> {
        let shown = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {shown}"))?;
        let mut file = BufReader::new(file);
        let mut start = Vec::with_capacity(PREAMBLE_BYTES);
        let read = file.by_ref().take(PREAMBLE_BYTES as u64).read_to_end(&mut start);
        read.with_context(|| format!("cannot read {shown}"))?;
        match block::version(&start) {
            Some(VERSION) => {}
            Some(other) => bail!(
                "{shown} was recorded by {} tracer, in format {other}; this one reads format \
                 {VERSION}: use that tracer",
                if other > VERSION { "a newer" } else { "an older" }
            ),
            None if block::preamble().starts_with(&start) => bail!("{shown} {NOTHING}"),
            _ => bail!("{shown} is no recording; tracer record makes one"),
        }
        let mut entries = Entries::new(file);
        let found = entries.read_block().with_context(|| format!("cannot read {shown}"))?;
        let head = match found {
            Ok(Kind::First) => entries.next(),
            Ok(Kind::Next) | Err(Ending::Damaged(_)) => None,
            Err(Ending::Whole | Ending::Torn) => bail!("{shown} {NOTHING}"),
        };
        let Some(Entry::Head(head)) = head else {
            bail!("{shown} is damaged from its beginning on");
        };
        Ok(Self {
            shown,
            entries,
            head: head.into_owned(),
            coder: Coder::default(),
            is_first_segment: true,
            ending: None,
        })
    }

    /// What whoever judges has to know.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// How it ends, once it has been read to the end.
    pub(crate) const fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// That it does not hold the beginning of the run, if so.
    pub(crate) fn dropped(&self) -> Option<String> {
        dropped_note(self.head.segment)
    }

    /// The next thing that happened; `None` at the end.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) fn step(&mut self) -> Result<Option<Step>> {
        while self.ending.is_none() {
            if self.entries.is_empty() {
                let read = self.entries.read_block();
                match read.with_context(|| format!("cannot read {}", self.shown))? {
                    Ok(Kind::First) => {
                        (self.coder, self.is_first_segment) = (Coder::default(), false);
                    }
                    Ok(Kind::Next) => {}
                    Err(ending) => self.ending = Some(ending),
                }
                continue;
            }
            let step = match self.entries.next() {
                Some(Entry::Carried(input)) if self.is_first_segment => {
                    return Ok(Some(Step::Input(input.into_owned())));
                }
                Some(entry) => self.coder.decode(entry),
                None => Err(Nonsense),
            };
            match step {
                Ok(Some(step)) => return Ok(Some(step)),
                Ok(None) => {}
                Err(Nonsense) => self.ending = Some(Ending::Damaged(self.entries.block_at)),
            }
        }
        Ok(None)
    }
}

/// The entries of one block after the other.
struct Entries {
    file: BufReader<File>,
    unpacker: Unpacker,
    /// Those of the current block.
    bytes: Vec<u8>,
    /// Where in them the next one begins.
    next: usize,
    /// Where the current block begins in the file, and where it ends.
    block_at: u64,
    block_end: u64,
}

impl Entries {
    fn new(file: BufReader<File>) -> Self {
        let start = PREAMBLE_BYTES as u64;
        Self {
            file,
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

    /// Goes on to the next block, or says why there is none.
    fn read_block(&mut self) -> io::Result<Result<Kind, Ending>> {
        self.block_at = self.block_end;
        let damaged = Err(Ending::Damaged(self.block_at));
        let block = match Block::read(&mut self.file)? {
            Found::End => return Ok(Err(Ending::Whole)),
            Found::Torn => return Ok(Err(Ending::Torn)),
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

    /// The next entry of the block; `None` if it is none.
    fn next(&mut self) -> Option<Entry<'static>> {
        let rest = self.bytes.get(self.next..)?;
        let (entry, after) = postcard::take_from_bytes::<Entry<'static>>(rest).ok()?;
        self.next = self.bytes.len() - after.len();
        Some(entry)
    }
}
