//! The ELF file of a Go program: its version, segments, and the addresses of runtime structures.

use std::fs::File;

use object::{
    LittleEndian,
    elf::{self, FileHeader64, ProgramHeader64},
    read::{
        ReadCache, ReadRef,
        elf::{FileHeader as _, ProgramHeader as _, SectionHeader as _, SectionTable},
    },
};

use super::build_info;
use crate::process::memory::{u32_at, u64_at};

/// Maximum number of bytes read of the file at a time.
const PART_MAX: u64 = 64 << 20;

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
    /// Its file offset.
    file_start: u64,
    /// The address after the last byte from the file.
    pub(super) file_end: u64,
    /// The address after its end, including zero-initialized memory.
    pub(super) end: u64,
    pub(super) is_writable: bool,
}

pub(super) type Header = FileHeader64<LittleEndian>;
pub(super) type Sections<'data> = SectionTable<'data, Header, Bounded<'data>>;

/// A file with a limit on the size of each read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounded<'data>(pub(super) &'data ReadCache<File>);

impl<'data> ReadRef<'data> for Bounded<'data> {
    fn len(self) -> Result<u64, ()> {
        self.0.len()
    }

    fn read_bytes_at(self, offset: u64, size: u64) -> Result<&'data [u8], ()> {
        if size > PART_MAX { Err(()) } else { self.0.read_bytes_at(offset, size) }
    }

    fn read_bytes_at_until(
        self,
        range: std::ops::Range<u64>,
        delimiter: u8,
    ) -> Result<&'data [u8], ()> {
        self.0.read_bytes_at_until(range, delimiter)
    }
}

impl Executable {
    /// Reads a file; `None` if it is not a Go program, or one older than Go 1.18.
    pub fn read(file: File) -> Option<Self> {
        let cache = ReadCache::new(file);
        let data = Bounded(&cache);
        let header = Header::parse(data).ok()?;
        let headers = header.program_headers(LittleEndian, data).ok()?;
        // Without section headers, the addresses are found by searching memory.
        let sections = header.sections(LittleEndian, data).unwrap_or_default();

        let address = |names: &[&[u8]]| {
            names.iter().find_map(|name| {
                let (_, section) = sections.section_by_name(LittleEndian, name)?;
                Some(section.sh_addr(LittleEndian))
            })
        };
        Some(Self {
            minor_version: minor_version(data, headers, &sections)?,
            machine: match header.e_machine(LittleEndian) {
                elf::EM_X86_64 => Machine::Amd64,
                elf::EM_AARCH64 => Machine::Arm64,
                _ => Machine::Other,
            },
            entry: header.e_entry(LittleEndian),
            segments: headers.iter().filter_map(segment).collect(),
            function_table: address(&[b".gopclntab", b".data.rel.ro.gopclntab"]),
            all_goroutines: symbol(data, &sections, b"\0runtime.allgs\0"),
        })
    }

    /// The file offset of an address; `None` if the file has no byte for it.
    pub fn file_offset(&self, address: u64) -> Option<u64> {
        let contains = |it: &&Segment| (it.start..it.file_end).contains(&address);
        let segment = self.segments.iter().find(contains)?;
        segment.file_start.checked_add(address - segment.start)
    }
}

fn segment(header: &ProgramHeader64<LittleEndian>) -> Option<Segment> {
    if header.p_type(LittleEndian) != elf::PT_LOAD {
        return None;
    }
    let start = header.p_vaddr(LittleEndian);
    Some(Segment {
        start,
        file_start: header.p_offset(LittleEndian),
        file_end: start.checked_add(header.p_filesz(LittleEndian))?,
        end: start.checked_add(header.p_memsz(LittleEndian))?,
        is_writable: header.p_flags(LittleEndian) & elf::PF_W != 0,
    })
}

fn minor_version<'data>(
    data: Bounded<'data>,
    headers: &[ProgramHeader64<LittleEndian>],
    sections: &Sections<'data>,
) -> Option<u32> {
    if let Some((_, section)) = sections.section_by_name(LittleEndian, b".go.buildinfo") {
        return build_info::minor_version(section.data(LittleEndian, data).ok()?);
    }
    // Without section headers it is searched in the first writable segment.
    let is_writable = |header: &&ProgramHeader64<LittleEndian>| {
        header.p_type(LittleEndian) == elf::PT_LOAD && header.p_flags(LittleEndian) & elf::PF_W != 0
    };
    let bytes = headers.iter().find(is_writable)?.data(LittleEndian, data).ok()?;
    let mut offsets = (0..bytes.len()).step_by(build_info::ALIGNMENT);
    offsets.find_map(|offset| build_info::minor_version(bytes.get(offset..)?))
}

/// The address of a symbol; `name` includes the zero bytes around it.
fn symbol<'data>(data: Bounded<'data>, sections: &Sections<'data>, name: &[u8]) -> Option<u64> {
    let bytes = |name: &[u8]| {
        let (_, section) = sections.section_by_name(LittleEndian, name)?;
        section.data(LittleEndian, data).ok()
    };
    let (symbols, strings) = (bytes(b".symtab")?, bytes(b".strtab")?);
    let offset = strings.windows(name.len()).position(|window| window == name)? + 1;
    let offset = u32::try_from(offset).ok()?;
    // An array of `Elf64_Sym`: 24 bytes, with the name at 0 and the value at 8.
    let is_named = |symbol: &&[u8]| u32_at(symbol, 0) == Some(offset);
    u64_at(symbols.chunks_exact(24).find(is_named)?, 8)
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use super::*;

    fn read(bytes: &[u8]) -> Option<Executable> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        Executable::read(file)
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
