//! Names of JIT-compiled code, from the file that the runtime writes for `perf`:
//! `/tmp/perf-PID.map` (`tools/perf/Documentation/jit-interface.txt` of the kernel).
//!
//! The file describes the current code. Python and V8 do not move code. A runtime that frees code
//! may have reused the memory since an older stack was recorded.
//!
//! A map has any size. It is read in one pass for all addresses of a stack, and only the names of
//! these are kept.

mod names;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{ErrorKind, Read},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use tracer_core::{CallSiteReason, Limit, ProcessKey};

use crate::{
    budget::Budget,
    frames::frame::Frame,
    process::{
        file_key::FileKey,
        regular_file::{self, Place},
        stat::innermost_pid,
    },
};

/// Maximum size of a map in bytes.
const MAP_MAX: u64 = 256 << 20;
/// Maximum size of a function in bytes.
const FUNCTION_MAX: u64 = 1 << 32;
/// Number of bytes read at a time.
const WINDOW: usize = 256 << 10;
/// Maximum length of a line in bytes. A longer one is skipped.
const LINE_MAX: usize = 16 << 10;
/// Maximum length of a name in bytes.
const NAME_MAX: usize = 4 << 10;
/// Maximum number of addresses of which the names are kept.
const KNOWN_MAX: usize = 4_096;
/// Steps of the budget for each function that contains one of the addresses.
const MATCH_STEPS: u64 = 64;

/// A cache of one perf map: that of the process that was inspected last.
#[derive(Debug, Default)]
pub struct PerfMaps {
    latest: Option<(ProcessKey, FileKey, PerfMap)>,
}

/// What a map has about some addresses.
#[derive(Debug, Default)]
pub struct PerfMap {
    /// The name of the function at each address that was looked up; `None` if there is none.
    names: HashMap<u64, Option<Box<str>>>,
}

/// An address that is looked up.
struct Wanted {
    address: u64,
    /// Empty if no function was found.
    name: Vec<u8>,
}

impl PerfMaps {
    /// What the current map of a process has about these addresses; `None` if it has no map.
    ///
    /// # Errors
    /// The map belongs to another user, is too large, or cannot be read; or the budget is exceeded.
    pub fn of(
        &mut self,
        process: ProcessKey,
        addresses: &[u64],
        budget: &Budget,
    ) -> Result<Option<&PerfMap>, CallSiteReason> {
        let Some((file, key)) = open(process.pid, budget)? else { return Ok(None) };
        let is_known = |(known, state, map): &(ProcessKey, FileKey, PerfMap)| {
            *known == process && *state == key && map.names.len() <= KNOWN_MAX
        };
        let known = self.latest.take().filter(is_known).map(|(.., map)| map);
        let mut map = known.unwrap_or_default();
        let unreadable =
            |error: std::io::Error| CallSiteReason::PerfMapUnreadable { detail: error.to_string() };
        map.look_up(file.take(MAP_MAX), addresses, budget).map_err(unreadable)?;
        if let Some(limit) = budget.limit() {
            return Err(CallSiteReason::Process(limit));
        }
        let (.., map) = self.latest.insert((process, key, map));
        Ok(Some(map))
    }
}

/// Opens the map of a process, by its own root directory and its own pid; `None` if it has none.
fn open(pid: u32, budget: &Budget) -> Result<Option<(File, FileKey)>, CallSiteReason> {
    let Some(inner) = innermost_pid(pid) else { return Ok(None) };
    let path = format!("/tmp/perf-{inner}.map");
    // Any user can create a symbolic link or a FIFO in /tmp.
    let (file, metadata) = match regular_file::open(pid, Place::NotALink(Path::new(&path)), budget)
    {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            return Err(CallSiteReason::Process(budget.not_local().unwrap_or(Limit::ProcessEnded)));
        }
        Err(error) if error.kind() == ErrorKind::Other => {
            return Err(CallSiteReason::PerfMapUntrusted);
        }
        Err(_) => return Ok(None),
    };
    let owner = fs::metadata(format!("/proc/{pid}")).map(|process| process.uid());
    if metadata.uid() != 0 && Some(metadata.uid()) != owner.ok() {
        return Err(CallSiteReason::PerfMapUntrusted);
    }
    if metadata.size() > MAP_MAX {
        return Err(CallSiteReason::PerfMapTooLarge { bytes_max: MAP_MAX });
    }
    Ok(Some((file, FileKey::of(&metadata))))
}

