//! Names of code that a runtime makes as it runs, from the file that it keeps of them for `perf`:
//! `/tmp/perf-PID.map` (`tools/perf/Documentation/jit-interface.txt` of the kernel).
//!
//! It says where code is now. Python and V8 leave code where it is; a runtime that throws some away
//! may have put other code to where an older stack has been.

mod names;

use std::{
    fs::{self, File, Metadata, OpenOptions},
    io::Read as _,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _},
};

use tracer_core::{CallSiteReason, ProcessKey};

use crate::frames::frame::Frame;
use crate::process::{file_key::FileKey, stat::innermost_pid};

/// Most bytes of a map.
const MAP_MAX: u64 = 256 << 20;
/// More bytes than a function has.
const FUNCTION_MAX: u64 = 1 << 32;

/// The map of the process that was asked about last.
#[derive(Debug, Default)]
pub struct PerfMaps {
    latest: Option<(ProcessKey, FileKey, PerfMap)>,
}

/// What a map says.
#[derive(Debug, Default)]
pub struct PerfMap {
    text: String,
    /// Ordered by where they begin; of several at one place the last one is the one that is there
    /// now, since memory is used again.
    functions: Vec<Function>,
}

/// A line of the map: the place of its name is that in the text.
#[derive(Clone, Copy, Debug)]
struct Function {
    start: u64,
    end: u64,
    /// How many lines come before it.
    number: usize,
    name: (usize, usize),
}

impl PerfMaps {
    /// The map of a process as it is now. `None`: it has none.
    ///
    /// # Errors
    /// The map is not trusted, too large, or could not be read.
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

/// The map of a process, as that sees its files and itself. `None`: it has none.
fn open(pid: u32) -> Result<Option<(File, Metadata)>, CallSiteReason> {
    let Some(inner) = innermost_pid(pid) else { return Ok(None) };
    let path = format!("/proc/{pid}/root/tmp/perf-{inner}.map");
    // Anybody may put something there, also what blocks who opens it.
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
    /// The function with the code at an address. `None`: there is no name for it.
    pub fn frame(&self, address: u64) -> Option<Frame<'_>> {
        self.name(address).map(names::frame)
    }

    fn read(file: File) -> std::io::Result<Self> {
        let mut bytes = Vec::new();
        file.take(MAP_MAX).read_to_end(&mut bytes)?;
        Ok(Self::parse(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// The functions of a map; lines that are none are left out.
    pub fn parse(text: String) -> Self {
        let mut functions = Vec::new();
        let mut place = 0;
        for (number, line) in text.split_inclusive('\n').enumerate() {
            // A line that is not ended is still being written.
            if let Some(line) = line.strip_suffix('\n') {
                functions.extend(parse(line, place, number));
            }
            place += line.len();
        }
        functions.sort_unstable_by_key(|function: &Function| (function.start, function.number));
        Self { text, functions }
    }

    /// Of all functions that had code there, the name of the one that came last.
    fn name(&self, address: u64) -> Option<&str> {
        /// Functions that begin before the address and are looked at: those that have been
        /// replaced by smaller ones are still in the map.
        const LOOK_BACK: usize = 4096;
        let after = self.functions.partition_point(|function| function.start <= address);
        let before = self.functions.get(..after)?.iter().rev().take(LOOK_BACK);
        let holding = before.filter(|function| address < function.end);
        let latest = holding.max_by_key(|function| function.number)?;
        self.text.get(latest.name.0..latest.name.1)
    }
}

/// `7f1fc21000 b py::fetch:/app/app.py`: where it begins, how long it is, and its name, which may
/// have spaces.
fn parse(line: &str, place: usize, number: usize) -> Option<Function> {
    let (start, rest) = line.split_once(' ')?;
    let (length, name) = rest.split_once(' ')?;
    let hexadecimal = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
    let (start, length) = (hexadecimal(start)?, hexadecimal(length)?);
    let end = place + line.len();
    let function =
        Function { start, end: start.checked_add(length)?, number, name: (end - name.len(), end) };
    (length <= FUNCTION_MAX && !name.is_empty()).then_some(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_function_at_an_address_counts() {
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
        assert_eq!(map.name(0x1080), Some("first"), "where the second does not reach");
        assert_eq!(map.name(0x1100), None);
        assert_eq!((map.name(0), map.name(0x2000), map.name(0x3000)), (None, None, None));
        assert_eq!(map.name(u64::MAX), None);
    }
}
