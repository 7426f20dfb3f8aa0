//! Go's tables of lines: the function, file and line of an address, also in a stripped program,
//! and of each function that became part of another there.
//!
//! `runtime/symtab.go` and `runtime/symtabinl.go` describe them. There are two formats, told by the
//! magic number: that of Go 1.18, and that of 1.20, where a function knows the line that it begins
//! at and an inlined call no longer has a place of its own. Nothing is taken at its word: what is
//! said of a function must begin with where its code does, a name must follow the end of another,
//! and an inlined call must be within its function. What does not hold gives no name.

#[cfg(test)]
#[cfg(feature = "root-tests")]
pub(super) mod as_root;
mod pc_values;
pub mod stack_maps;
#[cfg(test)]
mod tests;

use super::{
    function_table::{FunctionTable, MAGICS},
    layout,
};
use crate::process::{
    memory::{Memory, half_at, word_at},
    pages::Pages,
};
use pc_values::PcValues;

/// More functions than become part of each other in one place.
const INLINED_MAX: usize = 256;
/// Most bytes of a name, and of a path.
const TEXT_MAX: usize = 4096;
/// Most bytes of one of the tables.
const PART_MAX: u64 = 1 << 32;

/// `abi.PCDATA_InlTreeIndex` and `abi.FUNCDATA_InlTree`.
const INLINE_INDEX: u32 = 2;
const INLINE_TREE: u8 = 3;

/// `moduledata`: the slices `funcnametab`, `cutab`, `filetab`, `pctab`, `pclntable`.
const MODULE_NAMES: usize = 8;
const MODULE_UNITS: usize = 32;
const MODULE_FILES: usize = 56;
const MODULE_VALUES: usize = 80;
const MODULE_DESCRIPTIONS: usize = 104;

/// The line table does not match the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inconsistent;

/// A call of the program as its source has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoFrame {
    /// As Go shows it: `main.(*API).fetch`, `main.main.func1`, `main.get[...]`.
    pub function: String,
    /// The path of the file, and the line. `None` if the compiler said neither.
    pub place: Option<(String, u32)>,
}

/// The lines of a program.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    /// Its functions.
    pub functions: &'a FunctionTable,
    /// Its tables of lines.
    pub tables: &'a LineTables,
}

/// The tables beside that of the functions. Addresses are those of the file.
#[derive(Debug)]
pub struct LineTables {
    format: Format,
    /// Bytes of the smallest instruction.
    quantum: u32,
    names: Part,
    units: Part,
    files: Part,
    values: Part,
    descriptions: Part,
    /// `go:func.*`: what `_func.funcdata` counts from.
    function_data: u64,
}

/// What differs between the formats, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    /// Of `_func`, without the numbers that follow it.
    description: usize,
    /// Of `inlinedCall`, and where in it are the name and `parentPc`.
    call: u64,
    call_name: usize,
    call_parent: usize,
}

const GO_1_18: Format = Format { description: 40, call: 20, call_name: 12, call_parent: 16 };
const GO_1_20: Format = Format { description: 44, call: 16, call_name: 4, call_parent: 8 };

/// One of the tables.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: u64,
    length: u64,
}

/// `runtime._func`, as far as it is needed. The tables are offsets into `pctab`, 0 if there is
/// none.
struct Function {
    name: u32,
    files: u32,
    lines: u32,
    /// Where its files begin in `cutab`.
    unit: u32,
    /// Which inlined call an instruction is part of, and the calls.
    inlined: Option<(u32, u64)>,
    length: u32,
}

impl Part {
    /// A slice of `moduledata`, of elements of so many bytes.
    fn of(module: &[u8], offset: usize, element: u64, bias: u64) -> Option<Self> {
        let start = word_at(module, offset)?.wrapping_sub(bias);
        let length = word_at(module, offset + 8)?.checked_mul(element)?;
        (length <= PART_MAX).then_some(Self { start, length })
    }

