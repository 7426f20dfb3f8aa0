//! Go's function table (`pclntab`): the function at an address, also in a stripped program.
//!
//! The format is that of Go 1.18 or 1.20, which have different magic numbers. `runtime.pcHeader`
//! (`runtime/symtab.go`) and `runtime._func` (`runtime/runtime2.go`) describe it. This module reads
//! names and start addresses; `lines.rs` reads the rest.

use super::layout;
use crate::process::{
    memory::{Memory, u32_at, u64_at},
    pages::Pages,
};

/// The first eight bytes of `pcHeader` of Go 1.18 and of 1.20, on amd64 and on arm64: the magic
/// number, two zeros, the minimum size of an instruction and the size of a pointer.
pub(super) const MAGICS: [u64; 4] =
    [0x0801_0000_ffff_fff0, 0x0801_0000_ffff_fff1, 0x0804_0000_ffff_fff0, 0x0804_0000_ffff_fff1];

/// Size of the header in bytes.
const HEADER: usize = 72;
/// Size of `runtime.functab` in bytes: the start of a function and the offset of its `_func`.
const ENTRY: usize = 8;
/// Maximum plausible number of functions. Large programs have 200,000.
const FUNCTIONS_MAX: u64 = 1 << 21;
/// Maximum plausible size of all names in bytes.
const NAMES_MAX: u64 = 256 << 20;
/// Maximum length of a name that is searched for, in bytes.
const NAME_MAX: usize = 256;
/// Number of bytes of names that are read together.
const NAMES_TOGETHER: usize = 256 << 10;
/// Number of functions whose `_func` is read together.
const READ_TOGETHER: usize = 4096;

/// The functions of a program. Addresses are those of the file.
#[derive(Debug)]
pub struct FunctionTable {
    /// The start of the code, to which offsets are relative.
    text: u64,
    text_end: u64,
    /// `funcnametab`.
    names: u64,
    names_length: usize,
    /// `pclntab`.
    functions: u64,
    /// A copy of `ftab`.
    entries: Box<[u8]>,
}

/// `runtime.pcHeader`.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    count: u64,
    names: u64,
    names_end: u64,
    functions: u64,
}

