//! Reads field offsets of structures from the DWARF debug information of a program.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    fmt,
    fs::File,
};

use gimli::{AttributeValue, DebugAbbrev, DebugInfo, EndianSlice, LittleEndian};
use object::{
    elf,
    read::{
        ReadCache,
        elf::{FileHeader as _, SectionHeader as _},
    },
};

use super::executable::{Bounded, Header, Sections};

/// Maximum size of a section in bytes, after decompression. A program of 50 MB has about 20 MB; reading
/// this much takes half a second.
const PART_MAX: u64 = 64 << 20;

/// Maximum accepted offset in bytes. The watched process controls the debug information, and offsets
/// are added to addresses.
const OFFSET_MAX: u64 = 1 << 20;

/// Offsets of structure members, by `structure.member`.
#[derive(Debug, Default)]
pub struct Structures {
    members: HashMap<String, u64>,
}

/// Why debug information could not be read.
#[derive(Debug)]
pub enum DebugInfoError {
    /// The file is not a 64-bit little-endian ELF file.
    Elf(object::read::Error),
    /// A section could not be read.
    Section {
        /// The name of the section without the dot.
        name: &'static str,
        /// Why it could not be read.
        reason: SectionError,
    },
}

/// Why a section could not be read.
#[derive(Debug)]
pub enum SectionError {
    /// Its header or its content is not in the file.
    Unreadable(object::read::Error),
    /// It is compressed, but not with zlib.
    Compression,
    /// It is larger than 64 MiB, or than the file.
    TooLarge,
    /// The compressed data is corrupt.
    Damaged,
}

impl fmt::Display for DebugInfoError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf(error) => write!(formatter, "not an ELF file: {error}"),
            Self::Section { name, reason } => match reason {
                SectionError::Unreadable(error) => write!(formatter, ".{name}: {error}"),
                SectionError::Compression => write!(formatter, ".{name}: unknown compression"),
                SectionError::TooLarge => write!(formatter, ".{name}: too large"),
                SectionError::Damaged => write!(formatter, ".{name}: damaged"),
            },
        }
    }
}

impl std::error::Error for DebugInfoError {}

type Slice<'a> = EndianSlice<'a, LittleEndian>;

impl Structures {
    /// Reads the structures in these paths (see [`Structures::offset`]). The result is empty if the
    /// program has no debug information.
    ///
    /// # Errors
    /// The file is not an ELF file, or a section is corrupt or too large.
    pub fn read(file: File, paths: &[String]) -> Result<Self, DebugInfoError> {
        let cache = ReadCache::new(file);
        let data = Bounded(&cache);
        let header = Header::parse(data).map_err(DebugInfoError::Elf)?;
        let sections = header.sections(object::LittleEndian, data).map_err(DebugInfoError::Elf)?;
        let part = |name| part(data, &sections, name);
        let mut structures = Self::default();
        if let (Some(info), Some(abbreviations)) = (part("debug_info")?, part("debug_abbrev")?) {
            let wanted: HashSet<&[u8]> =
                steps(paths).filter_map(|step| Some(step.rsplit_once('.')?.0.as_bytes())).collect();
            structures.add_all(&info, &abbreviations, &wanted);
        }
        Ok(structures)
    }

    /// The offset in bytes of `structure.member`, or of a nested member: several such steps, separated
    /// by ` + `. `None` if it is unknown or too large.
    pub fn offset(&self, path: &str) -> Option<u64> {
        let offset = path
            .split(" + ")
            .try_fold(0_u64, |offset, step| offset.checked_add(*self.members.get(step)?));
        offset.filter(|offset| *offset <= OFFSET_MAX)
    }

    /// Reads all units. One that cannot be read, because it is corrupt or of another language, is
    /// skipped.
    fn add_all(&mut self, info: &[u8], abbreviations: &[u8], wanted: &HashSet<&[u8]>) {
        let abbreviations = DebugAbbrev::new(abbreviations, LittleEndian);
        let mut units = DebugInfo::new(info, LittleEndian).units();
        while let Ok(Some(unit)) = units.next() {
            if let Err(error) = self.add(&unit, &abbreviations, wanted) {
                log::debug!("a unit of debug information cannot be read: {error}");
            }
        }
    }

