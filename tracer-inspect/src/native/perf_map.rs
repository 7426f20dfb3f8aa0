//! Names of code that a runtime generates, from the file that it writes for `perf`:
//! `/tmp/perf-PID.map` (`tools/perf/Documentation/jit-interface.txt` of the kernel).
//!
//! The file describes the code of now. Python and V8 do not move code. A runtime that frees code may
//! have reused the memory since an older stack was recorded.
//!
//! A map has any size. It is read in one pass for all addresses of a stack, and only the names of
//! these are kept.

mod names;

use std::{
    collections::HashMap,
    fs::{self, File},
    io::Read,
    os::unix::fs::MetadataExt as _,
};

use tracer_core::{CallSiteReason, ProcessKey};

use crate::{
    budget::Budget,
    frames::frame::Frame,
    process::{file_key::FileKey, regular_file, stat::innermost_pid},
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

/// A cache of one map: that of the process inspected last.
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
        let Some((file, key)) = open(process.pid)? else { return Ok(None) };
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
fn open(pid: u32) -> Result<Option<(File, FileKey)>, CallSiteReason> {
    let Some(inner) = innermost_pid(pid) else { return Ok(None) };
    let path = format!("/proc/{pid}/root/tmp/perf-{inner}.map");
    // Any user can create a symbolic link or a FIFO in /tmp.
    let (file, metadata) = match regular_file::open_no_follow(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == std::io::ErrorKind::Other => {
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

    /// Looks up addresses in a map, as far as the budget allows. Malformed lines are skipped. Where
    /// several functions contain an address, the last line is current, because runtimes reuse memory.
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

/// Calls `each` with every line, until it returns `None` or the budget is exceeded. Lines that are too
/// long are skipped, and so is the end of the file without a line end: it is still being written.
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
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
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

/// Parses a line such as `7f1fc21000 b py::fetch:/app/app.py`: start address and size in hexadecimal,
/// and the name, which may contain spaces. The result is the start, the end and the name.
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
mod tests {
    use super::*;
    use crate::budget::Allowance;

    fn look_up(text: impl Read, addresses: &[u64]) -> Vec<Option<String>> {
        let mut map = PerfMap::default();
        map.look_up(text, addresses, &Budget::default()).unwrap();
        addresses.iter().map(|address| map.name(*address).map(str::to_owned)).collect()
    }

    #[test]
    fn the_latest_function_at_an_address_is_found() {
        let text = "1000 100 first\n\
             1000 80 JS:*second /app/a b.js:1:2\n\
             0x1040 10 third\n\
             2000 0 nothing\n\
             nonsense\n\
             ffffffffffffffff 10 too far\n\
             3000 100 unfini";
        let addresses = [0x1000, 0x1048, 0x1080, 0x1100, 0, 0x2000, 0x3000, u64::MAX];
        let mut expected = vec![None; addresses.len()];
        expected[0] = Some("JS:*second /app/a b.js:1:2".to_owned());
        expected[1] = Some("third".to_owned());
        // After the end of the second.
        expected[2] = Some("first".to_owned());
        assert_eq!(look_up(text.as_bytes(), &addresses), expected);
    }

    #[test]
    fn lines_are_found_across_windows_and_long_ones_are_skipped() {
        let line = |number: u64| format!("{:x} 10 function {number}\n", 0x1000 + number * 0x10);
        let lines: String = (0..40_000).map(line).collect();
        let (long, cut) = ("x".repeat(3 * WINDOW), "y".repeat(LINE_MAX - 6));
        let text = format!("{lines}10 10 {long}\n20 10 {cut}\n30 10 last\n");
        let addresses: Vec<u64> = (0..40_000).map(|number| 0x1008 + number * 0x10).collect();
        for (number, name) in (0..).zip(look_up(text.as_bytes(), &addresses)) {
            assert_eq!(name, Some(format!("function {number}")));
        }
        let [long, cut, last] = &look_up(text.as_bytes(), &[0x10, 0x20, 0x30])[..] else {
            panic!()
        };
        assert_eq!((long, last.as_deref()), (&None, Some("last")));
        assert_eq!(cut.as_ref().unwrap().len(), NAME_MAX);
    }

    #[test]
    fn a_map_that_never_ends_exceeds_the_budget() {
        let allowance = Allowance { steps_max: 1 << 20, ..Allowance::default() };
        for text in ["\n", "a", "0 ffffffff f\n"] {
            let budget = Budget::new(allowance);
            let endless = std::iter::repeat(text.as_bytes()).flatten().copied();
            let endless = Endless(Box::new(endless));
            let mut map = PerfMap::default();
            map.look_up(endless, &(0..100).collect::<Vec<_>>(), &budget).unwrap();
            assert!(budget.is_exceeded(), "{text:?}");
        }
    }

    struct Endless(Box<dyn Iterator<Item = u8>>);

    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            Ok(buffer.iter_mut().zip(&mut self.0).map(|(to, from)| *to = from).count())
        }
    }
}