    /// The address in the process of what is at an offset.
    fn at(&self, offset: u64, bias: u64) -> Option<u64> {
        (offset < self.length).then(|| self.start.wrapping_add(offset).wrapping_add(bias))
    }
}

impl LineTables {
    /// The tables of a program of Go 1.`minor` that runs shifted by `bias`: `header` is the address
    /// of its `pcHeader` in the process, `module` its `moduledata`. `None`: they are none.
    pub fn read(
        memory: &dyn Memory,
        minor: u32,
        (header, module): (u64, &[u8]),
        bias: u64,
    ) -> Option<Self> {
        let function_data = word_at(module, layout::module_function_data(minor))?;
        let magic = word_at(&memory.read_one(header, 8)?, 0)?;
        let is_first = magic & 0xff == MAGICS[0] & 0xff;
        let part = |offset, element| Part::of(module, offset, element, bias);
        Some(Self {
            format: if is_first { GO_1_18 } else { GO_1_20 },
            quantum: u32::try_from(magic >> 48 & 0xff).ok()?,
            names: part(MODULE_NAMES, 1)?,
            units: part(MODULE_UNITS, 4)?,
            files: part(MODULE_FILES, 1)?,
            values: part(MODULE_VALUES, 1)?,
            descriptions: part(MODULE_DESCRIPTIONS, 1)?,
            function_data: function_data.wrapping_sub(bias),
        })
    }
}

