//! The sections and segments of a 64-bit little-endian ELF file (elf(5)).
//!
//! The file may belong to a watched process, which can change or truncate it at any time. So it is
//! read, not mapped: reading beyond the end returns an error instead of raising SIGBUS. Only what
//! is requested is read, and its size counts against the budget.

use std::{fs::File, io, os::unix::fs::FileExt as _};

use object::{
    LittleEndian as LE, elf,
    pod::{self, Pod},
};

use crate::budget::{Budget, Reservation};
pub(crate) use sections::{SECTION_HEADERS_MAX, Section, UnreadSections};
use sections::{SECTIONS_MAX, read_sections};

type Header = elf::FileHeader64<LE>;
type ProgramHeader = elf::ProgramHeader64<LE>;
type SectionHeader = elf::SectionHeader64<LE>;
type CompressionHeader = elf::CompressionHeader64<LE>;

/// Maximum number of program headers. Programs have about ten.
const PROGRAM_HEADERS_MAX: usize = 1_024;
/// Number of bytes read at a time in a search: a multiple of the size of a symbol.
const WINDOW: usize = 240 << 10;

/// An ELF file.
#[derive(Debug)]
pub(crate) struct Elf {
    file: File,
    /// `e_machine`.
    pub(crate) machine: u16,
    /// `e_entry`.
    pub(crate) entry: u64,
    /// Whether it is an object file (`ET_REL`), which no process executes.
    pub(crate) is_relocatable: bool,
    pub(crate) segments: Vec<Segment>,
    /// Empty if the section headers cannot be read: a program runs without them.
    sections: Vec<Section>,
    /// Why `sections` is empty although the file has section headers. Another reader of the file may
    /// find sections that this one has not checked.
    pub(crate) unread_sections: Option<UnreadSections>,
}

/// A `PT_LOAD` segment (`Elf64_Phdr`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) address: u64,
    pub(crate) offset: u64,
    pub(crate) file_size: u64,
    pub(crate) memory_size: u64,
    pub(crate) is_writable: bool,
}

/// The content of a section.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    pub(crate) bytes: Vec<u8>,
    /// The part of the budget that `bytes` takes.
    _reservation: Reservation<'a>,
}

/// Why a section could not be read.
#[derive(Debug)]
pub enum SectionError {
    /// The content of the section is not in the file.
    Unreadable(io::Error),
    /// The section is compressed, but not with zlib.
    Compression,
    /// The section is larger than the limit of its kind, or than what is left of the budget.
    TooLarge,
    /// The compressed data is corrupt.
    Damaged,
}

impl Elf {
    /// Reads the headers; `None` if the file is not a 64-bit little-endian ELF file, has too many
    /// segments, or the budget is exceeded.
    pub(crate) fn parse(file: File, budget: &Budget) -> Option<Self> {
        let bytes = read(&file, 0, size_of::<Header>()).ok()?;
        // ELFCLASS64, ELFDATA2LSB.
        if !bytes.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let header: &Header = first(&bytes)?;
        let count = usize::from(header.e_phnum.get(LE));
        let size = usize::from(header.e_phentsize.get(LE));
        if count > PROGRAM_HEADERS_MAX || count > 0 && size != size_of::<ProgramHeader>() {
            return None;
        }
        budget.step(as_u64(PROGRAM_HEADERS_MAX + SECTIONS_MAX))?;
        let headers = read(&file, header.e_phoff.get(LE), count * size_of::<ProgramHeader>());
        let headers = headers.ok()?;
        let headers: &[ProgramHeader] = pod::slice_from_all_bytes(&headers).ok()?;
        let segments = headers.iter().filter_map(segment).collect();
        let (sections, unread_sections) = match read_sections(&file, header) {
            Ok(sections) => (sections, None),
            Err(reason) => (Vec::new(), Some(reason)),
        };
        let (machine, entry) = (header.e_machine.get(LE), header.e_entry.get(LE));
        let is_relocatable = header.e_type.get(LE) == elf::ET_REL;
        Some(Self { file, machine, entry, is_relocatable, segments, sections, unread_sections })
    }

