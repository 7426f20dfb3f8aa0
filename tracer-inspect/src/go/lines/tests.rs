//! Synthetic tables, valid and corrupt.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::go::{function_table::Header, layout};
use crate::{
    budget::{Allowance, Budget},
    process::memory::fake::FakeMemory,
};

const TABLES: u64 = 0x10_000;
const TEXT: u64 = 0x40_000;
const BIAS: u64 = 0x8_000;

// Offsets of the tables.
const NAMES: usize = 0x100;
const UNITS: usize = 0x200;
const FILES: usize = 0x280;
const VALUES: usize = 0x300;
const DESCRIPTIONS: usize = 0x400;
const FUNCTION_DATA: usize = 0x700;
const LENGTH: usize = 0x1000;

/// How `calls` writes that the tables do not match the code.
const INCONSISTENT: &str = "inconsistent";

/// Tables of two functions. In `main.outer`, which has 256 bytes, `main.get` is inlined from 64 to 96,
/// and `main.inner` is inlined into that from 72 on. The other function has no lines.
fn tables(format: Format) -> Vec<u8> {
    let is_first = format == GO_1_18;
    let mut bytes = vec![0; LENGTH];
    let mut put = |offset: usize, some: &[u8]| {
        bytes[offset..offset + some.len()].copy_from_slice(some);
    };
    let magic = MAGICS[usize::from(!is_first)];
    let parts = [NAMES, UNITS, FILES, VALUES, DESCRIPTIONS].map(|it| it as u64);
    let header = [&[magic, 2, 2, TEXT][..], &parts].concat();
    put(0, &header.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>());
    put(NAMES, b"\0main.outer\0main.get[go.shape.int]\0main.inner\0");
    put(FILES, b"/src/main.go\0/src/inner.go\0");
    put(VALUES + 1, &[2, 0x48, 2, 0x18, 1, 0xa0, 1, 0]);
    put(VALUES + 16, &[22, 0x40, 40, 8, 94, 0x18, 0x81, 1, 0xa0, 1, 0]);
    put(VALUES + 32, &[0, 0x40, 2, 8, 2, 0x18, 3, 0xa0, 1, 0]);
    let mut put_halves = |offset: usize, halves: &[u32]| {
        put(offset, &halves.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>());
    };
    put_halves(UNITS, &[u32::MAX, 0, 13, u32::MAX]);
    put_halves(DESCRIPTIONS, &[0, 0x40, 0x100, 0xc0, 0x200]);
    let start_line: &[u32] = if is_first { &[] } else { &[5] };
    let numbers = [&[4 << 24, 0, 0, 32][..], &[u32::MAX, u32::MAX, u32::MAX, 0x10]].concat();
    let outer = [&[0, 1, 0, 0, 0, 1, 16, 3, 1][..], start_line, &numbers].concat();
    put_halves(DESCRIPTIONS + 0x40, &outer);
    put_halves(
        DESCRIPTIONS + 0xc0,
        &[&[0x100, 35, 0, 0, 0, 0, 0, 0, 1], start_line, &[0]].concat(),
    );
    let call = |name: u32, parent: u32| {
        if is_first { vec![0, 0, 0, name, parent] } else { vec![0, name, parent, 5] }
    };
    put_halves(FUNCTION_DATA + 0x10, &[call(12, 0x10), call(35, 0x44)].concat());
    bytes
}

/// Reads the tables; `None` if they are rejected.
fn with_lines<T>(bytes: &[u8], ask: impl FnOnce(&Lines, &mut Pages) -> T) -> Option<T> {
    with_lines_of(&mut FakeMemory::default(), bytes, ask)
}

fn with_lines_of<T>(
    memory: &mut FakeMemory,
    bytes: &[u8],
    ask: impl FnOnce(&Lines, &mut Pages) -> T,
) -> Option<T> {
    memory.put_bytes(TABLES, bytes);
    let mut module = vec![0; layout::MODULE];
    let tables = [(8, NAMES, 0x100), (32, UNITS, 4), (56, FILES, 0x80), (80, VALUES, 0x100)];
    let tables = [&tables[..], &[(104, DESCRIPTIONS, 0x300)]].concat();
    for (offset, start, length) in tables {
        let slice = [TABLES + start as u64, length].map(u64::to_le_bytes).concat();
        module[offset..offset + 16].copy_from_slice(&slice);
    }
    let data = (TABLES + FUNCTION_DATA as u64).to_le_bytes();
    module[layout::module_function_data(23)..][..8].copy_from_slice(&data);

    let header = Header::read(memory, TABLES)?;
    let text = (TEXT, TEXT + 0x200);
    let functions = FunctionTable::read(memory, (TABLES, header), text, BIAS)?;
    let tables = LineTables::read(memory, 23, (TABLES, &module), BIAS)?;
    let lines = Lines { functions: &functions, tables: &tables };
    Some(ask(&lines, &mut Pages::new(memory)))
}

