//! What has to be known of a program before its goroutines can be looked at: its functions and
//! where it keeps the list of goroutines.

use std::{collections::HashMap, fs::File};

use tracer_core::Limit;

use super::{
    all_goroutines,
    entries::{self, Entries},
    executable::{Executable, Segment},
    function_table::{FunctionTable, Header, MAGICS},
    goroutine::{Frame, Stack},
    layout::{self, Layout},
    lines::{LineTables, Lines, stack_maps::FrameMap},
    target::Target,
};
use crate::process::{
    memory::{Memory, word_at},
    pages::Pages,
};

/// Most functions that are remembered by the addresses in them.
const REMEMBERED_MAX: usize = 65_536;
/// Most bytes of a process's program that are searched for something without a name.
const SEARCHED_MAX: u64 = 256 << 20;
/// Most places that may turn out to be what is searched for.
const PLACES_MAX: usize = 64;
/// How often what is not found is looked for.
const TRIES_MAX: u8 = 3;
/// Bytes read at a time in a search.
const CHUNK: u64 = 1 << 20;

/// A program, as far as it is known.
#[derive(Debug)]
pub(super) enum Program {
    /// Not Go's.
    Other,
    Go(Box<GoProgram>),
}

#[derive(Debug)]
pub(super) struct GoProgram {
    pub(super) executable: Executable,
    /// Read when it is needed.
    layout: Option<Layout>,
    // What is found in the memory of a process that runs it; an error says what was not.
    functions: Sought<Functions>,
    /// `runtime.allgs`: its address in the file.
    all_goroutines: Sought<u64>,
    entries: Option<Result<Entries, Limit>>,
}

/// Something that is looked for until it is found. A process that has just begun may not have
/// everything in its place yet, but what is not there several times will never be.
#[derive(Debug)]
struct Sought<T> {
    found: Option<T>,
    tries_left: u8,
}

impl<T> Default for Sought<T> {
    fn default() -> Self {
        Self { found: None, tries_left: TRIES_MAX }
    }
}

impl<T> Sought<T> {
    fn get(&mut self, find: impl FnOnce() -> Option<T>) -> Option<&mut T> {
        if self.found.is_none() && self.tries_left > 0 {
            self.tries_left -= 1;
            self.found = find();
        }
        self.found.as_mut()
    }
}

/// What a look at goroutines needs.
pub(super) struct Parts<'a> {
    pub(super) functions: &'a mut Functions,
    /// `runtime.allgs`: its address in the file.
    pub(super) all_goroutines: u64,
}

/// The functions of a program.
#[derive(Debug)]
pub(super) struct Functions {
    table: FunctionTable,
    lines: LineTables,
    /// What functions the code at an address belongs to.
    known: HashMap<u64, Function>,
    /// Whether the functions that begin at an address are the runtime's own goroutines.
    starts: HashMap<u64, bool>,
    /// What is in use of calls, by where they go on.
    maps: HashMap<u64, Option<FrameMap>>,
}

/// The functions that make a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// `runtime.selectgo`.
    Select,
    /// `bufio.(*Reader).Peek`, or what it calls if it has become part of its caller.
    Peek,
    /// `net/http.(*persistConn).readLoop`.
    ReadLoop,
    /// `net/http.(*persistConn).writeLoop`.
    WriteLoop,
    Other,
}

/// Goroutines of these are the program's, although the functions are the runtime's:
/// `isSystemGoroutine` in `runtime/traceback.go`.
const NOT_SYSTEM: [&str; 3] = ["runtime.main", "runtime.corostart", "runtime.handleAsyncEvent"];

const NAMES: [(&str, Function); 5] = [
    ("runtime.selectgo", Function::Select),
    ("bufio.(*Reader).Peek", Function::Peek),
    ("bufio.(*Reader).fill", Function::Peek),
    ("net/http.(*persistConn).readLoop", Function::ReadLoop),
    ("net/http.(*persistConn).writeLoop", Function::WriteLoop),
];