impl Lines<'_> {
    /// The calls at an address of the process, the innermost first; `None` if it is not Go's code.
    ///
    /// The address is where a call returns to, which is the instruction after it and may be
    /// another line's, or another function's. Unless it is exact: then it may also be where a
    /// function begins.
    ///
    /// # Errors
    /// The line table does not match the code.
    pub fn frames(
        &self,
        pages: &mut Pages,
        bias: u64,
        address: u64,
        is_exact: bool,
    ) -> Result<Option<Vec<GoFrame>>, Inconsistent> {
        let address = address.wrapping_sub(bias);
        let begins = |number| self.functions.code(number).is_some_and(|code| code.0 == address);
        let is_entry = is_exact && self.functions.holding(address).is_some_and(begins);
        let address = if is_entry { address } else { address.wrapping_sub(1) };
        match self.functions.holding(address) {
            Some(number) => self.calls(pages, bias, number, address).ok_or(Inconsistent).map(Some),
            None => Ok(None),
        }
    }

    fn calls(
        &self,
        pages: &mut Pages,
        bias: u64,
        number: usize,
        address: u64,
    ) -> Option<Vec<GoFrame>> {
        let function = self.function(pages, bias, number)?;
        let mut offset = u32::try_from(address - self.functions.code(number)?.0).ok()?;
        let mut frames = Vec::new();
        while frames.len() < INLINED_MAX {
            let place = self.place(pages, bias, &function, offset)?;
            let call = match function.inlined {
                Some((indexes, tree)) => {
                    let index = self.value(pages, bias, indexes, offset)?;
                    u64::try_from(index).ok().map(|index| (index, tree))
                }
                None => None,
            };
            let Some((index, tree)) = call else {
                frames.push(GoFrame { function: self.name(pages, bias, function.name)?, place });
                return Some(frames);
            };
            let call = tree.checked_add(index * self.tables.format.call)?.wrapping_add(bias);
            let call = pages.bytes(call, usize::try_from(self.tables.format.call).ok()?)?;
            let name = half_at(&call, self.tables.format.call_name)?;
            frames.push(GoFrame { function: self.name(pages, bias, name)?, place });
            offset = half_at(&call, self.tables.format.call_parent)?;
            if offset >= function.length {
                return None;
            }
        }
        None
    }

    fn function(&self, pages: &mut Pages, bias: u64, number: usize) -> Option<Function> {
        let (begin, offset) = self.functions.entry(number)?;
        let (start, end) = self.functions.code(number)?;
        let address = self.tables.descriptions.at(offset.into(), bias)?;
        let bytes = pages.bytes(address, self.tables.format.description)?;
        if half_at(&bytes, 0)? != begin {
            return None;
        }
        let half = |offset| half_at(&bytes, offset);
        let value_count = half(28)?;
        let data_count = *bytes.last()?;
        let inlined = if value_count > INLINE_INDEX && data_count > INLINE_TREE {
            let values =
                address.checked_add(u64::try_from(self.tables.format.description).ok()?)?;
            let indexes = pages.half(values.checked_add(4 * u64::from(INLINE_INDEX))?)?;
            let data = values.checked_add(4 * u64::from(value_count))?;
            let tree = pages.half(data.checked_add(4 * u64::from(INLINE_TREE))?)?;
            (tree != u32::MAX)
                .then(|| (indexes, self.tables.function_data.wrapping_add(tree.into())))
        } else {
            None
        };
        Some(Function {
            name: half(4)?,
            files: half(20)?,
            lines: half(24)?,
            unit: half(32)?,
            inlined,
            length: u32::try_from(end.checked_sub(start)?).ok()?,
        })
    }

    /// The file and line of an instruction. The outer `None`: what is there is no table.
    #[expect(clippy::option_option, reason = "that nothing is said differs from what is damaged")]
    fn place(
        &self,
        pages: &mut Pages,
        bias: u64,
        function: &Function,
        offset: u32,
    ) -> Option<Option<(String, u32)>> {
        let file = self.value(pages, bias, function.files, offset)?;
        let line = self.value(pages, bias, function.lines, offset)?;
        let (Ok(file), Ok(line)) = (u32::try_from(file), u32::try_from(line)) else {
            return Some(None);
        };
        let index = u64::from(function.unit.checked_add(file)?);
        let path = pages.half(self.tables.units.at(index * 4, bias)?)?;
        if path == u32::MAX {
            return Some(None);
        }
        Some(Some((text(&self.tables.files, pages, bias, path)?, line)))
    }

    /// The value that a table of `pctab` has for an instruction; -1 if it has none.
    fn value(&self, pages: &mut Pages, bias: u64, table: u32, offset: u32) -> Option<i32> {
        if table == 0 {
            return Some(-1);
        }
        let start = self.tables.values.at(table.into(), bias)?;
        let rest = self.tables.values.length - u64::from(table);
        PcValues::new(pages, start, rest).at(offset, self.tables.quantum)
    }

    fn name(&self, pages: &mut Pages, bias: u64, offset: u32) -> Option<String> {
        Some(shown(text(&self.tables.names, pages, bias, offset)?))
    }
}

/// A text that ends with a zero. It begins the table, or follows the zero of another.
fn text(part: &Part, pages: &mut Pages, bias: u64, offset: u32) -> Option<String> {
    const STEP: u64 = 64;
    let offset = u64::from(offset);
    let start = part.at(offset, bias)?;
    if offset > 0 && pages.bytes(start.checked_sub(1)?, 1)? != [0] {
        return None;
    }
    let mut bytes = Vec::new();
    while bytes.len() < TEXT_MAX {
        let done = u64::try_from(bytes.len()).ok()?;
        let rest = part.length.checked_sub(offset.checked_add(done)?)?;
        let some = pages.bytes(start.checked_add(done)?, usize::try_from(rest.min(STEP)).ok()?)?;
        if some.is_empty() {
            return None;
        }
        if let Some(end) = some.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(some.get(..end)?);
            return (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned());
        }
        bytes.extend(some);
    }
    None
}

/// A name as `runtime.funcNameForPrint` has it: what a generic function was made for says nothing
/// to a reader.
fn shown(name: String) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}[...]{}", &name[..start], &name[end + 1..])
        }
        _ => name,
    }
}
