use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::Path,
};

use flate2::{Compress, Compression, FlushCompress};

/// Moves a section of an ELF file to the end of the file, with this content and zeros up to this
/// size. Returns the file offset of the section's header.
pub(crate) fn replace_section(program: &Path, name: &str, content: &[u8], size: u64) -> u64 {
    let bytes = fs::read(program).expect("the file is ours");
    let number = |at: usize, length: usize| {
        let digits = bytes[at..at + length].iter().rev();
        digits.fold(0, |number, byte| number << 8 | usize::from(*byte))
    };
    // `Elf64_Ehdr` and `Elf64_Shdr` of elf(5).
    let (sections, header_size) = (number(0x28, 8), number(0x3a, 2));
    let names = number(sections + header_size * number(0x3e, 2) + 0x18, 8);
    let of_name = |section: &usize| {
        let start = names + number(*section, 4);
        bytes[start..].starts_with(format!("{name}\0").as_bytes())
    };
    let mut headers = (0..number(0x3c, 2)).map(|index| sections + header_size * index);
    let header = headers.find(of_name).expect("it has the section") as u64;
    let file = File::options().write(true).open(program).expect("the file is ours");
    let end = bytes.len() as u64;
    file.write_all_at(&end.to_le_bytes(), header + 0x18).expect("the file is ours");
    file.write_all_at(&size.to_le_bytes(), header + 0x20).expect("the file is ours");
    file.write_all_at(content, end).expect("the file is ours");
    file.set_len(end + size).expect("the file is ours");
    header
}

/// Replaces a section by a compressed one (`SHF_COMPRESSED`, zlib), whose header says that it has
/// `stated` bytes. It has as many MiB of zeros.
pub(crate) fn replace_by_compressed(program: &Path, name: &str, stated: u64, mebibytes: usize) {
    const SHF_COMPRESSED: u64 = 1 << 11;
    // A flush ends at a byte and forgets what came before, so its output can be repeated.
    let mut compress = Compress::new(Compression::fast(), false);
    let mut block = Vec::with_capacity(64 << 10);
    compress
        .compress_vec(&vec![0; 1 << 20], &mut block, FlushCompress::Full)
        .expect("zeros can be compressed");
    // `Elf64_Chdr` of elf(5), `ELFCOMPRESS_ZLIB`, then the header of a zlib stream.
    let mut content = [1, stated, 1].map(u64::to_le_bytes).concat();
    content.extend([0x78, 0x01]);
    content.extend(block.repeat(mebibytes));
    let header = replace_section(program, name, &content, content.len() as u64);
    let file = File::options().write(true).open(program).expect("the file is ours");
    file.write_all_at(&SHF_COMPRESSED.to_le_bytes(), header + 0x08).expect("the file is ours");
}
