use super::{
    example::{Example, compressed, move_counts},
    *,
};
use crate::budget::Allowance;

fn content(elf: &Elf, name: &str, budget: &Budget) -> Result<Vec<u8>, SectionError> {
    elf.content(elf.section(name).unwrap(), 1 << 20, budget).map(|content| content.bytes)
}

#[test]
fn sections_are_read_and_decompressed() {
    let budget = Budget::default();
    let mut example = Example::new();
    let text = b"text ".repeat(1_000);
    let flag = u64::from(elf::SHF_COMPRESSED);
    example.add(".plain", elf::SHT_PROGBITS, 0, &text);
    example.add(".compressed", elf::SHT_PROGBITS, flag, &compressed(&text, 5_000));
    let old =
        [b"ZLIB\0\0\0\0\0\0\x13\x88", &compressed(&text, 0)[size_of::<CompressionHeader>()..]]
            .concat();
    example.add(".zdebug_old", elf::SHT_PROGBITS, 0, &old);
    example.put(".bss", elf::SHT_NOBITS, 0, (0, 1 << 40));
    let elf = example.finish(&budget).unwrap();
    for name in [".plain", ".compressed", ".zdebug_old"] {
        assert_eq!(content(&elf, name, &budget).unwrap(), text, "{name}");
    }
    assert_eq!(content(&elf, ".bss", &budget).unwrap(), []);
    assert_eq!(elf.start_of(elf.section(".plain").unwrap(), 4), b"text");
    assert_eq!(elf.size_of(&[".plain", ".compressed", ".bss"]), (5_000, 5_000));
    assert!(elf.section(".absent").is_none());
}

#[test]
fn sections_that_are_too_large_are_not_read() {
    let budget = Budget::default();
    let mut example = Example::new();
    let flag = u64::from(elf::SHF_COMPRESSED);
    // 8 GiB, of which the file has none, or which are a hole.
    example.put(".beyond", elf::SHT_PROGBITS, 0, (1 << 20, 8 << 30));
    example.put(".wraps", elf::SHT_PROGBITS, 0, (u64::MAX, 100));
    example.put(".behind", elf::SHT_PROGBITS, 0, (1 << 30, 100));
    example.add(".bomb", elf::SHT_PROGBITS, flag, &compressed(&vec![0; 2 << 20], 2 << 20));
    example.add(".lie", elf::SHT_PROGBITS, flag, &compressed(&vec![0; 2 << 20], 10));
    example.add(".short", elf::SHT_PROGBITS, flag, &[1, 0, 0, 0]);
    example.add(".other", elf::SHT_PROGBITS, flag, &[2; 100]);
    let elf = example.finish(&budget).unwrap();
    let content = |name| content(&elf, name, &budget).unwrap_err();
    assert!(matches!(content(".beyond"), SectionError::TooLarge));
    assert!(matches!(content(".wraps"), SectionError::Unreadable(_)));
    assert!(matches!(content(".behind"), SectionError::Unreadable(_)));
    assert!(matches!(content(".bomb"), SectionError::TooLarge));
    assert!(matches!(content(".lie"), SectionError::Damaged));
    assert!(matches!(content(".short"), SectionError::Damaged));
    assert!(matches!(content(".other"), SectionError::Compression));
    assert!(!budget.is_exceeded());
}

#[test]
fn a_sparse_section_is_searched_within_the_budget() {
    let mut example = Example::new();
    example.add(".names", elf::SHT_PROGBITS, 0, b"a needle");
    example.put(".sparse", elf::SHT_PROGBITS, 0, (1 << 20, 8 << 30));
    example.file.set_len(9 << 30).unwrap();
    let budget = Budget::new(Allowance { steps_max: 1 << 20, ..Allowance::default() });
    let elf = example.finish(&budget).unwrap();
    let search = |name: &str| {
        elf.search_section(elf.section(name).unwrap(), 7, &budget, |before, bytes| {
            let place = bytes.windows(6).position(|window| window == b"needle")?;
            Some(before + place as u64)
        })
    };
    assert_eq!(search(".names"), Some(2));
    assert_eq!((search(".sparse"), budget.is_exceeded()), (None, true));
}