    /// Whether sections other than those with debug information are compressed, which no linker
    /// does.
    pub(crate) fn has_other_compressed(&self) -> bool {
        let mut sections = self.sections.iter();
        sections.any(|section| section.is_compressed() && !section.name.starts_with(b".debug_"))
    }

    /// The first section with this name.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| &*section.name == name.as_bytes())
    }

    /// The sum of the sizes in bytes, in the file, of the sections with these names, compressed or
    /// not.
    pub(crate) fn stored_size_of(&self, names: &[&str]) -> u64 {
        let is_stored = |section: &&Section| {
            section.kind != elf::SHT_NOBITS
                && names.iter().any(|name| name.as_bytes() == &*section.name)
        };
        let sizes = self.sections.iter().filter(is_stored).map(|section| section.size);
        sizes.fold(0, u64::saturating_add)
    }

    /// Two sums of the uncompressed sizes, in bytes, of the sections with these names: those that
    /// are stored uncompressed, and those that are compressed. `.zdebug_info` counts as
    /// `.debug_info`, with an estimate.
    pub(crate) fn size_of(&self, names: &[&str]) -> (u64, u64) {
        /// Zlib's ratio for debug information is three to five.
        const RATIO: u64 = 5;
        let (mut plain, mut inflated) = (0_u64, 0_u64);
        for section in self.sections.iter().filter(|section| section.kind != elf::SHT_NOBITS) {
            let old_name = section.name.strip_prefix(b".z").map(|rest| [b".", rest].concat());
            let name = old_name.as_deref().unwrap_or(&section.name);
            if !names.iter().any(|it| it.as_bytes() == name) {
                continue;
            }
            if section.is_compressed() {
                let start = self.start_of(section, size_of::<CompressionHeader>());
                let header: Option<&CompressionHeader> = first(&start);
                inflated = inflated.saturating_add(header.map_or(0, |it| it.ch_size.get(LE)));
            } else if old_name.is_some() {
                inflated = inflated.saturating_add(section.size.saturating_mul(RATIO));
            } else {
                plain = plain.saturating_add(section.size);
            }
        }
        (plain, inflated)
    }

    /// The address of a file offset, by the segment that contains it.
    pub(crate) fn address_of(&self, offset: u64) -> Option<u64> {
        self.segments.iter().find_map(|segment| {
            let within = offset.checked_sub(segment.offset)?;
            (within < segment.file_size).then(|| segment.address.checked_add(within))?
        })
    }

    /// At most `length` bytes from the start of a section; fewer if the section or the file is
    /// shorter.
    pub(crate) fn start_of(&self, section: &Section, length: usize) -> Vec<u8> {
        let length = length.min(usize::try_from(section.size).unwrap_or(length));
        self.at(section.offset, length)
    }

    /// At most `length` bytes from a file offset.
    fn at(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut read = 0;
        while let Some(rest) = bytes.get_mut(read..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset.saturating_add(as_u64(read))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
        bytes.truncate(read);
        bytes
    }

    /// Calls `search` with successive parts of `size` bytes at `offset` of the file, until it
    /// returns a value. Each part but the first begins with the last `overlap` bytes of the one
    /// before. `search` also receives the part's distance from `offset`, in bytes.
    pub(crate) fn search<T>(
        &self,
        (offset, size): (u64, u64),
        overlap: usize,
        budget: &Budget,
        mut search: impl FnMut(u64, &[u8]) -> Option<T>,
    ) -> Option<T> {
        let (mut before, end) = (0, offset.checked_add(size)?);
        loop {
            let start = offset.checked_add(before)?;
            let length = WINDOW.min(usize::try_from(end.checked_sub(start)?).unwrap_or(WINDOW));
            budget.step_bytes(length)?;
            let bytes = self.at(start, length);
            if let Some(found) = search(before, &bytes) {
                return Some(found);
            }
            if bytes.len() < WINDOW {
                return None;
            }
            before = before.checked_add(as_u64(WINDOW - overlap))?;
        }
    }

    /// Like [`search`](Self::search), for a section.
    pub(crate) fn search_section<T>(
        &self,
        section: &Section,
        overlap: usize,
        budget: &Budget,
        search: impl FnMut(u64, &[u8]) -> Option<T>,
    ) -> Option<T> {
        if section.kind == elf::SHT_NOBITS {
            return None;
        }
        self.search((section.offset, section.size), overlap, budget, search)
    }

    /// The content of a section, decompressed, of at most `bytes_max` bytes.
    ///
    /// # Errors
    /// The section cannot be read, or is too large.
    pub(crate) fn content<'a>(
        &self,
        section: &Section,
        bytes_max: u64,
        budget: &'a Budget,
    ) -> Result<Content<'a>, SectionError> {
        if section.kind == elf::SHT_NOBITS {
            let bytes = Vec::new();
            let reservation = budget.try_reserve(0).ok_or(SectionError::TooLarge)?;
            return Ok(Content { bytes, _reservation: reservation });
        }
        let stored = self.stored(section, bytes_max, budget)?;
        if section.is_compressed() {
            let header = pod::from_bytes::<CompressionHeader>(&stored.bytes);
            let (header, body) = header.map_err(|()| SectionError::Damaged)?;
            if header.ch_type.get(LE) != elf::ELFCOMPRESS_ZLIB {
                return Err(SectionError::Compression);
            }
            return inflate(body, header.ch_size.get(LE), bytes_max, budget);
        }
        // The format before `SHF_COMPRESSED`: "ZLIB" and the size as a big-endian word.
        if section.name.starts_with(b".z") {
            let body = stored.bytes.strip_prefix(b"ZLIB").and_then(<[u8]>::split_first_chunk);
            let (size, body) = body.ok_or(SectionError::Damaged)?;
            return inflate(body, u64::from_be_bytes(*size), bytes_max, budget);
        }
        Ok(stored)
    }

    /// The bytes of a section in the file.
    fn stored<'a>(
        &self,
        section: &Section,
        bytes_max: u64,
        budget: &'a Budget,
    ) -> Result<Content<'a>, SectionError> {
        let size = usize::try_from(section.size).map_err(|_| SectionError::TooLarge)?;
        if section.size > bytes_max {
            return Err(SectionError::TooLarge);
        }
        // A sparse file has any size, but a section beyond its end has no bytes.
        let in_file = self.file.metadata().map_err(SectionError::Unreadable)?.len();
        if section.offset.checked_add(section.size).is_none_or(|end| end > in_file) {
            let error = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(SectionError::Unreadable(error));
        }
        let reservation = budget.try_reserve(size).ok_or(SectionError::TooLarge)?;
        budget.step_bytes(size).ok_or(SectionError::TooLarge)?;
        let bytes = read(&self.file, section.offset, size).map_err(SectionError::Unreadable)?;
        Ok(Content { bytes, _reservation: reservation })
    }
}

