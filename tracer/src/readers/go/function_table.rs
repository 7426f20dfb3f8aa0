//! Go's table of functions (`pclntab`): the function of an address, also in a stripped program.
//!
//! The format is that of Go 1.18 with the magic number of 1.18 or 1.20; `runtime.pcHeader` and
//! `runtime._func` describe it. Only names and beginnings are read.

use super::{
    layout,
    memory::{Memory, Pages, half_at, word_at},
};

/// `pcHeader` of Go 1.18 and of 1.20, on amd64: the magic number, two zeros, the size of the
/// smallest instruction and that of a pointer.
pub(super) const MAGICS: [u64; 2] = [0x0801_0000_ffff_fff0, 0x0801_0000_ffff_fff1];

/// Bytes of the header.
const HEADER: usize = 72;
/// Bytes of `runtime.functab`: where a function begins and where more about it is.
const ENTRY: usize = 8;
/// Most functions of a program that make sense.
const FUNCTIONS_MAX: u64 = 1 << 22;

/// The functions of a program. Addresses are those of the file.
#[derive(Debug)]
pub(super) struct FunctionTable {
    /// Where the code begins: what the offsets are counted from.
    text: u64,
    text_end: u64,
    /// `funcnametab`.
    names: u64,
    /// `pclntab`.
    functions: u64,
    /// `ftab`, as it is in memory.
    entries: Box<[u8]>,
}

/// The header, before it is known where the code begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    count: u64,
    names: u64,
    functions: u64,
}

impl Header {
    /// The header at an address of the process.
    pub(super) fn read(memory: &dyn Memory, address: u64) -> Option<Self> {
        let bytes = memory.read_one(address, HEADER)?;
        let word = |offset| word_at(&bytes, offset);
        let (count, names, functions) = (word(8)?, word(32)?, word(64)?);
        let ordered = [names, word(40)?, word(48)?, word(56)?, functions];
        let is_sane = MAGICS.contains(&word(0)?)
            && (1..=FUNCTIONS_MAX).contains(&count)
            && names >= HEADER as u64
            && ordered.is_sorted()
            && functions < 1 << 32;
        is_sane.then_some(Self { count, names, functions })
    }

    /// Whether this is the `runtime.moduledata` of the table, and where its code begins and ends.
    pub(super) fn text(self, module: &[u8]) -> Option<(u64, u64)> {
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
    pub(super) fn read(
        memory: &dyn Memory,
        (address, header): (u64, Header),
        (text, text_end): (u64, u64),
        bias: u64,
    ) -> Option<Self> {
        let length = usize::try_from(header.count).ok()?.checked_mul(ENTRY)?;
        let entries = memory.read_one(address + header.functions, length)?;
        let begins = |entry: &[u8]| half_at(entry, 0).unwrap_or(0);
        if !entries.chunks_exact(ENTRY).is_sorted_by_key(begins) {
            return None;
        }
        let unshifted = address.wrapping_sub(bias);
        Some(Self {
            text: text.wrapping_sub(bias),
            text_end: text_end.wrapping_sub(bias),
            names: unshifted.wrapping_add(header.names),
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
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.begin(middle)? <= offset { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len() / ENTRY
    }

    fn begin(&self, number: usize) -> Option<u32> {
        half_at(&self.entries, number * ENTRY)
    }

    /// Where the code of a function begins and ends in the file.
    pub(super) fn code(&self, number: usize) -> Option<(u64, u64)> {
        let address = |offset: u32| self.text.wrapping_add(offset.into());
        let end = self.begin(number + 1).map_or(self.text_end, address);
        Some((address(self.begin(number)?), end))
    }

    /// Whether a function has one of these names: the number of the name.
    pub(super) fn name(
        &self,
        pages: &mut Pages,
        bias: u64,
        number: usize,
        names: &[&str],
    ) -> Option<usize> {
        let offset = half_at(&self.entries, number * ENTRY + 4)?;
        let function = self.functions.wrapping_add(bias).checked_add(offset.into())?;
        // `_func`: where it begins, then the name.
        if pages.half(function)? != self.begin(number)? {
            return None;
        }
        let name = pages.half(function.checked_add(4)?)?;
        let name = self.names.wrapping_add(bias).checked_add(name.into())?;
        let is = |wanted: &&str| {
            let bytes = pages.bytes(name, wanted.len() + 1);
            bytes.is_some_and(|bytes| bytes.strip_suffix(&[0]) == Some(wanted.as_bytes()))
        };
        names.iter().position(is)
    }
}