/// The calls at each offset from the start of the code.
fn calls(bytes: &[u8], offsets: impl IntoIterator<Item = u64>) -> Option<Vec<Vec<String>>> {
    let text = |frame: GoFrame| match frame.place {
        Some((file, line)) => format!("{} {file}:{line}", frame.function),
        None => frame.function,
    };
    with_lines(bytes, |lines, pages| {
        let calls = offsets.into_iter().map(|offset| {
            match lines.frames(pages, BIAS, TEXT + offset, offset == 0) {
                Ok(Some(frames)) => frames.into_iter().map(text).collect(),
                Ok(None) => vec!["elsewhere".to_owned()],
                Err(Inconsistent) => vec![INCONSISTENT.to_owned()],
            }
        });
        calls.collect()
    })
}

/// The offset of the `_func` of `main.outer`.
const OUTER: usize = DESCRIPTIONS + 0x40;

/// The same tables with a frame. Of three variables, the first is live up to 80, then the other two and
/// the parameter are. The address of an earlier variable and that of the second parameter are taken.
fn framed(format: Format) -> Vec<u8> {
    let mut bytes = tables(format);
    let mut put = |offset: usize, some: &[u8]| {
        bytes[offset..offset + some.len()].copy_from_slice(some);
    };
    put(VALUES + 48, &[82, 0x80, 2, 0]);
    put(VALUES + 64, &[2, 0x50, 2, 0xb0, 1, 0]);
    let mut put_halves = |offset: usize, halves: &[u32]| {
        put(offset, &halves.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>());
    };
    put_halves(OUTER + 8, &[8]);
    put_halves(OUTER + 16, &[48]);
    put_halves(OUTER + format.description + 4, &[64]);
    put_halves(OUTER + format.description + 12, &[0x80, 0x90, 0xa0]);
    put_halves(FUNCTION_DATA + 0x80, &[2, 1, 0x0100, 0]);
    put_halves(FUNCTION_DATA + 0x90, &[2, 3, 0x0601, 0]);
    let before = (-32_i32).cast_unsigned();
    put_halves(FUNCTION_DATA + 0xa0, &[2, 0, before, 16, 16, 0, 8, 8, 8, 0]);
    bytes
}

fn frame_map(bytes: &[u8], offset: u64) -> Option<(u64, Vec<i64>)> {
    let map = with_lines(bytes, |lines, pages| lines.frame_map(pages, BIAS, TEXT + offset));
    let map = map.flatten()?;
    // Objects may overlap each other and live variables.
    let objects =
        map.objects.iter().flat_map(|(first, length)| (*first..first + length).step_by(8));
    let words: std::collections::BTreeSet<i64> = map.words.iter().copied().chain(objects).collect();
    Some((map.size, words.into_iter().collect()))
}

#[test]
fn the_live_words_of_a_frame_depend_on_the_return_address() {
    for format in [GO_1_18, GO_1_20] {
        let bytes = framed(format);
        let early = (32, vec![-32, -24, 24]);
        assert_eq!(frame_map(&bytes, 0x41), Some(early.clone()), "{format:?}");
        assert_eq!(
            frame_map(&bytes, 0x50),
            Some(early),
            "the map of the call before the return address"
        );
        assert_eq!(frame_map(&bytes, 0x51), Some((32, vec![-32, -24, -16, -8, 16, 24])));
        assert_eq!((frame_map(&bytes, 0), frame_map(&bytes, 0x300)), (None, None));
    }
}

#[test]
fn a_frame_with_inconsistent_tables_is_unknown() {
    let end = OUTER + GO_1_20.description;
    let data = FUNCTION_DATA;
    for (offset, some, why) in [
        (OUTER, &[1, 0, 0, 0][..], "another start address"),
        (OUTER + 4, &[0x60, 0, 0, 0], "runtime.gopanic"),
        (OUTER + 16, &[0; 4], "no frame size"),
        (end - 3, &[4], "assembly"),
        (end - 3, &[2], "writes SP"),
        (end + 12, &[0xff; 4], "no map of the parameters"),
        (end + 16, &[0xff; 4], "no map of the variables"),
        (data + 0x80, &[1, 0, 0, 0], "too few maps of the parameters"),
        (data + 0x90, &[1, 0, 0, 0], "too few maps of the variables"),
        (data + 0x94, &[5, 0, 0, 0], "more variables than the frame has room for"),
        (data + 0x94, &[0, 0, 2, 0], "too many variables"),
        (data + 0xa0, &[0, 0, 1, 1], "too many objects"),
        (data + 0xac, &[0, 0, 0, 1], "an object that is too long"),
    ] {
        let mut bytes = framed(GO_1_20);
        bytes[NAMES + 0x60..][..16].copy_from_slice(b"runtime.gopanic\0");
        assert!(frame_map(&bytes, 0x51).is_some());
        bytes[offset..offset + some.len()].copy_from_slice(some);
        assert_eq!(frame_map(&bytes, 0x51), None, "{why}");
    }
}