impl Program {
    pub(super) fn read(file: File) -> Self {
        Executable::read(file).map_or(Self::Other, |executable| {
            Self::Go(Box::new(GoProgram {
                executable,
                layout: None,
                functions: Sought::default(),
                all_goroutines: Sought::default(),
                entries: None,
            }))
        })
    }
}

impl GoProgram {
    /// Where things are in its structures; `file` is its own.
    pub(super) fn layout(&mut self, file: File) -> Layout {
        let minor = self.executable.minor_version;
        *self.layout.get_or_insert_with(|| Layout::read(minor, file))
    }

    /// Finds what a look at goroutines needs in the memory of a process that runs the program
    /// shifted by `bias`.
    ///
    /// # Errors
    /// The function table or the list of goroutines was not found.
    pub(super) fn parts(
        &mut self,
        layout: &Layout,
        target: Target<'_>,
    ) -> Result<Parts<'_>, Limit> {
        let executable = &self.executable;
        let functions = functions(&mut self.functions, executable, target.memory, target.bias)?;
        let find = || all_goroutines(executable, &functions.table, layout, target);
        let all_goroutines = *self.all_goroutines.get(find).ok_or(Limit::GoroutineListMissing)?;
        Ok(Parts { functions, all_goroutines })
    }

    /// Finds the functions that a ledger hooks in the memory of a process that runs the program
    /// shifted by `bias`.
    ///
    /// # Errors
    /// The function table was not found, or none of the responses can be followed.
    pub(super) fn entries(&mut self, memory: &dyn Memory, bias: u64) -> Result<Entries, Limit> {
        if let Some(entries) = &self.entries {
            return entries.clone();
        }
        let functions = functions(&mut self.functions, &self.executable, memory, bias)?;
        let found = entries::find(&self.executable, &functions.table, memory, bias);
        self.entries.insert(found).clone()
    }

    /// Finds the lines in the memory of a process that runs the program shifted by `bias`.
    ///
    /// # Errors
    /// The function table was not found.
    pub(super) fn lines(&mut self, memory: &dyn Memory, bias: u64) -> Result<Lines<'_>, Limit> {
        let functions = functions(&mut self.functions, &self.executable, memory, bias)?;
        Ok(Lines { functions: &functions.table, tables: &functions.lines })
    }

    /// The versions that were looked at do not include this one.
    pub(super) fn is_newer_than_known(&self) -> bool {
        self.executable.minor_version > layout::NEWEST
    }
}

impl Functions {
    fn find(executable: &Executable, memory: &dyn Memory, bias: u64) -> Option<Self> {
        let shifted = |address: u64| address.wrapping_add(bias);
        let headers_at = |addresses: Vec<u64>| {
            let header = |address| Some((address, Header::read(memory, address)?));
            addresses.into_iter().filter_map(header)
        };
        let by_section =
            headers_at(executable.function_table.into_iter().map(shifted).collect()).next();
        let header = by_section
            .or_else(|| headers_at(search(memory, &executable.segments, bias, &MAGICS)).next())?;
        // The module data begins with the address of the table. It is in what is written to, be
        // it once by the dynamic linker.
        let (writable, others): (Vec<Segment>, Vec<Segment>) =
            executable.segments.iter().partition(|segment| segment.is_writable);
        let (module, text) = [writable, others].into_iter().find_map(|segments| {
            search(memory, &segments, bias, &[header.0]).into_iter().find_map(|address| {
                let module = memory.read_one(address, layout::MODULE)?;
                let text = header.1.text(&module)?;
                Some((module, text))
            })
        })?;
        let minor = executable.minor_version;
        let lines = LineTables::read(memory, minor, (header.0, &module), bias)?;
        let table = FunctionTable::read(memory, header, text, bias)?;
        Some(Self {
            table,
            lines,
            known: HashMap::new(),
            starts: HashMap::new(),
            maps: HashMap::new(),
        })
    }

    /// The function that the code before `return_address` belongs to: the one that made a call.
    pub(super) fn caller(&mut self, pages: &mut Pages, bias: u64, return_address: u64) -> Function {
        let address = return_address.wrapping_sub(bias).wrapping_sub(1);
        if let Some(function) = self.known.get(&address) {
            return *function;
        }
        let number = self.table.holding(address);
        let name = number
            .and_then(|number| self.table.name(pages, bias, number, &NAMES.map(|(name, _)| name)));
        let function = name.and_then(|name| NAMES.get(name)).map_or(Function::Other, |it| it.1);
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(address, function);
        function
    }