impl PerfMap {
    /// The function at an address that was looked up; `None` if the map has no name for it.
    pub fn frame(&self, address: u64) -> Option<Frame<'_>> {
        self.name(address).map(names::frame)
    }

    fn name(&self, address: u64) -> Option<&str> {
        self.names.get(&address)?.as_deref()
    }

    /// Looks up addresses in a map, within the budget. Malformed lines are skipped. Where several
    /// functions contain an address, the last line is current, because runtimes reuse memory.
    ///
    /// # Errors
    /// The map cannot be read.
    pub fn look_up(
        &mut self,
        map: impl Read,
        addresses: &[u64],
        budget: &Budget,
    ) -> std::io::Result<()> {
        let new = |address: &&u64| !self.names.contains_key(address);
        let mut wanted: Vec<u64> = addresses.iter().filter(new).copied().collect();
        wanted.sort_unstable();
        wanted.dedup();
        let wanted = wanted.into_iter().map(|address| Wanted { address, name: Vec::new() });
        let mut wanted: Vec<Wanted> = wanted.collect();
        if wanted.is_empty() {
            return Ok(());
        }
        each_line(map, budget, |line| {
            let Some((start, end, name)) = parse(line) else { return Some(()) };
            let first = wanted.partition_point(|it| it.address < start);
            let rest = wanted.get_mut(first..).unwrap_or_default();
            for it in rest.iter_mut().take_while(|it| it.address < end) {
                budget.step(MATCH_STEPS)?;
                it.name.clear();
                it.name.extend_from_slice(name.get(..NAME_MAX).unwrap_or(name));
            }
            Some(())
        })?;
        self.names.extend(wanted.into_iter().map(|Wanted { address, name }| {
            let name = (!name.is_empty()).then(|| String::from_utf8_lossy(&name).into());
            (address, name)
        }));
        Ok(())
    }
}

/// Calls `each` with every line, until it returns `None` or the budget is exceeded. Lines that are
/// too long are skipped, and so is the end of the file without a line end: it is still being
/// written.
fn each_line(
    mut file: impl Read,
    budget: &Budget,
    mut each: impl FnMut(&[u8]) -> Option<()>,
) -> std::io::Result<()> {
    let mut window = vec![0; WINDOW];
    // The bytes of an incomplete line at the start of the window, and whether it is too long.
    let (mut kept, mut is_long) = (0, false);
    loop {
        let count = match file.read(window.get_mut(kept..).unwrap_or_default()) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        };
        if count == 0 || budget.step_bytes(count).is_none() {
            return Ok(());
        }
        let end = kept + count;
        let filled = window.get(..end).unwrap_or_default();
        let complete = filled.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        for line in
            filled.get(..complete).unwrap_or_default().split_inclusive(|byte| *byte == b'\n')
        {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if budget.step(2).is_none() {
                return Ok(());
            }
            if !std::mem::take(&mut is_long) && line.len() <= LINE_MAX && each(line).is_none() {
                return Ok(());
            }
        }
        window.copy_within(complete..end, 0);
        kept = end - complete;
        if kept > LINE_MAX {
            (kept, is_long) = (0, true);
        }
    }
}

/// Parses a line such as `7f1fc21000 b py::fetch:/app/app.py`: start address and size in
/// hexadecimal, and the name, which may contain spaces. The result is the start, the end and the
/// name.
fn parse(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (start, rest) = split(line)?;
    let (length, name) = split(rest)?;
    let (start, length) = (hexadecimal(start)?, hexadecimal(length)?);
    let end = start.checked_add(length)?;
    (length <= FUNCTION_MAX && !name.is_empty()).then_some((start, end, name))
}

/// The bytes before and after the first space.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    Some((bytes.get(..space)?, bytes.get(space + 1..)?))
}

fn hexadecimal(digits: &[u8]) -> Option<u64> {
    let digits = digits.strip_prefix(b"0x").unwrap_or(digits);
    u64::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests;
