//! ELF files for tests.

use std::{
    fs::File,
    io::{Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
};

use object::elf;

use super::{CompressionHeader, Elf, Header, SectionHeader};
use crate::budget::Budget;

/// The content of a compressed section whose header says that `size` bytes are compressed.
pub(crate) fn compressed(content: &[u8], size: u64) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<CompressionHeader>()];
    bytes[..4].copy_from_slice(&elf::ELFCOMPRESS_ZLIB.to_le_bytes());
    bytes[8..16].copy_from_slice(&size.to_le_bytes());
    bytes.extend(miniz_oxide::deflate::compress_to_vec_zlib(content, 6));
    bytes
}

/// Moves the number of sections, and the index of the section with their names, from the header of
/// the file to the first section header.
pub(crate) fn move_counts(file: &File) {
    let mut header = [0; size_of::<Header>()];
    file.read_exact_at(&mut header, 0).unwrap();
    let offset = u64::from_le_bytes(*header[40..].first_chunk().unwrap());
    let (count, names) = header[60..].split_at(2);
    file.write_all_at(count, offset + 32).unwrap();
    file.write_all_at(names, offset + 40).unwrap();
    file.write_all_at(&[0, 0, 0xff, 0xff], 60).unwrap();
}

/// A file with these sections, each with its kind, flags and content.
pub(crate) struct Example {
    pub(crate) file: File,
    headers: Vec<[u8; size_of::<SectionHeader>()]>,
    names: Vec<u8>,
}

impl Example {
    pub(crate) fn new() -> Self {
        Self::of(tempfile::tempfile().unwrap())
    }

    /// An example without sections, written to an empty file.
    pub(crate) fn of(mut file: File) -> Self {
        file.write_all(&[0; size_of::<Header>()]).unwrap();
        Self { file, headers: vec![[0; size_of::<SectionHeader>()]], names: vec![0] }
    }

    pub(crate) fn add(&mut self, name: &str, kind: u32, flags: u64, content: &[u8]) {
        let offset = self.file.seek(SeekFrom::End(0)).unwrap();
        self.file.write_all(content).unwrap();
        self.put(name, kind, flags, (offset, content.len() as u64));
    }

    pub(crate) fn put(&mut self, name: &str, kind: u32, flags: u64, (offset, size): (u64, u64)) {
        let mut header = [0; size_of::<SectionHeader>()];
        header[..4].copy_from_slice(&u32::try_from(self.names.len()).unwrap().to_le_bytes());
        header[4..8].copy_from_slice(&kind.to_le_bytes());
        header[8..16].copy_from_slice(&flags.to_le_bytes());
        header[24..32].copy_from_slice(&offset.to_le_bytes());
        header[32..40].copy_from_slice(&size.to_le_bytes());
        self.headers.push(header);
        self.names.extend(name.bytes().chain([0]));
    }

    pub(crate) fn finish(mut self, budget: &Budget) -> Option<Elf> {
        let names = self.names.clone();
        let at = self.file.seek(SeekFrom::End(0)).unwrap();
        self.file.write_all(&names).unwrap();
        self.put("", elf::SHT_STRTAB, 0, (at, names.len() as u64));
        let offset = self.file.seek(SeekFrom::End(0)).unwrap();
        self.file.write_all(&self.headers.concat()).unwrap();
        let count = u16::try_from(self.headers.len()).unwrap();
        let mut header = [0; size_of::<Header>()];
        header[..6].copy_from_slice(b"\x7fELF\x02\x01");
        header[40..48].copy_from_slice(&offset.to_le_bytes());
        header[58..60].copy_from_slice(&64_u16.to_le_bytes());
        header[60..62].copy_from_slice(&count.to_le_bytes());
        header[62..64].copy_from_slice(&(count - 1).to_le_bytes());
        self.file.write_all_at(&header, 0).unwrap();
        Elf::parse(self.file, budget)
    }
}
