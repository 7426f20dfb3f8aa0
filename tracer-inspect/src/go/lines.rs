//! Go's line tables: the function, file and line of an address, and the functions inlined there,
//! also in a stripped program.
//!
//! `runtime/symtab.go` and `runtime/symtabinl.go` describe them. There are two formats,
//! distinguished by the magic number. In that of Go 1.20, unlike that of 1.18, `_func` has a start
//! line and `inlinedCall` has no file and line. All data is verified: a `_func` must have the start
//! address of its function, a name must follow the end of another, and an inlined call must be
//! within its function. If a check fails, there is no name.

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
    memory::{Memory, u32_at, u64_at},
    pages::Pages,
};
use pc_values::PcValues;

/// Maximum nesting of inlined calls.
const INLINED_MAX: usize = 256;
/// Maximum length of a name or a path, in bytes.
const TEXT_MAX: usize = 4096;
/// Maximum size of a table in bytes.
const TABLE_MAX: u64 = 1 << 32;

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

/// A call in Go code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoFrame {
    /// The name as Go prints it: `main.(*API).fetch`, `main.main.func1`, `main.get[...]`.
    pub function: String,
    /// The path of the file, and the line; `None` if the compiler recorded none.
    pub place: Option<(String, u32)>,
}

/// The functions and line tables of a program.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    /// The function table.
    pub functions: &'a FunctionTable,
    /// The line tables.
    pub tables: &'a LineTables,
}

/// The line tables. Addresses are those in the file.
#[derive(Debug)]
pub struct LineTables {
    format: Format,
    /// Minimum size of an instruction in bytes.
    quantum: u32,
    names: Table,
    units: Table,
    files: Table,
    values: Table,
    descriptions: Table,
    /// `go:func.*`, to which the offsets of funcdata are relative.
    function_data: u64,
}

/// The sizes and offsets that differ between the formats, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Format {
    /// Size of `_func`, without the pcdata and funcdata offsets that follow it.
    description: usize,
    /// Size of `inlinedCall`, and the offsets of `nameOff` and `parentPc`.
    call: u64,
    call_name: usize,
    call_parent: usize,
}

const GO_1_18: Format = Format { description: 40, call: 20, call_name: 12, call_parent: 16 };
const GO_1_20: Format = Format { description: 44, call: 16, call_name: 4, call_parent: 8 };

/// A table: its address in the file, and its length in bytes.
#[derive(Clone, Copy, Debug)]
struct Table {
    start: u64,
    length: u64,
}

/// The fields of `runtime._func` that are needed. `files` and `lines` are offsets in `pctab`, 0 if
/// there is no table.
struct Function {
    name: u32,
    files: u32,
    lines: u32,
    /// The index of its compilation unit in `cutab`.
    unit: u32,
    /// The offset in `pctab` of the index of the inlined call, and the address of the inline tree.
    inlined: Option<(u32, u64)>,
    length: u32,
}

impl Table {
    /// The slice at an offset of `moduledata`, with elements of `element` bytes.
    fn of(module: &[u8], offset: usize, element: u64, bias: u64) -> Option<Self> {
        let start = u64_at(module, offset)?.wrapping_sub(bias);
        let length = u64_at(module, offset + 8)?.checked_mul(element)?;
        (length <= TABLE_MAX).then_some(Self { start, length })
    }

    /// The address in the process of an offset in the table; `None` if that is outside it.
    fn at(&self, offset: u64, bias: u64) -> Option<u64> {
        (offset < self.length).then(|| self.start.wrapping_add(offset).wrapping_add(bias))
    }
}

