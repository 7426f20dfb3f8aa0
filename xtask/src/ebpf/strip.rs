//! Removes the sections of the BPF object that neither the kernel nor the loader reads.

use anyhow::{Context, Result};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

/// The object without its DWARF sections, which are nine tenths of it. Its BTF, which contains the
/// source lines that the verifier prints, is kept.
///
/// # Errors
/// If `bytes` is not a complete ELF object.
pub(crate) fn without_dwarf(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut object = Builder::read(bytes).context("the linker's output is not an ELF object")?;
    for section in &mut object.sections {
        let name = section.name.as_slice();
        let name = name.strip_prefix(b".rel").unwrap_or(name);
        section.delete = name.starts_with(b".debug_");
    }
    object.delete_orphans();

    // LLVM puts the names of sections and symbols into one section; the writer needs two.
    let is_names = |data: &_| matches!(data, SectionData::SectionString);
    if !object.sections.iter().any(|section| is_names(&section.data)) {
        let names = object.sections.add();
        names.name = ".shstrtab".into();
        names.sh_type = SHT_STRTAB;
        names.sh_addralign = 1;
        names.data = SectionData::SectionString;
    }

    let mut stripped = Vec::new();
    object.write(&mut stripped).context("cannot write the stripped object")?;
    Ok(stripped)
}

#[cfg(test)]
mod tests {
    use object::build::elf::{Builder, SectionData};
    use object::elf::{EM_BPF, ET_REL, SHT_PROGBITS, SHT_STRTAB};
    use object::{Endianness, Object, ObjectSection};

    use super::without_dwarf;

    /// An object with these sections, each containing its own name.
    fn object(names: &[&'static str]) -> Vec<u8> {
        let mut object = Builder::new(Endianness::Little, true);
        object.header.e_type = ET_REL;
        object.header.e_machine = EM_BPF;
        for name in names {
            let section = object.sections.add();
            section.name = (*name).into();
            section.sh_type = SHT_PROGBITS;
            section.data = SectionData::Data(name.as_bytes().into());
        }
        let names = object.sections.add();
        names.name = ".strtab".into();
        names.sh_type = SHT_STRTAB;
        names.data = SectionData::SectionString;
        let mut bytes = Vec::new();
        object.write(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn only_dwarf_is_removed() {
        let original = object(&["tp_btf/a", ".debug_info", ".BTF", ".rel.debug_line", ".BTF.ext"]);

        let stripped = without_dwarf(&original).unwrap();

        let file = object::File::parse(&*stripped).unwrap();
        for name in ["tp_btf/a", ".BTF", ".BTF.ext"] {
            let data = file.section_by_name(name).unwrap().data().unwrap();
            assert_eq!(data, name.as_bytes());
        }
        assert!(!file.sections().any(|section| section.name().unwrap().contains("debug")));
    }

    #[test]
    fn other_bytes_are_an_error() {
        assert!(without_dwarf(b"no object").is_err());
    }
}
