//! Go programs: their files, and the tables in their memory.

use tracer_inspect::{
    budget::Budget,
    go::{
        build_info::minor_version,
        debug_info::Structures,
        executable::Executable,
        function_table::{FunctionTable, Header},
        layout,
        lines::{LineTables, Lines},
    },
    process::{memory::Memory, pages::Pages},
};

use super::file_of;

const TABLES: u64 = 0x10_000;
const TEXT: u64 = 0x40_000;
const BIAS: u64 = 0x8_000;
/// Maximum number of functions looked up.
const FUNCTIONS: usize = 64;

/// Memory that is readable from [`TABLES`] up to the end of the bytes.
struct Bytes<'a>(&'a [u8], &'a Budget);

impl Memory for Bytes<'_> {
    fn budget(&self) -> &Budget {
        self.1
    }

    fn read(&self, ranges: &[(u64, usize)]) -> Vec<Option<Box<[u8]>>> {
        let read = |&(address, length): &(u64, usize)| {
            self.1.step_bytes(length)?;
            let start = usize::try_from(address.checked_sub(TABLES)?).ok()?;
            Some(self.0.get(start..start.checked_add(length)?)?.into())
        };
        ranges.iter().map(read).collect()
    }
}

/// The Go version, `runtime.moduledata`, the function table and the line tables.
pub fn tables(bytes: &[u8]) {
    let Some((version, rest)) = bytes.split_first() else { return };
    let Some((module, tables)) = rest.split_at_checked(layout::MODULE) else { return };
    // The reader reads whole pages.
    let mut whole = tables.to_vec();
    whole.resize(tables.len().next_multiple_of(4096), 0);
    look_up(18 + u32::from(version % 12), module, &Bytes(&whole, &super::budget()));
}

fn look_up(minor: u32, module: &[u8], memory: &Bytes) -> Option<()> {
    let header = Header::read(memory, TABLES)?;
    let text = header.text(module).unwrap_or((TEXT, TEXT + 0x1_0000));
    let functions = FunctionTable::read(memory, (TABLES, header), text, BIAS)?;
    functions.find(memory, BIAS, &["main.outer", "runtime.selectgo"]);
    let tables = LineTables::read(memory, minor, (TABLES, module), BIAS)?;
    let lines = Lines { functions: &functions, tables: &tables };
    let mut pages = Pages::new(memory);
    for number in 0..functions.count().min(FUNCTIONS) {
        functions.name(&mut pages, BIAS, number, &["main.outer"]);
        functions.name_has_prefix(&mut pages, BIAS, number, "runtime.");
        let (start, end) = functions.code(number)?;
        for address in [start, start.wrapping_add(1), start.wrapping_add(70), end] {
            let address = address.wrapping_add(BIAS);
            let _ = lines.frames(&mut pages, BIAS, address, true);
            lines.frame_map(&mut pages, BIAS, address);
        }
    }
    Some(())
}

/// The ELF file of a program.
pub fn executable(bytes: &[u8]) {
    if let Some(executable) = Executable::read(file_of(bytes), &super::budget()) {
        executable.file_offset(executable.entry);
    }
}

/// Build information.
pub fn build_info(bytes: &[u8]) {
    minor_version(bytes);
}

/// The debug information in the file of a program.
pub fn debug_info(bytes: &[u8]) {
    let paths = ["runtime.g.sched + runtime.gobuf.pc".to_owned(), "point.x".to_owned()];
    if let Ok(structures) = Structures::read(file_of(bytes), &paths, &super::budget()) {
        for path in &paths {
            structures.offset(path);
        }
    }
}