/// A function table with `count` stack objects of `words` words each.
fn with_objects(count: usize, words: u32) -> Vec<u8> {
    let mut bytes = framed(GO_1_20);
    bytes.truncate(FUNCTION_DATA + 0xa0);
    bytes.extend((count as u64).to_le_bytes());
    let object = [(-32_i32).cast_unsigned(), 8 * words, 0, 0].map(u32::to_le_bytes).concat();
    bytes.extend(object.repeat(count));
    // Whole pages are read.
    bytes.resize(bytes.len().next_multiple_of(0x1000), 0);
    bytes
}

/// All objects together have 32 GiB of words.
#[test]
fn as_many_objects_as_possible_of_as_many_words_as_possible() {
    assert_eq!(frame_map(&with_objects(65_536, 65_536), 0x51), None);
    let small = with_objects(1_000, 1);
    let expected = Some((32, vec![-32, -16, -8, 16]));
    assert_eq!(frame_map(&small, 0x51), expected, "all of them are one word");
    // Many such frames exceed the budget.
    let allowance = Allowance { steps_max: 64 << 10, ..Allowance::default() };
    let mut memory = FakeMemory(BTreeMap::default(), Budget::new(allowance));
    let frames = with_lines_of(&mut memory, &small, |lines, pages| {
        (0..100).map_while(|_| lines.frame_map(pages, BIAS, TEXT + 0x51)).count()
    });
    assert!(frames.is_some_and(|frames| (1..100).contains(&frames)), "{frames:?}");
    assert!(memory.1.is_exceeded());
}

#[test]
fn inlined_functions_are_separate_calls() {
    for format in [GO_1_18, GO_1_20] {
        let bytes = tables(format);
        let calls = calls(&bytes, [0, 1, 0x40, 0x41, 0x49, 0x60, 0x61, 0x100, 0x101, 0x201]);
        let outer = |line| format!("main.outer /src/main.go:{line}");
        let (get, inner) = ("main.get[...] /src/main.go:30", "main.inner /src/inner.go:77");
        let in_inner = vec![inner.to_owned(), get.to_owned(), outer(10)];
        let expected = vec![
            vec![outer(10)],
            vec![outer(10)],
            vec![outer(10)],
            vec![get.to_owned(), outer(10)],
            in_inner.clone(),
            in_inner,
            vec![outer(12)],
            vec![outer(12)],
            vec!["main.inner".to_owned()],
            vec!["elsewhere".to_owned()],
        ];
        assert_eq!(calls, Some(expected), "{format:?}");
    }
}

#[test]
fn an_exact_address_may_be_the_start_of_a_function() {
    let bytes = tables(GO_1_20);
    // The address before it is not Go code.
    assert_eq!(calls(&bytes, [0]).unwrap()[0].len(), 1);
}

#[test]
fn inconsistent_tables_give_no_names() {
    let at = |offset: usize, some: &[u8]| {
        let mut bytes = tables(GO_1_20);
        bytes[offset..offset + some.len()].copy_from_slice(some);
        calls(&bytes, [0x50]).unwrap().remove(0)
    };
    let inconsistent = [INCONSISTENT.to_owned()];
    assert_eq!(at(DESCRIPTIONS + 0x40, &[1]), inconsistent, "another start address");
    assert_eq!(at(FUNCTION_DATA + 0x24, &[13]), inconsistent, "in the middle of a name");
    assert_eq!(
        at(FUNCTION_DATA + 0x28, &[0, 1]),
        inconsistent,
        "parentPc after the end of the function"
    );
    assert_eq!(at(FUNCTION_DATA + 0x28, &[0x50]), inconsistent, "an inlined call within itself");
    assert_eq!(at(VALUES + 34, &[0xff, 0xff, 0xff, 0xff, 0xff]), inconsistent, "not a varint");
    assert_eq!(at(UNITS + 4, &[1]), inconsistent, "in the middle of a path");
    assert_eq!(at(UNITS + 8, &[0xff; 4])[0], "main.inner", "no file");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn corrupt_tables_do_not_hang_or_panic(
        damage in prop::collection::vec((72..LENGTH, any::<u8>()), 1..40),
        is_first: bool,
    ) {
        let mut bytes = framed(if is_first { GO_1_18 } else { GO_1_20 });
        for (offset, byte) in damage {
            bytes[offset] = byte;
        }
        calls(&bytes, (0..0x210).step_by(7));
        frame_map(&bytes, 0x51);
    }

    #[test]
    fn random_bytes_do_not_hang_or_panic(noise in prop::collection::vec(any::<u8>(), LENGTH - 72)) {
        let mut bytes = tables(GO_1_20);
        bytes[72..].copy_from_slice(&noise);
        // Valid entries, so that functions are found.
        let entries = tables(GO_1_20);
        bytes[DESCRIPTIONS..][..20].copy_from_slice(&entries[DESCRIPTIONS..][..20]);
        bytes[DESCRIPTIONS + 0x40..][..4].copy_from_slice(&[0; 4]);
        calls(&bytes, (0..0x210).step_by(7));
    }
}
