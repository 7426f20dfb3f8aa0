//! What has to be known of a program before its goroutines can be looked at: its functions and
//! where it keeps the list of goroutines.

use std::{collections::HashMap, fs::File};

use super::{
    all_goroutines,
    areas::Areas,
    executable::{Executable, Segment},
    function_table::{FunctionTable, Header, MAGICS},
    layout::{self, Layout},
    lines::Lines,
    memory::{Memory, Pages, word_at},
};

/// Most functions that are remembered by the addresses in them.
const REMEMBERED_MAX: usize = 65_536;
/// Most bytes of a process's program that are searched for something without a name.
const SEARCHED_MAX: u64 = 256 << 20;
/// Most places that may turn out to be what is searched for.
const PLACES_MAX: usize = 64;
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
    pub(super) layout: Layout,
    /// Found in the memory of the first process that ran it; an error says what was not found.
    parts: Option<Result<Parts, &'static str>>,
    lines: Option<Result<Lines, &'static str>>,
}

/// Where things are; addresses are those of the file.
#[derive(Debug)]
pub(super) struct Parts {
    functions: FunctionTable,
    /// `runtime.allgs`.
    pub(super) all_goroutines: u64,
    /// What functions the code at an address belongs to.
    known: HashMap<u64, Function>,
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
            let layout = Layout::of(executable.minor_version);
            Self::Go(Box::new(GoProgram { executable, layout, parts: None, lines: None }))
        })
    }
}

impl GoProgram {
    /// Finds what is needed in the memory of a process that runs the program shifted by `bias`.
    ///
    /// # Errors
    /// What was not found.
    pub(super) fn parts(
        &mut self,
        memory: &dyn Memory,
        areas: &Areas,
        bias: u64,
    ) -> Result<&mut Parts, &'static str> {
        let (executable, layout) = (&self.executable, &self.layout);
        self.parts
            .get_or_insert_with(|| Parts::find(executable, layout, memory, areas, bias))
            .as_mut()
            .map_err(|reason| *reason)
    }

    /// Finds the tables of lines in the memory of a process that runs the program shifted by
    /// `bias`.
    ///
    /// # Errors
    /// What was not found.
    pub(super) fn lines(&mut self, memory: &dyn Memory, bias: u64) -> Result<&Lines, &'static str> {
        let (executable, layout) = (&self.executable, &self.layout);
        let find = || {
            let tables = Tables::find(executable, memory, bias);
            let lines = tables.and_then(|it| Lines::read(memory, layout, &it, bias));
            lines.ok_or("its table of functions was not found")
        };
        self.lines.get_or_insert_with(find).as_ref().map_err(|reason| *reason)
    }

    /// The versions that were looked at do not include this one.
    pub(super) fn is_newer_than_known(&self) -> bool {
        self.executable.minor_version > layout::NEWEST
    }
}

impl Parts {
    fn find(
        executable: &Executable,
        layout: &Layout,
        memory: &dyn Memory,
        areas: &Areas,
        bias: u64,
    ) -> Result<Self, &'static str> {
        let functions = function_table(executable, memory, bias)
            .ok_or("its table of functions was not found")?;
        let is_goroutines = |address: u64| {
            let address = address.wrapping_add(bias);
            all_goroutines::is_plausible(memory, areas, layout, address)
        };
        let by_symbol = executable.all_goroutines.filter(|&address| is_goroutines(address));
        let all_goroutines = by_symbol
            .or_else(|| {
                let is_data = |address: &u64| {
                    let mut segments = executable.segments.iter();
                    segments.any(|it| it.is_writable && (it.start..it.end).contains(address))
                };
                all_goroutines::operands(&functions, memory, bias)
                    .into_iter()
                    .find(|address| is_data(address) && is_goroutines(*address))
            })
            .ok_or("its list of goroutines was not found")?;
        Ok(Self { functions, all_goroutines, known: HashMap::new() })
    }

    /// The function that the code before `return_address` belongs to: the one that made a call.
    pub(super) fn caller(&mut self, pages: &mut Pages, bias: u64, return_address: u64) -> Function {
        let address = return_address.wrapping_sub(bias).wrapping_sub(1);
        if let Some(function) = self.known.get(&address) {
            return *function;
        }
        let number = self.functions.holding(address);
        let name = number.and_then(|number| {
            self.functions.name(pages, bias, number, &NAMES.map(|(name, _)| name))
        });
        let function = name.and_then(|name| NAMES.get(name)).map_or(Function::Other, |it| it.1);
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(address, function);
        function
    }
}

fn function_table(
    executable: &Executable,
    memory: &dyn Memory,
    bias: u64,
) -> Option<FunctionTable> {
    Tables::find(executable, memory, bias)?.functions(memory, bias)
}

/// Go's own tables in the memory of a process.
pub(super) struct Tables {
    /// Where `pcHeader` is.
    pub(super) header: u64,
    /// The beginning of `moduledata`.
    pub(super) module: Box<[u8]>,
    said: Header,
    text: (u64, u64),
}

impl Tables {
    fn find(executable: &Executable, memory: &dyn Memory, bias: u64) -> Option<Self> {
        let shifted = |address: u64| address.wrapping_add(bias);
        let headers_at = |addresses: Vec<u64>| {
            let header = |address| Some((address, Header::read(memory, address)?));
            addresses.into_iter().filter_map(header)
        };
        let by_section =
            headers_at(executable.function_table.into_iter().map(shifted).collect()).next();
        let (header, said) = by_section
            .or_else(|| headers_at(search(memory, &executable.segments, bias, &MAGICS)).next())?;
        // The module data begins with the address of the table. It is in what is written to, be
        // it once by the dynamic linker.
        let (writable, others): (Vec<Segment>, Vec<Segment>) =
            executable.segments.iter().partition(|segment| segment.is_writable);
        [writable, others].into_iter().find_map(|segments| {
            search(memory, &segments, bias, &[header]).into_iter().find_map(|address| {
                let module = memory.read_one(address, layout::MODULE)?;
                let text = said.text(&module)?;
                Some(Self { header, module, said, text })
            })
        })
    }

    pub(super) fn functions(&self, memory: &dyn Memory, bias: u64) -> Option<FunctionTable> {
        FunctionTable::read(memory, (self.header, self.said), self.text, bias)
    }
}

/// Where one of these words is.
fn search(memory: &dyn Memory, segments: &[Segment], bias: u64, wanted: &[u64]) -> Vec<u64> {
    let mut places = Vec::new();
    let mut searched = 0;
    for segment in segments {
        let start = segment.start.next_multiple_of(8).wrapping_add(bias);
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
