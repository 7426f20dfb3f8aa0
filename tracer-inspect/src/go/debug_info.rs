//! Reads field offsets of structures from the DWARF debug information of a program.

use std::{collections::HashMap, fmt, fs::File, rc::Rc};

use gimli::{
    Abbreviations, AttributeValue, DebugAbbrev, DebugAbbrevOffset, DebugInfo, EndianSlice,
    LittleEndian,
};

pub use crate::elf::SectionError;
use crate::{
    budget::Budget,
    elf::{Content, Elf},
};

/// Maximum size of `.debug_info` in bytes, after decompression. A program of 50 MB has about 20 MB;
/// reading this much takes half a second.
const INFO_MAX: u64 = 64 << 20;
/// Maximum size of `.debug_abbrev` in bytes. Once parsed, it is up to forty times as large.
const ABBREVIATIONS_MAX: u64 = 1 << 20;
/// Steps for the abbreviations of all units. Those of Go's linker are parsed once, but each unit can
/// have its own, and all of these can extend to the end of the section.
const ABBREVIATION_STEPS: u64 = 1 << 28;

/// Maximum accepted offset in bytes. The watched process controls the debug information, and offsets
/// are added to addresses.
const OFFSET_MAX: u64 = 4 << 20;

/// Offsets of structure members, by `structure.member`.
#[derive(Debug, Default)]
pub struct Structures {
    members: HashMap<String, u64>,
}

/// Why debug information could not be read.
#[derive(Debug)]
pub enum DebugInfoError {
    /// The file is not a 64-bit little-endian ELF file.
    Elf,
    /// A section could not be read.
    Section {
        /// The name of the section without the dot.
        name: &'static str,
        /// Why it could not be read.
        reason: SectionError,
    },
}

impl fmt::Display for DebugInfoError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Elf => write!(formatter, "not an ELF file"),
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

/// The wanted members of each wanted structure.
type Wanted<'a> = HashMap<&'a [u8], Vec<&'a str>>;

/// The abbreviations that were parsed last, and the steps left for others.
struct Cache<'a> {
    section: &'a [u8],
    latest: Option<(DebugAbbrevOffset, Rc<Abbreviations>)>,
    steps_left: u64,
}

impl Structures {
    /// Reads the structures in these paths (see [`Structures::offset`]). The result is empty if the
    /// program has no debug information, and incomplete if the budget is exceeded.
    ///
    /// # Errors
    /// The file is not an ELF file, or a section is corrupt or too large.
    pub fn read(file: File, paths: &[String], budget: &Budget) -> Result<Self, DebugInfoError> {
        let elf = Elf::parse(file, budget).ok_or(DebugInfoError::Elf)?;
        let mut structures = Self::default();
        if let Some(abbreviations) = part(&elf, "debug_abbrev", ABBREVIATIONS_MAX, budget)?
            && let Some(info) = part(&elf, "debug_info", INFO_MAX, budget)?
        {
            let mut wanted = Wanted::new();
            for (structure, member) in steps(paths).filter_map(|step| step.rsplit_once('.')) {
                wanted.entry(structure.as_bytes()).or_default().push(member);
            }
            structures.add_all(&info.bytes, &abbreviations.bytes, &wanted, budget);
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
    fn add_all(&mut self, info: &[u8], abbreviations: &[u8], wanted: &Wanted<'_>, budget: &Budget) {
        let mut cache =
            Cache { section: abbreviations, latest: None, steps_left: ABBREVIATION_STEPS };
        let mut units = DebugInfo::new(info, LittleEndian).units();
        while let Ok(Some(unit)) = units.next() {
            let Some(abbreviations) = cache.abbreviations(&unit, budget) else {
                log::debug!("debug information is not read further: it is too complex");
                return;
            };
            let added = abbreviations.and_then(|it| self.add(&unit, &it, wanted, budget));
            if let Err(error) = added {
                log::debug!("a unit of debug information cannot be read: {error}");
            }
        }
    }

    fn add(
        &mut self,
        unit: &gimli::UnitHeader<Slice<'_>>,
        abbreviations: &Abbreviations,
        wanted: &Wanted<'_>,
        budget: &Budget,
    ) -> gimli::Result<()> {
        let mut entries = unit.entries_raw(abbreviations, None)?;
        // The current structure with its wanted members, and the depth of its members.
        let mut within: Option<(isize, &[u8], &Vec<&str>)> = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let Some(abbreviation) = entries.read_abbreviation()? else { continue };
            // An entry of one byte can have any number of attributes without bytes.
            let attributes = u64::try_from(abbreviation.attributes().len()).unwrap_or(u64::MAX);
            if budget.step(attributes.saturating_add(4)).is_none() {
                break;
            }
            within = within.filter(|(inside, ..)| depth >= *inside);
            let is_structure = abbreviation.tag() == gimli::DW_TAG_structure_type;
            let is_member = abbreviation.tag() == gimli::DW_TAG_member
                && within.as_ref().is_some_and(|(inside, ..)| depth == *inside);
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
            if is_structure {
                if let Some((structure, members)) = wanted.get_key_value(name.slice()) {
                    within = Some((depth + 1, structure, members));
                }
            } else if let (Some((_, structure, members)), Some(offset)) = (within, offset)
                && let Some(member) = members.iter().find(|it| it.as_bytes() == name.slice())
            {
                let member = format!("{}.{member}", String::from_utf8_lossy(structure));
                self.members.entry(member).or_insert(offset);
            }
        }
        Ok(())
    }
}

impl Cache<'_> {
    /// The abbreviations of a unit; `None` if all of them together are too many.
    fn abbreviations(
        &mut self,
        unit: &gimli::UnitHeader<Slice<'_>>,
        budget: &Budget,
    ) -> Option<gimli::Result<Rc<Abbreviations>>> {
        let offset = unit.debug_abbrev_offset();
        if let Some((known, abbreviations)) = &self.latest
            && *known == offset
        {
            budget.step(16)?;
            return Some(Ok(Rc::clone(abbreviations)));
        }
        // The abbreviations extend to a zero, or to the end of the section.
        let length = self.section.len().saturating_sub(offset.0);
        let steps = u64::try_from(length).ok()?;
        self.steps_left = self.steps_left.checked_sub(steps)?;
        budget.step(steps)?;
        let section = DebugAbbrev::new(self.section, LittleEndian);
        let abbreviations = section.abbreviations(offset).map(Rc::new);
        if let Ok(abbreviations) = &abbreviations {
            self.latest = Some((offset, Rc::clone(abbreviations)));
        }
        Some(abbreviations)
    }
}

fn steps(paths: &[String]) -> impl Iterator<Item = &str> {
    paths.iter().flat_map(|path| path.split(" + "))
}

/// A section of the debug information, decompressed; `None` if there is none.
fn part<'a>(
    elf: &Elf,
    name: &'static str,
    bytes_max: u64,
    budget: &'a Budget,
) -> Result<Option<Content<'a>>, DebugInfoError> {
    let section = elf.section(&format!(".{name}")).or_else(|| elf.section(&format!(".z{name}")));
    let content = section.map(|section| elf.content(section, bytes_max, budget));
    content.transpose().map_err(|reason| DebugInfoError::Section { name, reason })
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