impl Header {
    /// Reads the header at an address of the process; `None` if it is not valid.
    pub fn read(memory: &dyn Memory, address: u64) -> Option<Self> {
        let bytes = memory.read_one(address, HEADER)?;
        let word = |offset| u64_at(&bytes, offset);
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

    /// The start and the end of the code by `runtime.moduledata`; `None` if `module` does not
    /// belong to this table.
    pub fn text(self, module: &[u8]) -> Option<(u64, u64)> {
        let word = |offset| u64_at(module, offset);
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
    /// Reads the table at an address of the process; `None` if it is not valid. `bias` is the load
    /// address minus the address in the file.
    pub fn read(
        memory: &dyn Memory,
        (address, header): (u64, Header),
        (text, text_end): (u64, u64),
        bias: u64,
    ) -> Option<Self> {
        let length = usize::try_from(header.count).ok()?.checked_mul(ENTRY)?;
        // The table is kept for further questions.
        memory.budget().spend_bytes(length)?;
        let entries = memory.read_one(address.checked_add(header.functions)?, length)?;
        let start = |entry: &[u8]| u32_at(entry, 0).unwrap_or(0);
        if !entries.chunks_exact(ENTRY).is_sorted_by_key(start) {
            return None;
        }
        let address = address.wrapping_sub(bias);
        Some(Self {
            text: text.wrapping_sub(bias),
            text_end: text_end.wrapping_sub(bias),
            names: address.wrapping_add(header.names),
            names_length: usize::try_from(header.names_end - header.names).ok()?,
            functions: address.wrapping_add(header.functions),
            entries,
        })
    }

    /// The number of the function at an address of the file.
    pub(super) fn function_at(&self, address: u64) -> Option<usize> {
        if !(self.text..self.text_end).contains(&address) {
            return None;
        }
        let offset = u32::try_from(address - self.text).ok()?;
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            if self.start(middle)? <= offset { low = middle + 1 } else { high = middle }
        }
        low.checked_sub(1)
    }

    /// The size of the copy in bytes.
    pub(super) fn size(&self) -> usize {
        self.entries.len()
    }

    /// The number of functions.
    pub fn count(&self) -> usize {
        self.entries.len() / ENTRY
    }

    /// The start of a function, relative to the start of the code.
    fn start(&self, number: usize) -> Option<u32> {
        u32_at(&self.entries, number * ENTRY)
    }

    /// The start of a function relative to the start of the code, and the offset of its `_func`.
    pub(super) fn entry(&self, number: usize) -> Option<(u32, u32)> {
        Some((self.start(number)?, u32_at(&self.entries, number * ENTRY + 4)?))
    }

    /// The addresses of the start and the end of a function in the file.
    pub fn code(&self, number: usize) -> Option<(u64, u64)> {
        let address = |offset: u32| self.text.wrapping_add(offset.into());
        let end = self.start(number + 1).map_or(self.text_end, address);
        Some((address(self.start(number)?), end))
    }

    /// The number of the first function with each name. Takes one pass over all names, and one over
    /// all functions.
    pub fn find(&self, memory: &dyn Memory, bias: u64, names: &[&str]) -> Vec<Option<usize>> {
        let mut found = vec![None; names.len()];
        // The linker writes each name once, so its offset identifies it.
        let wanted = self.name_offsets(memory, bias, names);
        let mut pages = Pages::new(memory);
        let parts = self.entries.chunks(ENTRY * READ_TOGETHER);
        for (some, first) in parts.zip((0..).step_by(READ_TOGETHER)) {
            if found.iter().zip(&wanted).all(|(found, wanted)| found.is_some() || wanted.is_none())
            {
                break;
            }
            let some = || some.chunks_exact(ENTRY);
            let descriptions = || some().map(|entry| self.description(bias, entry));
            // A `_func` may continue in the next page.
            pages.prefetch(descriptions().flatten().flat_map(|it| [it, it.saturating_add(7)]));
            for ((entry, description), number) in some().zip(descriptions()).zip(first..) {
                let name = description.and_then(|it| name_of(&mut pages, it, u32_at(entry, 0)?));
                let index = name.and_then(|name| wanted.iter().position(|it| *it == Some(name)));
                if let Some(slot) = index.and_then(|index| found.get_mut(index)) {
                    slot.get_or_insert(number);
                }
            }
        }
        found
    }

    /// The offsets of these names in `funcnametab`.
    fn name_offsets(&self, memory: &dyn Memory, bias: u64, names: &[&str]) -> Vec<Option<u32>> {
        let start = self.names.wrapping_add(bias);
        let mut offsets = vec![None; names.len()];
        // The start of a name at the end of a part is read again with the next part.
        let mut position = 0;
        while let Some(rest) = self.names_length.checked_sub(position).filter(|rest| *rest > 0) {
            let length = rest.min(NAMES_TOGETHER);
            let address = u64::try_from(position).ok().and_then(|it| start.checked_add(it));
            let bytes = address.and_then(|address| memory.read_one(address, length));
            // Each name is compared with all that are searched for.
            let steps = u64::try_from(length).unwrap_or(u64::MAX);
            let Some(bytes) = bytes.filter(|_| memory.budget().step(steps).is_some()) else {
                break;
            };
            let end = match bytes.iter().rposition(|byte| *byte == 0) {
                Some(last) if rest > length => last + 1,
                // The last part; or a name that is longer than any that is searched for.
                _ => length,
            };
            let mut offset = position;
            for name in bytes.get(..end).unwrap_or_default().split(|byte| *byte == 0) {
                let index = || names.iter().position(|wanted| wanted.as_bytes() == name);
                if name.len() <= NAME_MAX
                    && let Some(found) = index().and_then(|index| offsets.get_mut(index))
                {
                    *found = u32::try_from(offset).ok();
                }
                offset += name.len() + 1;
            }
            position += end;
        }
        offsets
    }

    /// The address of the `_func` of an entry in the process.
    fn description(&self, bias: u64, entry: &[u8]) -> Option<u64> {
        self.functions.wrapping_add(bias).checked_add(u32_at(entry, 4)?.into())
    }

    /// The index of the name that a function has; `None` if it has none of these names.
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

    /// Whether the name of a function has a prefix; `None` if the name cannot be read.
    pub fn name_has_prefix(
        &self,
        pages: &mut Pages,
        bias: u64,
        number: usize,
        prefix: &str,
    ) -> Option<bool> {
        let name = self.name_address(pages, bias, number)?;
        Some(pages.bytes(name, prefix.len())? == prefix.as_bytes())
    }

    /// The address of the name of a function in the process.
    fn name_address(&self, pages: &mut Pages, bias: u64, number: usize) -> Option<u64> {
        let description = self.description(bias, self.entries.get(number * ENTRY..)?)?;
        let name = name_of(pages, description, self.start(number)?)?;
        self.names.wrapping_add(bias).checked_add(name.into())
    }
}

/// The offset of a function's name in `funcnametab`; `None` if the `_func` has another start.
fn name_of(pages: &mut Pages, description: u64, start: u32) -> Option<u32> {
    // `_func.entryOff` and `_func.nameOff`.
    let description = pages.bytes(description, 8)?;
    (u32_at(&description, 0)? == start).then(|| u32_at(&description, 4))?
}

#[cfg(test)]
mod tests;