    fn add<'a>(
        &mut self,
        unit: &gimli::UnitHeader<Slice<'a>>,
        abbreviations: &DebugAbbrev<Slice<'a>>,
        wanted: &HashSet<&[u8]>,
    ) -> gimli::Result<()> {
        let abbreviations = unit.abbreviations(abbreviations)?;
        let mut entries = unit.entries_raw(&abbreviations, None)?;
        // The current structure and the depth of its members.
        let mut within: Option<(isize, Cow<'a, str>)> = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            within = within.filter(|(inside, _)| depth >= *inside);
            let is_structure = abbreviation.tag() == gimli::DW_TAG_structure_type;
            let is_member = abbreviation.tag() == gimli::DW_TAG_member
                && within.as_ref().is_some_and(|(inside, _)| depth == *inside);
            if !is_structure && !is_member {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            let (mut name, mut offset) = (None, None);
            for attribute in abbreviation.attributes() {
                let attribute = entries.read_attribute(*attribute)?;
                match (attribute.name(), attribute.value()) {
                    // Go's linker does not use `.debug_str`.
                    (gimli::DW_AT_name, AttributeValue::String(text)) => name = Some(text),
                    (gimli::DW_AT_data_member_location, value) => offset = value.udata_value(),
                    _ => {}
                }
            }
            let Some(name) = name else { continue };
            if is_structure && wanted.contains(name.slice()) {
                within = Some((depth + 1, name.to_string_lossy()));
            } else if is_member && let (Some((_, structure)), Some(offset)) = (&within, offset) {
                let member = format!("{structure}.{}", name.to_string_lossy());
                self.members.entry(member).or_insert(offset);
            }
        }
        Ok(())
    }
}

fn steps(paths: &[String]) -> impl Iterator<Item = &str> {
    paths.iter().flat_map(|path| path.split(" + "))
}

/// A section of the debug information, decompressed.
fn part<'data>(
    data: Bounded<'data>,
    sections: &Sections<'data>,
    name: &'static str,
) -> Result<Option<Cow<'data, [u8]>>, DebugInfoError> {
    let failed = |reason| DebugInfoError::Section { name, reason };
    let unreadable = |error| failed(SectionError::Unreadable(error));
    let endian = object::LittleEndian;
    if let Some((_, section)) = sections.section_by_name(endian, format!(".{name}").as_bytes()) {
        let compressed = section.compression(endian, data).map_err(unreadable)?;
        let Some((header, offset, size)) = compressed else {
            return Ok(Some(section.data(endian, data).map_err(unreadable)?.into()));
        };
        if header.ch_type.get(endian) != elf::ELFCOMPRESS_ZLIB {
            return Err(failed(SectionError::Compression));
        }
        let bytes = object::read::ReadRef::read_bytes_at(data, offset, size);
        let bytes = bytes.map_err(|()| failed(SectionError::TooLarge))?;
        let size = header.ch_size.get(endian);
        return inflate(bytes, size).map(Some).map_err(failed);
    }
    // The format before `SHF_COMPRESSED`: "ZLIB" and the size as a big-endian word.
    let Some((_, section)) = sections.section_by_name(endian, format!(".z{name}").as_bytes())
    else {
        return Ok(None);
    };
    let bytes = section.data(endian, data).map_err(unreadable)?;
    let body = bytes.strip_prefix(b"ZLIB").and_then(<[u8]>::split_first_chunk);
    let inflated = match body {
        Some((size, body)) => inflate(body, u64::from_be_bytes(*size)),
        None => Err(SectionError::Damaged),
    };
    inflated.map(Some).map_err(failed)
}

fn inflate(bytes: &[u8], size: u64) -> Result<Cow<'static, [u8]>, SectionError> {
    if size > PART_MAX {
        return Err(SectionError::TooLarge);
    }
    let size = usize::try_from(size).map_err(|_| SectionError::TooLarge)?;
    let inflated = miniz_oxide::inflate::decompress_to_vec_zlib_with_limit(bytes, size);
    inflated.map(Cow::Owned).map_err(|_| SectionError::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_that_are_too_large_are_unknown() {
        let offsets = [("a.small", 8), ("a.limit", OFFSET_MAX), ("a.huge", u64::MAX)];
        let members = offsets.map(|(member, offset)| (member.to_owned(), offset)).into();
        let structures = Structures { members };
        assert_eq!(structures.offset("a.small + a.small"), Some(16));
        assert_eq!(structures.offset("a.limit"), Some(OFFSET_MAX));
        assert_eq!(structures.offset("a.limit + a.small"), None);
        assert_eq!(structures.offset("a.huge"), None);
        assert_eq!(structures.offset("a.huge + a.small"), None);
        assert_eq!(structures.offset("a.small + a.absent"), None);
    }
}