    /// The words of a stack that its goroutine may still use.
    pub(super) fn words_in_use(&mut self, pages: &mut Pages, bias: u64, stack: &Stack) -> Vec<u64> {
        let Self { table: functions, lines: tables, maps, .. } = self;
        let lines = Lines { functions, tables };
        stack.words_in_use(|frame: &Frame| {
            if maps.len() >= REMEMBERED_MAX {
                maps.clear();
            }
            let map = maps.entry(frame.pc);
            let map = map.or_insert_with(|| lines.frame_map(pages, bias, frame.pc)).as_ref()?;
            (map.size == frame.end - frame.start).then(|| map.words.clone())
        })
    }

    /// Whether a goroutine that was started with the function at an address is the runtime's own,
    /// which Go does not count. `None`: no function begins there.
    pub(super) fn is_system(&mut self, pages: &mut Pages, bias: u64, address: u64) -> Option<bool> {
        if let Some(is_system) = self.starts.get(&address) {
            return Some(*is_system);
        }
        let start = address.wrapping_sub(bias);
        let number = self.table.holding(start)?;
        if self.table.code(number)?.0 != start {
            return None;
        }
        let is_system = self.table.name_begins(pages, bias, number, "runtime.")?
            && self.table.name(pages, bias, number, &NOT_SYSTEM).is_none();
        if self.starts.len() >= REMEMBERED_MAX {
            self.starts.clear();
        }
        self.starts.insert(address, is_system);
        Some(is_system)
    }
}

/// The functions of a program, found if they have not been looked for.
fn functions<'a>(
    sought: &'a mut Sought<Functions>,
    executable: &Executable,
    memory: &dyn Memory,
    bias: u64,
) -> Result<&'a mut Functions, Limit> {
    let find = || Functions::find(executable, memory, bias);
    sought.get(find).ok_or(Limit::GoFunctionTableMissing)
}

/// `runtime.allgs`, by the symbol table or by the code of the function that adds to it.
fn all_goroutines(
    executable: &Executable,
    functions: &FunctionTable,
    layout: &Layout,
    target: Target<'_>,
) -> Option<u64> {
    let Target { memory, mappings, bias } = target;
    let is_goroutines = |address: &u64| {
        let address = address.wrapping_add(bias);
        all_goroutines::is_plausible(memory, mappings, layout, address)
    };
    let is_data = |address: &u64| {
        let mut segments = executable.segments.iter();
        segments.any(|it| it.is_writable && (it.start..it.end).contains(address))
    };
    executable.all_goroutines.filter(is_goroutines).or_else(|| {
        let operands = all_goroutines::operands(functions, memory, bias);
        operands.into_iter().filter(is_data).find(is_goroutines)
    })
}

/// Where one of these words is.
fn search(memory: &dyn Memory, segments: &[Segment], bias: u64, wanted: &[u64]) -> Vec<u64> {
    let mut places = Vec::new();
    let mut searched = 0;
    for segment in segments {
        let Some(start) = segment.start.checked_next_multiple_of(8) else { continue };
        let start = start.wrapping_add(bias);
        let end = segment.file_end.wrapping_add(bias);
        let mut chunk = start;
        while chunk < end && searched < SEARCHED_MAX && places.len() < PLACES_MAX {
            let length = CHUNK.min(end - chunk);
            let bytes = usize::try_from(length).ok().and_then(|it| memory.read_one(chunk, it));
            let bytes = bytes.unwrap_or_default();
            let is_wanted = |word: &[u8]| word_at(word, 0).is_some_and(|it| wanted.contains(&it));
            let found = (chunk..).step_by(8).zip(bytes.chunks_exact(8));
            places.extend(found.filter(|(_, word)| is_wanted(word)).map(|(address, _)| address));
            searched += length;
            chunk += length;
        }
    }
    places.truncate(PLACES_MAX);
    places
}
