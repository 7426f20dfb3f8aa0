//! The functions of a program, with what was read about them: roles, stack maps, names.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    executable::{Executable, Segment},
    function_table::{FunctionTable, Header, MAGICS},
    layout,
    lines::{GoFrame, LineTables, Lines, stack_maps::FrameMap},
    stack::{Frame, Stack},
};
use crate::process::{
    memory::{Memory, u64_at},
    pages::Pages,
};

/// Maximum number of entries in each cache.
const REMEMBERED_MAX: usize = 65_536;
/// Maximum number of words in all stack maps of the cache: 8 MiB.
const MAP_WORDS_MAX: usize = 1 << 20;
/// Maximum number of bytes of a process searched for a structure without a symbol.
const SEARCHED_MAX: u64 = 256 << 20;
/// Maximum number of matches of a search.
const MATCHES_MAX: usize = 64;
/// Number of bytes read at a time in a search.
const CHUNK: u64 = 1 << 20;

/// The functions of a program, with caches of what was read about them.
#[derive(Debug)]
pub(super) struct Functions {
    pub(super) table: FunctionTable,
    pub(super) lines: LineTables,
    /// The address of `moduledata`, as in the file.
    pub(super) module: u64,
    /// The functions by code address.
    known: HashMap<u64, Function>,
    /// Whether a goroutine is a system goroutine, by the start of its function.
    starts: HashMap<u64, bool>,
    /// Stack maps by return address; `None` if there is none.
    maps: HashMap<u64, Option<FrameMap>>,
    /// Number of words in `maps`.
    map_words: usize,
}

/// The functions that identify the role of a goroutine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    /// `runtime.selectgo`.
    Select,
    /// `bufio.(*Reader).Peek`, or `fill` if `Peek` is inlined.
    Peek,
    /// `net/http.(*persistConn).readLoop`.
    ReadLoop,
    /// `net/http.(*persistConn).writeLoop`.
    WriteLoop,
    /// Any other function.
    Other,
}

/// Functions of the runtime whose goroutines are not system goroutines: `isSystemGoroutine` in
/// `runtime/traceback.go`.
const NOT_SYSTEM: [&str; 3] = ["runtime.main", "runtime.corostart", "runtime.handleAsyncEvent"];

const NAMES: [(&str, Function); 5] = [
    ("runtime.selectgo", Function::Select),
    ("bufio.(*Reader).Peek", Function::Peek),
    ("bufio.(*Reader).fill", Function::Peek),
    ("net/http.(*persistConn).readLoop", Function::ReadLoop),
    ("net/http.(*persistConn).writeLoop", Function::WriteLoop),
];

impl Functions {
    pub(super) fn find(executable: &Executable, memory: &dyn Memory, bias: u64) -> Option<Self> {
        let loaded = |address: u64| address.wrapping_add(bias);
        let headers_at = |addresses: Vec<u64>| {
            let header = |address| Some((address, Header::read(memory, address)?));
            addresses.into_iter().filter_map(header)
        };
        let by_section =
            headers_at(executable.function_table.into_iter().map(loaded).collect()).next();
        let header = by_section.or_else(|| {
            headers_at(find_words(memory, &executable.segments, bias, &MAGICS)).next()
        })?;
        // `moduledata` begins with the address of the table. It is in a writable segment, because
        // the dynamic linker may relocate it; other segments are searched afterwards.
        let (writable, others): (Vec<Segment>, Vec<Segment>) =
            executable.segments.iter().partition(|segment| segment.is_writable);
        let (address, module, text) = [writable, others].into_iter().find_map(|segments| {
            find_words(memory, &segments, bias, &[header.0]).into_iter().find_map(|address| {
                let module = memory.read_one(address, layout::MODULE)?;
                let text = header.1.text(&module)?;
                Some((address, module, text))
            })
        })?;
        let minor = executable.minor_version;
        let lines = LineTables::read(memory, minor, (header.0, &module), bias)?;
        let table = FunctionTable::read(memory, header, text, bias)?;
        Some(Self {
            table,
            lines,
            module: address.wrapping_sub(bias),
            known: HashMap::new(),
            starts: HashMap::new(),
            maps: HashMap::new(),
            map_words: 0,
        })
    }

    /// The function that made the call that returns to `return_address`.
    pub(super) fn caller(&mut self, pages: &mut Pages, bias: u64, return_address: u64) -> Function {
        let address = return_address.wrapping_sub(bias).wrapping_sub(1);
        if let Some(function) = self.known.get(&address) {
            return *function;
        }
        let number = self.table.function_at(address);
        let name = number
            .and_then(|number| self.table.name(pages, bias, number, &NAMES.map(|(name, _)| name)));
        let function = name.and_then(|name| NAMES.get(name)).map_or(Function::Other, |it| it.1);
        if pages.budget().is_exceeded() {
            return function;
        }
        if self.known.len() >= REMEMBERED_MAX {
            self.known.clear();
        }
        self.known.insert(address, function);
        function
    }

