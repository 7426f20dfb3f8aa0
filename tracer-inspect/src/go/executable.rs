//! The ELF file of a Go program: its version, segments, and the addresses of runtime structures.

use std::fs::File;

use object::{LittleEndian as LE, elf, pod};

use super::build_info;
use crate::{
    budget::Budget,
    elf::{Elf, Section, Segment as ElfSegment},
};

/// Number of bytes of build information that contain the version.
const BUILD_INFO: usize = 256;
/// Maximum number of bytes of a segment searched for build information without a section.
const SEARCHED_MAX: u64 = 64 << 20;

/// Maximum length of the name of a symbol that is shown, in bytes.
const SYMBOL_MAX: usize = 512;

/// A 64-bit Go program. Addresses are those in the file; a position-independent program is loaded
/// with an offset (`bias`).
#[derive(Debug, PartialEq, Eq)]
pub struct Executable {
    /// The minor version of Go 1.
    pub(super) minor_version: u32,
    pub(super) machine: Machine,
    /// The entry point.
    pub entry: u64,
    /// The `PT_LOAD` segments.
    pub(super) segments: Vec<Segment>,
    /// The address of the function table, from its section.
    pub(super) function_table: Option<u64>,
    /// The address of `runtime.allgs`, from the symbol table.
    pub(super) all_goroutines: Option<u64>,
}

/// A CPU architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    Amd64,
    Arm64,
    Other,
}

impl Machine {
    /// The architecture of this host.
    pub(super) const NATIVE: Self = if cfg!(target_arch = "x86_64") {
        Self::Amd64
    } else if cfg!(target_arch = "aarch64") {
        Self::Arm64
    } else {
        Self::Other
    };
}

/// A loaded segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) start: u64,
    /// File offset of the segment.
    file_start: u64,
    /// The address after the last byte from the file.
    pub(super) file_end: u64,
    /// The address after its end, including zero-initialized memory.
    pub(super) end: u64,
    pub(super) is_writable: bool,
}

#[cfg(test)]
impl Segment {
    /// A writable segment at these addresses, all of it from the file.
    pub(super) const fn at(start: u64, end: u64) -> Self {
        Self { start, file_start: 0, file_end: end, end, is_writable: true }
    }
}

impl Executable {
    /// Reads a file; `None` if it is not a Go program, or one older than Go 1.18, or the budget is
    /// exceeded.
    pub fn read(file: File, budget: &Budget) -> Option<Self> {
        let elf = Elf::parse(file, budget)?;
        // Without section headers, the addresses are found by searching memory.
        let address =
            |names: &[&str]| names.iter().find_map(|name| Some(elf.section(name)?.address));
        Some(Self {
            minor_version: minor_version(&elf, budget)?,
            machine: match elf.machine {
                elf::EM_X86_64 => Machine::Amd64,
                elf::EM_AARCH64 => Machine::Arm64,
                _ => Machine::Other,
            },
            entry: elf.entry,
            segments: elf.segments.iter().filter_map(segment).collect(),
            function_table: address(&[".gopclntab", ".data.rel.ro.gopclntab"]),
            all_goroutines: symbol(&elf, b"\0runtime.allgs\0", budget),
        })
    }

    /// Whether an address is in a writable segment.
    pub(super) fn is_data(&self, address: u64) -> bool {
        let mut segments = self.segments.iter();
        segments.any(|it| it.is_writable && (it.start..it.end).contains(&address))
    }

    /// The file offset of an address; `None` if the file has no byte for it.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        let contains = |it: &&Segment| (it.start..it.file_end).contains(&address);
        let segment = self.segments.iter().find(contains)?;
        segment.file_start.checked_add(address - segment.start)
    }
}

fn segment(segment: &ElfSegment) -> Option<Segment> {
    let &ElfSegment { address, offset, file_size, memory_size, is_writable } = segment;
    Some(Segment {
        start: address,
        file_start: offset,
        file_end: address.checked_add(file_size)?,
        end: address.checked_add(memory_size)?,
        is_writable,
    })
}

