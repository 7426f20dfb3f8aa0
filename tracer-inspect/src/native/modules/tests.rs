use std::os::unix::fs::FileExt as _;

use object::elf;

use super::*;
use crate::elf::example::{self, Example};

#[test]
fn names_are_demangled() {
    for (mangled, file, expected) in [
        ("_ZN7crawler5fetch17h0123456789abcdefE", "", (Language::Rust, "crawler::fetch")),
        ("_RNvCs1234_7crawler5fetch", "", (Language::Rust, "crawler::fetch")),
        ("_ZN4acme5fetchEi", "", (Language::Native, "acme::fetch(int)")),
        ("_ZN4acme5fetchEv", "", (Language::Native, "acme::fetch()")),
        ("fetch", "/src/fetch.c", (Language::Native, "fetch")),
        ("main", "/src/main.rs", (Language::Rust, "main")),
        ("_Znonsense", "", (Language::Native, "_Znonsense")),
        ("", "", (Language::Native, "")),
    ] {
        let (language, name) = demangled(mangled, file);
        assert_eq!((language, name.as_str()), expected, "{mangled}");
    }
}

#[test]
fn names_that_expand_are_limited() {
    // Each parameter is a pair of the one before: its text is twice as long.
    let pairs = |count: u32| {
        let digit = |number| char::from_digit(number, 36).unwrap().to_ascii_uppercase();
        let pairs = (0..count).map(digit).map(|it| format!("S_IS{it}_S{it}_E"));
        format!("_Z1fSt4pairIiiE{}", pairs.collect::<String>())
    };
    assert!(demangled(&pairs(2), "").1.ends_with("std::pair<int, int> > >)"));
    assert_eq!(demangled(&pairs(30), "").1, pairs(30));
    for name in ["x".repeat(NAME_MAX + 1), format!("_Z{}", "P".repeat(10_000))] {
        assert!(demangled(&name, "").1.len() <= NAME_MAX);
    }
}

/// What a module with these sections leads to: whether debug information is read, or the limit.
fn opened(add: impl FnOnce(&mut Example), change: impl FnOnce(&File)) -> Result<bool, Limit> {
    let budget = Budget::default();
    let directory = tempfile::tempdir().unwrap();
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    let file = options.open(directory.path().join("program")).unwrap();
    let mut example = Example::of(file.try_clone().unwrap());
    add(&mut example);
    drop(example.finish(&budget));
    change(&file);
    let Some(mut module) = Module::open(std::process::id(), file, &budget)? else {
        return Ok(false);
    };
    let has_debug_info = module.has_debug_info;
    // Whatever it has, looking for names ends.
    let path = "/tmp/program";
    let found = catch_unwind(AssertUnwindSafe(|| module.frames(64, path)));
    assert!(found.is_err() || found.unwrap().is_empty());
    Ok(has_debug_info)
}

fn section(name: &'static str, flags: u32, content: Vec<u8>) -> impl FnOnce(&mut Example) {
    move |example| example.add(name, elf::SHT_PROGBITS, flags.into(), &content)
}

const COMPRESSED: u32 = elf::SHF_COMPRESSED;

#[test]
fn compressed_debug_information_is_as_large_as_its_header_says() {
    let bomb = |size: u64| example::compressed(&vec![0; 4 << 20], size);
    for name in [".debug_info", ".debug_str", ".debug_macro", ".debug_line_str"] {
        let open = |size| opened(section(name, COMPRESSED, bomb(size)), |_| ());
        assert_eq!(open(4 << 20), Ok(true), "{name}");
        assert_eq!(open(4 << 30), Ok(false), "{name}: the header says 4 GiB");
        assert_eq!(open(u64::MAX), Ok(false), "{name}");
    }
    // Together they are as large as one.
    let several = |example: &mut Example| {
        for name in DEBUG_INFO {
            let content = example::compressed(&[0; 100], INFLATED_MAX / 8);
            example.add(name, elf::SHT_PROGBITS, COMPRESSED.into(), &content);
        }
    };
    assert_eq!(opened(several, |_| ()), Ok(false));
}

#[test]
fn a_symbol_table_cannot_hide_its_size() {
    let large = Err(Limit::InspectionTooLarge { bytes_max: SYMBOLS_MAX });
    // The library reads it as it is, with this flag or without.
    for flags in [0, COMPRESSED] {
        let sparse = |example: &mut Example| {
            example.put(".symtab", elf::SHT_SYMTAB, flags.into(), (4096, 8 << 30));
        };
        assert_eq!(opened(sparse, |file| file.set_len(9 << 30).unwrap()), large);
    }
    // Nor by more sections than the header of the file can count.
    let sparse = |example: &mut Example| {
        example.put(".symtab", elf::SHT_SYMTAB, 0, (4096, 8 << 30));
    };
    let count_elsewhere = |file: &File| {
        example::move_counts(file);
        file.set_len(9 << 30).unwrap();
    };
    assert_eq!(opened(sparse, count_elsewhere), large);
    let many = |count: usize| {
        move |example: &mut Example| {
            for _ in 0..count {
                example.put(".text", elf::SHT_PROGBITS, 0, (64, 1));
            }
        }
    };
    assert_eq!(opened(many(4_000), |_| ()), Ok(true));
    let too_many = Err(Limit::InspectionTooLarge { bytes_max: SECTION_HEADERS_MAX });
    assert_eq!(opened(many(5_000), |_| ()), too_many);
    assert_eq!(opened(many(5_000), example::move_counts), too_many);
}

#[test]
fn relocations_are_not_read() {
    let as_object_file = |file: &File| {
        file.write_all_at(&elf::ET_REL.to_le_bytes(), 16).unwrap();
    };
    let information = || section(".debug_info", 0, vec![0; 100]);
    assert_eq!(opened(information(), |_| ()), Ok(true));
    assert_eq!(opened(information(), as_object_file), Ok(false));
}

#[test]
fn sections_that_only_the_library_would_find_are_not_followed() {
    let link = || section(".gnu_debugaltlink", 0, b"/dev/zero\0id".to_vec());
    assert_eq!(opened(link(), |_| ()), Ok(false));
    assert_eq!(opened(link(), example::move_counts), Ok(false));
    // The index of the names is not that of a section; the size of a header is another one; the
    // headers are not in the file.
    for (offset, value) in [(62, 0xff00_u16), (58, 63), (44, 1)] {
        let damage = |file: &File| file.write_all_at(&value.to_le_bytes(), offset).unwrap();
        assert_eq!(opened(link(), damage), Ok(false), "{offset}");
    }
}