    /// The approximate size of the value in memory, in bytes.
    pub(super) fn size(&self) -> usize {
        let entries = self.known.capacity() + self.starts.capacity();
        self.table.size() + 24 * entries + 56 * self.maps.capacity() + 8 * self.map_words
    }

    /// The words of a stack that its goroutine may still use, by the stack maps. `roots` are words
    /// elsewhere that may point into the stack.
    pub(super) fn words_in_use(
        &mut self,
        pages: &mut Pages,
        bias: u64,
        stack: &Stack,
        roots: &[u64],
    ) -> Vec<u64> {
        let Self { table: functions, lines: tables, maps, map_words, .. } = self;
        let lines = Lines { functions, tables };
        let budget = pages.budget();
        stack.words_in_use(roots, |frame: &Frame, used| {
            if maps.len() >= REMEMBERED_MAX || *map_words >= MAP_WORDS_MAX {
                maps.clear();
                *map_words = 0;
            }
            let map = match maps.entry(frame.pc) {
                Entry::Occupied(map) => map.into_mut(),
                Entry::Vacant(place) => {
                    let map = lines.frame_map(pages, bias, frame.pc);
                    if budget.is_exceeded() {
                        return None;
                    }
                    *map_words +=
                        map.as_ref().map_or(0, |map| map.words.len() + 2 * map.objects.len());
                    place.insert(map)
                }
            };
            let map = map.as_ref().filter(|map| map.size == frame.end - frame.start)?;
            budget.step(u64::try_from(map.words.len() + map.objects.len()).ok()?)?;
            used.words.extend_from_slice(&map.words);
            used.objects.extend_from_slice(&map.objects);
            Some(())
        })
    }

    /// Whether a function with this prefix begins at an address of the process.
    pub(super) fn is_entry_with_prefix(
        &self,
        pages: &mut Pages,
        bias: u64,
        address: u64,
        prefix: &str,
    ) -> bool {
        let start = address.wrapping_sub(bias);
        let number = self.table.function_at(start);
        let number =
            number.filter(|it| self.table.code(*it).is_some_and(|(first, _)| first == start));
        number.and_then(|it| self.table.name_has_prefix(pages, bias, it, prefix)) == Some(true)
    }

    /// The name of the function that begins at an address of the process; `None` if none does.
    pub(super) fn entry_name(&self, pages: &mut Pages, bias: u64, address: u64) -> Option<String> {
        let start = address.wrapping_sub(bias);
        let number = self.table.function_at(start)?;
        if self.table.code(number)?.0 != start {
            return None;
        }
        Some(self.calls(pages, bias, address, true)?.pop()?.function)
    }

    /// The calls at an address of the process, innermost first; `None` if it is not Go code.
    pub(super) fn calls(
        &self,
        pages: &mut Pages,
        bias: u64,
        address: u64,
        is_exact: bool,
    ) -> Option<Vec<GoFrame>> {
        let lines = Lines { functions: &self.table, tables: &self.lines };
        lines.frames(pages, bias, address, is_exact).ok()?
    }

    /// Whether a goroutine that began with the function at an address is a system goroutine, which
    /// `runtime.NumGoroutine` does not count. `None` if no function begins there.
    pub(super) fn is_system(&mut self, pages: &mut Pages, bias: u64, address: u64) -> Option<bool> {
        if let Some(is_system) = self.starts.get(&address) {
            return Some(*is_system);
        }
        let start = address.wrapping_sub(bias);
        let number = self.table.function_at(start)?;
        if self.table.code(number)?.0 != start {
            return None;
        }
        let is_system = self.table.name_has_prefix(pages, bias, number, "runtime.")?
            && self.table.name(pages, bias, number, &NOT_SYSTEM).is_none();
        if self.starts.len() >= REMEMBERED_MAX {
            self.starts.clear();
        }
        self.starts.insert(address, is_system);
        Some(is_system)
    }
}

/// The addresses of all aligned words with one of these values, up to the limits.
pub(super) fn find_words(
    memory: &dyn Memory,
    segments: &[Segment],
    bias: u64,
    wanted: &[u64],
) -> Vec<u64> {
    let mut matches = Vec::new();
    let mut searched = 0;
    for segment in segments {
        let Some(start) = segment.start.checked_next_multiple_of(8) else { continue };
        let start = start.wrapping_add(bias);
        let end = segment.file_end.wrapping_add(bias);
        let mut chunk = start;
        while chunk < end && searched < SEARCHED_MAX && matches.len() < MATCHES_MAX {
            let length = CHUNK.min(end - chunk);
            let bytes = usize::try_from(length).ok().and_then(|it| memory.read_one(chunk, it));
            let bytes = bytes.unwrap_or_default();
            let is_wanted = |word: &[u8]| u64_at(word, 0).is_some_and(|it| wanted.contains(&it));
            let found = (chunk..).step_by(8).zip(bytes.chunks_exact(8));
            matches.extend(found.filter(|(_, word)| is_wanted(word)).map(|(address, _)| address));
            searched += length;
            chunk += length;
        }
    }
    matches.truncate(MATCHES_MAX);
    matches
}

#[cfg(test)]
mod tests;
