//! The section headers of an ELF file.

use std::fs::File;

use object::{LittleEndian as LE, elf, pod};

use super::{Header, SectionHeader, first, read};

/// Maximum number of section headers. Programs have about forty.
pub(super) const SECTIONS_MAX: usize = 4_096;
/// The same in bytes.
pub(crate) const SECTION_HEADERS_MAX: u64 = 64 * SECTIONS_MAX as u64;
/// Maximum length of the name of a requested section, in bytes.
const NAME_MAX: usize = 32;
/// Maximum size of the table of section names in bytes.
const NAMES_MAX: usize = 1 << 20;

/// A section (`Elf64_Shdr`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Section {
    /// Cut off after [`NAME_MAX`] bytes.
    pub(super) name: Box<[u8]>,
    pub(super) kind: u32,
    flags: u64,
    pub(crate) address: u64,
    pub(super) offset: u64,
    pub(crate) size: u64,
}

impl Section {
    pub(crate) const fn is_compressed(&self) -> bool {
        self.flags & elf::SHF_COMPRESSED as u64 != 0
    }
}

/// Why the section headers of a file were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnreadSections {
    /// There are more than [`SECTIONS_MAX`], or their names are longer than [`NAMES_MAX`].
    TooMany,
    /// They are not in the file, or inconsistent.
    Damaged,
}

/// The sections of a file; none if it has no section headers.
///
/// A number that does not fit in the header of the file is in the first section header, which
/// describes no section (elf(5), `e_shnum` and `e_shstrndx`).
pub(super) fn read_sections(file: &File, header: &Header) -> Result<Vec<Section>, UnreadSections> {
    let damaged = UnreadSections::Damaged;
    let (offset, count) = (header.e_shoff.get(LE), header.e_shnum.get(LE));
    if (offset, count) == (0, 0) {
        return Ok(Vec::new());
    }
    if usize::from(header.e_shentsize.get(LE)) != size_of::<SectionHeader>() {
        return Err(damaged);
    }
    let start = read(file, offset, size_of::<SectionHeader>()).map_err(|_| damaged)?;
    let start: &SectionHeader = first(&start).ok_or(damaged)?;
    let count = if count == 0 { start.sh_size.get(LE) } else { count.into() };
    if count == 0 {
        return Ok(Vec::new());
    }
    let names = match header.e_shstrndx.get(LE) {
        elf::SHN_XINDEX => start.sh_link.get(LE),
        index => index.into(),
    };
    let count = usize::try_from(count).ok().filter(|count| *count <= SECTIONS_MAX);
    let length = count.ok_or(UnreadSections::TooMany)? * size_of::<SectionHeader>();
    let headers = read(file, offset, length).map_err(|_| damaged)?;
    let headers: &[SectionHeader] = pod::slice_from_all_bytes(&headers).map_err(|()| damaged)?;
    let names = usize::try_from(names).ok().and_then(|index| headers.get(index));
    let names = names.ok_or(damaged)?;
    let length = usize::try_from(names.sh_size.get(LE)).ok().filter(|it| *it <= NAMES_MAX);
    let length = length.ok_or(UnreadSections::TooMany)?;
    let names = read(file, names.sh_offset.get(LE), length).map_err(|_| damaged)?;
    let section = |header: &SectionHeader| {
        let name = names.get(usize::try_from(header.sh_name.get(LE)).ok()?..)?;
        let name = name.get(..NAME_MAX).unwrap_or(name);
        Some(Section {
            name: name.split(|byte| *byte == 0).next()?.into(),
            kind: header.sh_type.get(LE),
            flags: header.sh_flags.get(LE),
            address: header.sh_addr.get(LE),
            offset: header.sh_offset.get(LE),
            size: header.sh_size.get(LE),
        })
    };
    headers.iter().skip(1).map(section).collect::<Option<_>>().ok_or(damaged)
}
