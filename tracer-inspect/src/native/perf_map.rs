//! Names of JIT-compiled code, from the file that the runtime writes for `perf`:
//! `/tmp/perf-PID.map` (`tools/perf/Documentation/jit-interface.txt` of the kernel).
//!
//! The file describes the current code. Python and V8 do not move code. A runtime that frees code
//! may have reused its memory since an older stack was recorded.

mod names;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
};

use tracer_core::{CallSiteReason, ProcessKey};

use crate::frames::frame::Frame;
use crate::process::{file_key::FileKey, stat::innermost_pid};

/// Maximum size of a map in bytes.
const MAP_MAX: u64 = 256 << 20;
/// Maximum size of a function in bytes.
const FUNCTION_MAX: u64 = 1 << 32;

/// A cache of one map: that of the process that was inspected last.
#[derive(Debug, Default)]
pub struct PerfMaps {
    latest: Option<(ProcessKey, FileKey, PerfMap)>,
}

/// A parsed map.
#[derive(Debug, Default)]
pub struct PerfMap {
    text: String,
    /// Sorted by start address. If several overlap, the last line of the file is current, because
    /// runtimes reuse memory.
    functions: Vec<Function>,
}

/// A line of the map.
#[derive(Clone, Copy, Debug)]
struct Function {
    start: u64,
    end: u64,
    /// Number of the line.
    number: usize,
    /// Start and end of the name in the text.
    name: (usize, usize),
}

impl PerfMaps {
    /// The current map of a process; `None` if it has none.
    ///
    /// # Errors
    /// The map belongs to another user, is too large, or cannot be read.
    pub fn of(&mut self, process: ProcessKey) -> Result<Option<&PerfMap>, CallSiteReason> {
        let Some((file, metadata)) = open(process.pid)? else { return Ok(None) };
        let key = FileKey::of(&metadata);
        if !matches!(&self.latest, Some((known, state, _)) if *known == process && *state == key) {
            let map = PerfMap::read(file)
                .map_err(|error| CallSiteReason::PerfMapUnreadable { detail: error.to_string() })?;
            self.latest = Some((process, key, map));
        }
        Ok(self.latest.as_ref().map(|(.., map)| map))
    }
}

/// Opens the map of a process in its root directory, under the pid of its own namespace; `None` if
/// it has none.
fn open(pid: u32) -> Result<Option<(File, Metadata)>, CallSiteReason> {
    let Some(inner) = innermost_pid(pid) else { return Ok(None) };
    let path = format!("/proc/{pid}/root/tmp/perf-{inner}.map");
    // Any user can create a symbolic link or a FIFO in /tmp.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else {
        return Ok(None);
    };
    let Ok(metadata) = file.metadata() else { return Ok(None) };
    let owner = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    if !metadata.is_file() || metadata.uid() != 0 && Some(metadata.uid()) != owner.ok() {
        return Err(CallSiteReason::PerfMapUntrusted);
    }
    if metadata.size() > MAP_MAX {
        return Err(CallSiteReason::PerfMapTooLarge { bytes_max: MAP_MAX });
    }
    Ok(Some((file, metadata)))
}

impl PerfMap {
    /// The function at an address; `None` if the map has no name for it.
    pub fn frame(&self, address: u64) -> Option<Frame<'_>> {
        self.name(address).map(names::frame)
    }

    fn read(file: File) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        file.take(MAP_MAX).read_to_end(&mut bytes)?;
        Ok(Self::parse(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Parses a map. Malformed lines are skipped.
    pub fn parse(text: String) -> Self {
        let mut functions = Vec::new();
        let mut offset = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            // A line without an end is still being written.
            if let Some(line) = line.strip_suffix('\n') {
                functions.extend(parse(line, offset, number));
            }
            offset += line.len();
        }
        functions.sort_unstable_by_key(|function: &Function| (function.start, function.number));
        Self { text, functions }
    }

    /// The most recently written name of the function at an address.
    fn name(&self, address: u64) -> Option<&str> {
        /// Maximum number of functions checked that begin before the address. Replaced functions
        /// stay in the map.
        const CHECKED_MAX: usize = 4096;
        let after = self.functions.partition_point(|function| function.start <= address);
        let before = self.functions.get(..after)?.iter().rev().take(CHECKED_MAX);
        let holding = before.filter(|function| address < function.end);
        let latest = holding.max_by_key(|function| function.number)?;
        self.text.get(latest.name.0..latest.name.1)
    }
}

/// Parses a line such as `7f1fc21000 b py::fetch:/app/app.py`: start address and size in hexadecimal,
/// and the name, which may contain spaces. `offset` is the position of the line in the text.
fn parse(line: &str, offset: usize, number: usize) -> Option<Function> {
    let (start, rest) = line.split_once(' ')?;
    let (length, name) = rest.split_once(' ')?;
    let hexadecimal = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let (start, length) = (hexadecimal(start)?, hexadecimal(length)?);
    let end = offset + line.len();
    let function =
        Function { start, end: start.checked_add(length)?, number, name: (end - name.len(), end) };
    (length <= FUNCTION_MAX && !name.is_empty()).then_some(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_function_at_an_address_is_found() {
        let map = PerfMap::parse(
            "1000 100 first\n\
             1000 80 JS:*second /app/a b.js:1:2\n\
             0x1040 10 third\n\
             2000 0 nothing\n\
             nonsense\n\
             ffffffffffffffff 10 too far\n\
             3000 100 unfini"
                .to_owned(),
        );
        assert_eq!(map.name(0x1000), Some("JS:*second /app/a b.js:1:2"));
        assert_eq!(map.name(0x1048), Some("third"));
        assert_eq!(map.name(0x1080), Some("first"), "after the end of the second");
        assert_eq!(map.name(0x1100), None);
        assert_eq!((map.name(0), map.name(0x2000), map.name(0x3000)), (None, None, None));
        assert_eq!(map.name(u64::MAX), None);
    }
}