fn inflate<'a>(
    bytes: &[u8],
    size: u64,
    bytes_max: u64,
    budget: &'a Budget,
) -> Result<Content<'a>, SectionError> {
    let size = Some(size).filter(|size| *size <= bytes_max).and_then(|it| usize::try_from(it).ok());
    let size = size.ok_or(SectionError::TooLarge)?;
    let reservation = budget.try_reserve(size).ok_or(SectionError::TooLarge)?;
    budget.step_bytes(size.saturating_mul(8)).ok_or(SectionError::TooLarge)?;
    let inflated = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, size);
    inflated
        .map(|bytes| Content { bytes, _reservation: reservation })
        .map_err(|_| SectionError::Damaged)
}

fn segment(header: &ProgramHeader) -> Option<Segment> {
    (header.p_type.get(LE) == elf::PT_LOAD).then(|| Segment {
        address: header.p_vaddr.get(LE),
        offset: header.p_offset.get(LE),
        file_size: header.p_filesz.get(LE),
        memory_size: header.p_memsz.get(LE),
        is_writable: header.p_flags.get(LE) & elf::PF_W != 0,
    })
}

/// The structure at the beginning of `bytes`.
fn first<T: Pod>(bytes: &[u8]) -> Option<&T> {
    pod::from_bytes(bytes).ok().map(|(first, _)| first)
}

fn read(file: &File, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(crate) mod example;
mod sections;
#[cfg(test)]
mod tests;
