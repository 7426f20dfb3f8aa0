use super::*;
use crate::{
    budget::{Allowance, Budget},
    process::memory::fake::FakeMemory,
};

const TABLE: u64 = 0x10_000;
const TEXT: u64 = 0x40_000;
const BIAS: u64 = 0x8_000;

/// Three functions of 0x100 bytes each.
fn table() -> FakeMemory {
    let names = b"\0one\0runtime.two\0three\0";
    let mut functions = Vec::new();
    let mut entries = Vec::new();
    for (index, name) in [1_u32, 5, 17].into_iter().enumerate() {
        let begin = 0x100 * u32::try_from(index).unwrap();
        entries.extend([begin, 64 + 16 * u32::try_from(index).unwrap()]);
        functions.extend([begin, name, 0, 0]);
    }
    entries.push(0x300);
    entries.resize(16, 0);
    entries.extend(functions);
    let bytes: Vec<u8> = entries.iter().flat_map(|it| it.to_le_bytes()).collect();

    let mut memory = FakeMemory::default();
    memory.put(TABLE, &[MAGICS[1], 3, 0, TEXT, 72, 200, 200, 200, 208]);
    memory.put_bytes(TABLE + 72, &[0; 256]);
    memory.put_bytes(TABLE + 72, names);
    memory.put_bytes(TABLE + 208, &bytes);
    // Fill the page, which is read as a whole.
    for address in (TABLE..TABLE + 4096).step_by(8) {
        memory.0.entry(address).or_insert(0);
    }
    memory
}

fn read(memory: &FakeMemory) -> Option<FunctionTable> {
    let header = Header::read(memory, TABLE)?;
    FunctionTable::read(memory, (TABLE, header), (TEXT, TEXT + 0x300), BIAS)
}

#[test]
fn functions_are_found_by_address_and_name() {
    let memory = table();
    let functions = read(&memory).unwrap();
    let mut pages = Pages::new(&memory);
    let begin = TEXT - BIAS;
    let mut name = |address| {
        let number = functions.function_at(address)?;
        functions.name(&mut pages, BIAS, number, &["three", "runtime.two", "on"])
    };
    assert_eq!(name(begin), None, "a prefix is another name");
    assert_eq!(name(begin + 0x100), Some(1));
    assert_eq!(name(begin + 0x1ff), Some(1));
    assert_eq!(name(begin + 0x2ff), Some(0));
    assert_eq!((name(begin + 0x300), name(begin - 1), name(0)), (None, None, None));
    assert_eq!(functions.code(1), Some((begin + 0x100, begin + 0x200)));
}

#[test]
fn functions_are_found_in_one_pass() {
    let memory = table();
    let functions = read(&memory).unwrap();
    let find = |names: &[&str]| functions.find(&memory, BIAS, names);
    assert_eq!(find(&["three", "two", "one", "runtime.two"]), [Some(2), None, Some(0), Some(1)]);
    // Present in the table, but not complete names.
    assert_eq!(find(&["", "runtime"]), [None, None]);
    assert_eq!(find(&[]), []);
    // A `_func` with another start belongs to another function.
    let mut memory = table();
    let three = TABLE + 208 + 64 + 32;
    memory.put(three, &[17 << 32 | 0x201]);
    assert_eq!(functions.find(&memory, BIAS, &["three"]), [None]);
}

#[test]
fn a_corrupt_table_is_rejected() {
    for (offset, word) in
        [(0, 0), (0, MAGICS[0] + 5), (8, 0), (8, 1 << 40), (32, 8), (32, 300), (64, 1 << 33)]
    {
        let mut memory = table();
        memory.put(TABLE + offset, &[word]);
        assert!(read(&memory).is_none(), "{offset} {word:#x}");
    }
    for place in table().0.into_keys() {
        let mut memory = table();
        memory.0.remove(&place);
        if let Some(functions) = read(&memory) {
            let mut pages = Pages::new(&memory);
            functions.find(&memory, BIAS, &["one", "two"]);
            for number in 0..10 {
                functions.name(&mut pages, BIAS, number, &["one"]);
                functions.code(number);
            }
        }
    }
}

#[test]
fn a_table_of_any_size_is_read_within_the_budget() {
    let allowance = Allowance { bytes_max: 1 << 20, ..Allowance::default() };
    let mut memory = table();
    memory.1 = Budget::new(allowance);
    memory.put(TABLE + 8, &[FUNCTIONS_MAX]);
    assert!(read(&memory).is_none());
    assert!(memory.1.is_exceeded(), "16 MiB of entries");

    // The names end after all memory that is mapped, or at the end of the address space.
    for length in [4_096, NAMES_MAX] {
        let mut memory = table();
        memory.put(TABLE + 40, &[72 + length, 72 + length, 72 + length]);
        memory.put(TABLE + 64, &[72 + length]);
        assert!(read(&memory).is_none(), "{length}");
    }
    let functions = FunctionTable { names: u64::MAX - 8, ..read(&table()).unwrap() };
    assert_eq!(functions.find(&table(), 0, &["one"]), [None]);
    let functions = FunctionTable { functions: u64::MAX - 8, ..functions };
    assert_eq!(functions.find(&table(), 0, &["one"]), [None]);
}

#[test]
fn module_data_must_match_the_table() {
    let header = Header::read(&table(), TABLE).unwrap();
    let module = |functions: u64, [lowest, highest, text, end]: [u64; 4]| {
        let mut words = [0; 24];
        words[layout::MODULE_FUNCTIONS_LENGTH / 8] = functions;
        words[layout::MODULE_LOWEST / 8..].copy_from_slice(&[lowest, highest, text, end]);
        let bytes: Vec<u8> = words.iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        header.text(&bytes)
    };
    assert_eq!(module(4, [0x1000, 0x1300, 0x1000, 0x1300]), Some((0x1000, 0x1300)));
    assert_eq!(module(3, [0x1000, 0x1300, 0x1000, 0x1300]), None);
    assert_eq!(module(4, [0x1000, 0x1300, 0x1100, 0x1300]), None);
    assert_eq!(module(4, [0x1000, 0x1300, 0x1000, 1 << 40]), None);
    assert_eq!(module(4, [0x1000, u64::MAX, 0, u64::MAX]), None);
    assert_eq!(header.text(&[0; 100]), None);
}