fn minor_version(elf: &Elf, budget: &Budget) -> Option<u32> {
    if let Some(section) = elf.section(".go.buildinfo") {
        return build_info::minor_version(&elf.start_of(section, BUILD_INFO));
    }
    // Without section headers it is searched in the first writable segment.
    let data = elf.segments.iter().find(|segment| segment.is_writable)?;
    let part = (data.offset, data.file_size.min(SEARCHED_MAX));
    elf.search(part, BUILD_INFO, budget, |_, bytes| {
        let mut offsets = (0..bytes.len()).step_by(build_info::ALIGNMENT);
        offsets.find_map(|offset| build_info::minor_version(bytes.get(offset..)?))
    })
}

/// The name of the symbol whose object contains an address of the file; `None` if there is none.
pub(super) fn symbol_at(file: File, address: u64, budget: &Budget) -> Option<String> {
    let elf = Elf::parse(file, budget)?;
    let (symbols, strings) = (elf.section(".symtab")?, elf.section(".strtab")?);
    let name = elf.search_section(symbols, 0, budget, |_, bytes| {
        let count = bytes.len() / size_of::<elf::Sym64<LE>>();
        let (symbols, _) = pod::slice_from_bytes::<elf::Sym64<LE>>(bytes, count).ok()?;
        let contains = |it: &&elf::Sym64<LE>| {
            let offset = address.checked_sub(it.st_value.get(LE));
            it.st_info & 15 == elf::STT_OBJECT && offset.is_some_and(|it_| it_ < it.st_size.get(LE))
        };
        symbols.iter().find(contains).map(|it| it.st_name.get(LE))
    })?;
    elf.search_section(strings, SYMBOL_MAX, budget, |before, bytes| {
        let start = usize::try_from(u64::from(name).checked_sub(before)?).ok()?;
        let bytes = bytes.get(start..)?;
        let end = bytes.iter().take(SYMBOL_MAX).position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(bytes.get(..end)?).into_owned())
    })
}

/// The address of a symbol; `name` includes the zero bytes around it.
fn symbol(elf: &Elf, name: &[u8], budget: &Budget) -> Option<u64> {
    let (symbols, strings) = (elf.section(".symtab")?, elf.section(".strtab")?);
    let offset = elf.search_section(strings, name.len() - 1, budget, |before, bytes| {
        let place = bytes.windows(name.len()).position(|window| window == name)? + 1;
        before.checked_add(u64::try_from(place).ok()?)
    })?;
    value(elf, symbols, u32::try_from(offset).ok()?, budget)
}

/// The value of the first symbol whose name is at this offset.
fn value(elf: &Elf, symbols: &Section, name: u32, budget: &Budget) -> Option<u64> {
    elf.search_section(symbols, 0, budget, |_, bytes| {
        let count = bytes.len() / size_of::<elf::Sym64<LE>>();
        let (symbols, _) = pod::slice_from_bytes::<elf::Sym64<LE>>(bytes, count).ok()?;
        let symbol = symbols.iter().find(|symbol| symbol.st_name.get(LE) == name)?;
        Some(symbol.st_value.get(LE))
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Executable> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        Executable::read(file, &Budget::default())
    }

    #[test]
    fn other_files_are_no_go_programs() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(read(&own), None);
        for length in [0, 3, 4, 16, 63, 64, 100, 1000, 10_000] {
            assert_eq!(read(&own[..length]), None, "{length}");
        }
        assert_eq!(read(b"#!/bin/sh\n"), None);
    }

    #[test]
    fn addresses_are_converted_to_file_offsets() {
        let segment = |start, file_start, length| Segment {
            start,
            file_start,
            file_end: start + length,
            end: start + 2 * length,
            is_writable: false,
        };
        let executable = Executable {
            minor_version: 23,
            machine: Machine::Arm64,
            entry: 0,
            segments: vec![segment(0x40_0000, 0, 0x100), segment(0x50_0000, 0x200, 0x100)],
            function_table: None,
            all_goroutines: None,
        };
        assert_eq!(executable.file_offset(0x40_0010), Some(0x10));
        assert_eq!(executable.file_offset(0x50_00ff), Some(0x2ff));
        assert_eq!(executable.file_offset(0x50_0100), None, "zero-initialized memory");
        assert_eq!(executable.file_offset(0x3f_ffff), None);
    }

    #[test]
    fn a_corrupt_header_is_no_go_program() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for place in 0..64 {
            let mut header = own[..4096].to_vec();
            header[place] = 0xff;
            assert_eq!(read(&header), None, "{place}");
        }
    }
}
