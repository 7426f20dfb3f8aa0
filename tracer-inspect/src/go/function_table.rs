//! Go's table of functions (`pclntab`): the function of an address, also in a stripped program.
//!
//! The format is that of Go 1.18 with the magic number of 1.18 or 1.20; `runtime.pcHeader` and
//! `runtime._func` describe it. Only names and beginnings are read.

use super::layout;
use crate::process::{
    memory::{Memory, half_at, word_at},
    pages::Pages,
};

/// `pcHeader` of Go 1.18 and of 1.20, on amd64 and on arm64: the magic number, two zeros, the size
/// of the smallest instruction and that of a pointer.
pub(super) const MAGICS: [u64; 4] =
    [0x0801_0000_ffff_fff0, 0x0801_0000_ffff_fff1, 0x0804_0000_ffff_fff0, 0x0804_0000_ffff_fff1];

/// Bytes of the header.
const HEADER: usize = 72;
/// Bytes of `runtime.functab`: where a function begins and where more about it is.
const ENTRY: usize = 8;
/// Most functions of a program that make sense.
const FUNCTIONS_MAX: u64 = 1 << 22;
/// Most bytes of names that make sense.
const NAMES_MAX: u64 = 256 << 20;
/// Functions whose descriptions are read together.
const READ_TOGETHER: usize = 4096;

/// The functions of a program. Addresses are those of the file.
#[derive(Debug)]
pub struct FunctionTable {
    /// Where the code begins: what the offsets are counted from.
    text: u64,
    text_end: u64,
    /// `funcnametab`.
    names: u64,
    names_length: usize,
    /// `pclntab`.
    functions: u64,
    /// `ftab`, as it is in memory.
    entries: Box<[u8]>,
}

/// The header, before it is known where the code begins.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    count: u64,
    names: u64,
    names_end: u64,
    functions: u64,
}

impl Header {
    /// The header at an address of the process.
    pub fn read(memory: &dyn Memory, address: u64) -> Option<Self> {
        let bytes = memory.read_one(address, HEADER)?;
        let word = |offset| word_at(&bytes, offset);
        let (count, names, functions) = (word(8)?, word(32)?, word(64)?);
        let names_end = word(40)?;
        let ordered = [names, names_end, word(48)?, word(56)?, functions];
        let is_sane = MAGICS.contains(&word(0)?)
            && (1..=FUNCTIONS_MAX).contains(&count)
            && names >= HEADER as u64
            && ordered.is_sorted()
            && names_end - names <= NAMES_MAX
            && functions < 1 << 32;
        is_sane.then_some(Self { count, names, names_end, functions })
    }

    /// Whether this is the `runtime.moduledata` of the table, and where its code begins and ends.
    pub fn text(self, module: &[u8]) -> Option<(u64, u64)> {
        let word = |offset| word_at(module, offset);
        let (text, end) = (word(layout::MODULE_TEXT)?, word(layout::MODULE_TEXT_END)?);
        let (lowest, highest) = (word(layout::MODULE_LOWEST)?, word(layout::MODULE_HIGHEST)?);
        let is_sane = word(layout::MODULE_FUNCTIONS_LENGTH)? == self.count + 1
            && text <= lowest
            && lowest < highest
            && text < end
            && end - text <= 1 << 32;
        is_sane.then_some((text, end.max(highest)))
    }
}

impl FunctionTable {
    /// Reads the table at an address of the process, where the program is shifted by `bias`.
    pub fn read(
        memory: &dyn Memory,
        (address, header): (u64, Header),
        (text, text_end): (u64, u64),
        bias: u64,
    ) -> Option<Self> {
        let length = usize::try_from(header.count).ok()?.checked_mul(ENTRY)?;
        let entries = memory.read_one(address.checked_add(header.functions)?, length)?;
        let begins = |entry: &[u8]| half_at(entry, 0).unwrap_or(0);
        if !entries.chunks_exact(ENTRY).is_sorted_by_key(begins) {
            return None;
        }
        let unshifted = address.wrapping_sub(bias);
        Some(Self {
            text: text.wrapping_sub(bias),
            text_end: text_end.wrapping_sub(bias),
            names: unshifted.wrapping_add(header.names),
            names_length: usize::try_from(header.names_end - header.names).ok()?,
            functions: unshifted.wrapping_add(header.functions),
            entries,
        })
    }

