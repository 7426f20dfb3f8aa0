//! The code of a running program, in which a uprobe is a changed byte.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;

use anyhow::{Context, Result};

/// The code of a program as it was at some time.
pub(super) struct Code {
    pid: u32,
    memory: File,
    address: u64,
    before: Vec<u8>,
}

impl Code {
    /// Reads the first executable mapping of a process.
    ///
    /// # Errors
    /// If the process has exited.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
        let (address, length) =
            maps.lines().find_map(executable_range).context("a process without code")?;
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        let mut code = Self { pid, memory, address, before: vec![0; length] };
        code.before = code.now()?;
        Ok(code)
    }

    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// The number of bytes that have changed.
    ///
    /// # Errors
    /// If the process has exited.
    pub(super) fn changes(&self) -> Result<usize> {
        let now = self.now()?;
        Ok(self.before.iter().zip(&now).filter(|(before, now)| before != now).count())
    }

    fn now(&self) -> Result<Vec<u8>> {
        let mut code = vec![0; self.before.len()];
        self.memory
            .read_exact_at(&mut code, self.address)
            .with_context(|| format!("cannot read the code of process {}", self.pid))?;
        Ok(code)
    }
}

/// The address and length of an executable mapping, given its line in `/proc/PID/maps`.
fn executable_range(line: &str) -> Option<(u64, usize)> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let number = |digits| u64::from_str_radix(digits, 16).ok();
    let (start, end) = (number(start)?, number(end)?);
    let length = usize::try_from(end.checked_sub(start)?).ok()?;
    rest.starts_with("r-xp").then_some((start, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_of_an_executable_mapping_is_read() {
        let line = "00401000-00600000 r-xp 00001000 fe:00 12 /srv/app";
        assert_eq!(executable_range(line), Some((0x40_1000, 0x1f_f000)));
        assert_eq!(executable_range(&line.replace("r-xp", "r--p")), None);
    }

    #[test]
    fn the_code_of_a_process_without_uprobes_does_not_change() {
        assert_eq!(Code::of(std::process::id()).unwrap().changes().unwrap(), 0);
    }
}