impl LineTables {
    /// Reads the tables of a program built with Go 1.`minor`; `None` if they are not valid.
    /// `header` is the address of its `pcHeader` in the process, `module` its `moduledata`, and
    /// `bias` the load address minus the address in the file.
    pub fn read(
        memory: &dyn Memory,
        minor: u32,
        (header, module): (u64, &[u8]),
        bias: u64,
    ) -> Option<Self> {
        let function_data = u64_at(module, layout::module_function_data(minor))?;
        let magic = u64_at(&memory.read_one(header, 8)?, 0)?;
        let is_first = magic & 0xff == MAGICS[0] & 0xff;
        let table = |offset, element| Table::of(module, offset, element, bias);
        Some(Self {
            format: if is_first { GO_1_18 } else { GO_1_20 },
            quantum: u32::try_from(magic >> 48 & 0xff).ok()?,
            names: table(MODULE_NAMES, 1)?,
            units: table(MODULE_UNITS, 4)?,
            files: table(MODULE_FILES, 1)?,
            values: table(MODULE_VALUES, 1)?,
            descriptions: table(MODULE_DESCRIPTIONS, 1)?,
            function_data: function_data.wrapping_sub(bias),
        })
    }
}

impl Lines<'_> {
    /// The calls at an address of the process, innermost first; `None` if it is not Go code.
    ///
    /// A return address is the instruction after the call, which may belong to another line or
    /// another function, so the address before it counts. If `is_exact`, the address is an
    /// instruction pointer, which may be the first instruction of a function.
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
        let is_start = |number| self.functions.code(number).is_some_and(|code| code.0 == address);
        let is_entry = is_exact && self.functions.function_at(address).is_some_and(is_start);
        let address = if is_entry { address } else { address.wrapping_sub(1) };
        match self.functions.function_at(address) {
            Some(number) => self.calls(pages, bias, number, address).ok_or(Inconsistent).map(Some),
            None => Ok(None),
        }
    }

    /// The calls at an address of the file; `None` if a check fails.
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
            let name = u32_at(&call, self.tables.format.call_name)?;
            frames.push(GoFrame { function: self.name(pages, bias, name)?, place });
            offset = u32_at(&call, self.tables.format.call_parent)?;
            if offset >= function.length {
                return None;
            }
        }
        None
    }

    /// Reads `_func`; `None` if a check fails.
    fn function(&self, pages: &mut Pages, bias: u64, number: usize) -> Option<Function> {
        let (start_offset, offset) = self.functions.entry(number)?;
        let (start, end) = self.functions.code(number)?;
        let address = self.tables.descriptions.at(offset.into(), bias)?;
        let bytes = pages.bytes(address, self.tables.format.description)?;
        if u32_at(&bytes, 0)? != start_offset {
            return None;
        }
        let half = |offset| u32_at(&bytes, offset);
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

    /// The file and line of an instruction. The outer `None`: the tables are corrupt.
    #[expect(clippy::option_option, reason = "no line and a corrupt table differ")]
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

    /// The value of a table in `pctab` for an instruction; -1 if it has none.
    fn value(&self, pages: &mut Pages, bias: u64, table: u32, offset: u32) -> Option<i32> {
        if table == 0 {
            return Some(-1);
        }
        let start = self.tables.values.at(table.into(), bias)?;
        let rest = self.tables.values.length - u64::from(table);
        PcValues::new(pages, start, rest).at(offset, self.tables.quantum)
    }

    /// The name at an offset of `funcnametab`.
    fn name(&self, pages: &mut Pages, bias: u64, offset: u32) -> Option<String> {
        Some(for_print(text(&self.tables.names, pages, bias, offset)?))
    }
}

/// The zero-terminated string at an offset of a table. It must be the first one, or follow the zero
/// of another.
fn text(table: &Table, pages: &mut Pages, bias: u64, offset: u32) -> Option<String> {
    const STEP: u64 = 64;
    let offset = u64::from(offset);
    let start = table.at(offset, bias)?;
    if offset > 0 && pages.bytes(start.checked_sub(1)?, 1)? != [0] {
        return None;
    }
    let mut bytes = Vec::new();
    while bytes.len() < TEXT_MAX {
        let done = u64::try_from(bytes.len()).ok()?;
        let rest = table.length.checked_sub(offset.checked_add(done)?)?;
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

/// The name as `runtime.funcNameForPrint` returns it, without the type arguments of a generic
/// function.
fn for_print(name: String) -> String {
    match (name.find('['), name.rfind(']')) {
        (Some(start), Some(end)) if start < end => {
            format!("{}[...]{}", &name[..start], &name[end + 1..])
        }
        _ => name,
    }
}