    /// The number of the function with the code at this address of the file.
    pub(super) fn holding(&self, address: u64) -> Option<usize> {
        if !(self.text..self.text_end).contains(&address) {
            return None;
        }
        let offset = u32::try_from(address - self.text).ok()?;
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            if self.begin(middle)? <= offset { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.entries.len() / ENTRY
    }

    fn begin(&self, number: usize) -> Option<u32> {
        half_at(&self.entries, number * ENTRY)
    }

    /// Where a function begins in the code, and where more about it is in the table.
    pub(super) fn entry(&self, number: usize) -> Option<(u32, u32)> {
        Some((self.begin(number)?, half_at(&self.entries, number * ENTRY + 4)?))
    }

    /// Where the code of a function begins and ends in the file.
    pub fn code(&self, number: usize) -> Option<(u64, u64)> {
        let address = |offset: u32| self.text.wrapping_add(offset.into());
        let end = self.begin(number + 1).map_or(self.text_end, address);
        Some((address(self.begin(number)?), end))
    }

    /// The functions with these names: for each name the number of the first that has it. One
    /// pass over all names, and one over all functions.
    pub fn find(&self, memory: &dyn Memory, bias: u64, names: &[&str]) -> Vec<Option<usize>> {
        let mut found = vec![None; names.len()];
        // The linker writes each name once, so that functions can be told by where it is.
        let wanted = self.places(memory, bias, names);
        let mut pages = Pages::new(memory);
        let entries: Vec<&[u8]> = self.entries.chunks_exact(ENTRY).collect();
        for (some, first) in entries.chunks(READ_TOGETHER).zip((0..).step_by(READ_TOGETHER)) {
            if found.iter().zip(&wanted).all(|(found, wanted)| found.is_some() || wanted.is_none())
            {
                break;
            }
            let descriptions = || some.iter().map(|entry| self.description(bias, entry));
            // One may go on in the next page.
            pages.prefetch(descriptions().flatten().flat_map(|it| [it, it.saturating_add(7)]));
            for ((entry, description), number) in some.iter().zip(descriptions()).zip(first..) {
                let name = description.and_then(|it| name_of(&mut pages, it, half_at(entry, 0)?));
                let index = name.and_then(|name| wanted.iter().position(|it| *it == Some(name)));
                if let Some(place) = index.and_then(|index| found.get_mut(index)) {
                    place.get_or_insert(number);
                }
            }
        }
        found
    }

    /// Where among the names these are.
    fn places(&self, memory: &dyn Memory, bias: u64, names: &[&str]) -> Vec<Option<u32>> {
        let start = self.names.wrapping_add(bias);
        let bytes = memory.read_one(start, self.names_length).unwrap_or_default();
        let mut places = vec![None; names.len()];
        let mut place = 0;
        for name in bytes.split(|byte| *byte == 0) {
            let index = names.iter().position(|wanted| wanted.as_bytes() == name);
            if let Some(found) = index.and_then(|index| places.get_mut(index)) {
                *found = u32::try_from(place).ok();
            }
            place += name.len() + 1;
        }
        places
    }

    /// Where the `_func` of an entry is in the process.
    fn description(&self, bias: u64, entry: &[u8]) -> Option<u64> {
        self.functions.wrapping_add(bias).checked_add(half_at(entry, 4)?.into())
    }

    /// Whether a function has one of these names: the number of the name.
    pub fn name(
        &self,
        pages: &mut Pages,
        bias: u64,
        number: usize,
        names: &[&str],
    ) -> Option<usize> {
        let name = self.name_address(pages, bias, number)?;
        let is = |wanted: &&str| {
            let bytes = pages.bytes(name, wanted.len() + 1);
            bytes.is_some_and(|bytes| bytes.strip_suffix(&[0]) == Some(wanted.as_bytes()))
        };
        names.iter().position(is)
    }

    /// Whether the name of a function begins like this.
    pub fn name_begins(
        &self,
        pages: &mut Pages,
        bias: u64,
        number: usize,
        beginning: &str,
    ) -> Option<bool> {
        let name = self.name_address(pages, bias, number)?;
        Some(pages.bytes(name, beginning.len())? == beginning.as_bytes())
    }

    /// Where in the process the name of a function is.
    fn name_address(&self, pages: &mut Pages, bias: u64, number: usize) -> Option<u64> {
        let description = self.description(bias, self.entries.get(number * ENTRY..)?)?;
        let name = name_of(pages, description, self.begin(number)?)?;
        self.names.wrapping_add(bias).checked_add(name.into())
    }
}

/// Where among the names that of a function is, which is known by where it begins.
fn name_of(pages: &mut Pages, description: u64, begin: u32) -> Option<u32> {
    // `_func`: where it begins, then the name.
    let description = pages.bytes(description, 8)?;
    (half_at(&description, 0)? == begin).then(|| half_at(&description, 4))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::memory::fake::FakeMemory;

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
        // The rest of the page, which is read as a whole.
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
            let number = functions.holding(address)?;
            functions.name(&mut pages, BIAS, number, &["three", "runtime.two", "on"])
        };
        assert_eq!(name(begin), None, "the beginning of a name is another name");
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
        assert_eq!(
            find(&["three", "two", "one", "runtime.two"]),
            [Some(2), None, Some(0), Some(1)]
        );
        // It is there, and no name.
        assert_eq!(find(&["", "runtime"]), [None, None]);
        assert_eq!(find(&[]), []);
        // A description that says that it begins elsewhere is of something else.
        let mut memory = table();
        let three = TABLE + 208 + 64 + 32;
        memory.put(three, &[17 << 32 | 0x201]);
        assert_eq!(functions.find(&memory, BIAS, &["three"]), [None]);
    }

    #[test]
    fn what_is_damaged_is_no_table() {
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
    fn module_data_is_known_by_its_table() {
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
        assert_eq!(header.text(&[0; 100]), None);
    }
}