#[test]
fn a_file_that_is_truncated_while_it_is_read_is_an_error() {
    let budget = Budget::default();
    let mut example = Example::new();
    example.add(".plain", elf::SHT_PROGBITS, 0, &vec![7; 100_000]);
    let file = example.file.try_clone().unwrap();
    let elf = example.finish(&budget).unwrap();
    file.set_len(50_000).unwrap();
    assert!(matches!(content(&elf, ".plain", &budget), Err(SectionError::Unreadable(_))));
    assert!(elf.start_of(elf.section(".plain").unwrap(), 100_000).len() < 50_000);
}

#[test]
fn a_match_across_two_parts_is_found() {
    let budget = Budget::default();
    let mut example = Example::new();
    let mut text = vec![b'.'; 2 * WINDOW];
    text[WINDOW - 3..WINDOW + 3].copy_from_slice(b"needle");
    example.add(".names", elf::SHT_PROGBITS, 0, &text);
    let elf = example.finish(&budget).unwrap();
    let found = elf.search_section(elf.section(".names").unwrap(), 5, &budget, |before, bytes| {
        let place = bytes.windows(6).position(|window| window == b"needle")?;
        Some(before + place as u64)
    });
    assert_eq!(found, Some(WINDOW as u64 - 3));
}

#[test]
fn counts_that_do_not_fit_in_the_header_are_in_the_first_section() {
    let budget = Budget::default();
    let mut example = Example::new();
    example.add(".plain", elf::SHT_PROGBITS, 0, b"text");
    let file = example.file.try_clone().unwrap();
    let parse = || Elf::parse(file.try_clone().unwrap(), &budget).unwrap();
    drop(example.finish(&budget).unwrap());
    move_counts(&file);
    let elf = parse();
    assert_eq!((elf.unread_sections, content(&elf, ".plain", &budget).unwrap().len()), (None, 4));

    let mut header = [0; size_of::<Header>()];
    file.read_exact_at(&mut header, 0).unwrap();
    let sections = u64::from_le_bytes(*header[40..].first_chunk().unwrap());
    for (count, reason) in [
        (0, None),
        (1_000, Some(UnreadSections::Damaged)),
        (SECTIONS_MAX as u64 + 1, Some(UnreadSections::TooMany)),
        (u64::MAX, Some(UnreadSections::TooMany)),
    ] {
        file.write_all_at(&count.to_le_bytes(), sections + 32).unwrap();
        let elf = parse();
        assert_eq!((elf.unread_sections, elf.sections.len()), (reason, 0), "{count}");
    }
    // No section headers at all.
    file.write_all_at(&[0; 8], 40).unwrap();
    assert_eq!(parse().unread_sections, None);
    // As many program headers, with the number in the first section header (`PN_XNUM`).
    file.write_all_at(&[0xff, 0xff], 56).unwrap();
    assert!(Elf::parse(file.try_clone().unwrap(), &budget).is_none());
}

#[test]
fn the_first_section_has_no_name() {
    let budget = Budget::default();
    let mut example = Example::new();
    example.add(".gnu_debuglink", elf::SHT_PROGBITS, 0, b"name");
    let file = example.file.try_clone().unwrap();
    drop(example.finish(&budget).unwrap());
    let mut header = [0; size_of::<Header>()];
    file.read_exact_at(&mut header, 0).unwrap();
    let sections = u64::from_le_bytes(*header[40..].first_chunk().unwrap());
    // The name of the only other section, at offset 1 of the names.
    file.write_all_at(&1_u32.to_le_bytes(), sections).unwrap();
    let elf = Elf::parse(file, &budget).unwrap();
    assert_eq!(content(&elf, ".gnu_debuglink", &budget).unwrap(), b"name");
}
