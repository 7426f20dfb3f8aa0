//! What a command, or a process that runs beside something, takes.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wait4::Wait4 as _;

use crate::command;

/// Clock ticks a second in `/proc/PID/stat` (`USER_HZ`, which is 100 everywhere).
const TICKS_PER_SECOND: f64 = 100.0;

/// What one run of a command took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    /// On all processors, in the kernel too.
    pub(super) processor: Duration,
    pub(super) peak_bytes: u64,
}

/// Runs a command with its output thrown away. The exit code is its own affair.
///
/// # Errors
/// If it cannot be started.
pub(super) fn run(command: &mut Command) -> Result<Cost> {
    let started = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start `{}`", command::describe(command)))?;
    let usage = child.wait4()?.rusage;
    Ok(Cost {
        wall: started.elapsed(),
        processor: usage.utime + usage.stime,
        peak_bytes: usage.maxrss,
    })
}

/// Time that a running process has had on processors, its threads of before included.
///
/// # Errors
/// If it is gone.
pub(super) fn processor_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may have spaces and parentheses; what is behind the last one is numbers.
    let (_, fields) = stat.rsplit_once(") ").context("no process has such a line")?;
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|it| it.parse::<u32>().ok());
    Ok(Duration::from_secs_f64(ticks.map(f64::from).sum::<f64>() / TICKS_PER_SECOND))
}

/// The most memory that a running process has had at a time, in bytes.
///
/// # Errors
/// If it is gone.
pub(super) fn peak_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("it is gone")? * 1_024)
}

/// The middle one; of an even number, the larger of the two.
pub(super) fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

/// Median, least and greatest of some numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// # Errors
    /// If there are none.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Result<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let median = median(&values).context("there was no round")?;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self { median, least, greatest })
    }

    /// `2.50 (2.40 to 3.10)`, with so many digits after the point.
    pub(super) fn text(&self, digits: usize) -> String {
        let Self { median, least, greatest } = self;
        format!("{median:.digits$} ({least:.digits$} to {greatest:.digits$})")
    }
}

/// A size in MiB.
pub(super) fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 bytes")]
    let size = bytes as f64 / f64::from(1 << 20);
    format!("{size:.0} MiB")
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "what is counted here is fewer than 2^52")]
pub(super) const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_time_and_a_size() {
        let pid = std::process::id();
        processor_time(pid).unwrap();
        assert!(peak_bytes(pid).unwrap() > 1 << 16);
        assert!(run(&mut Command::new("true")).unwrap().peak_bytes > 1 << 10);
    }

    #[test]
    fn a_spread_has_its_ends() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).unwrap().text(1), "2.0 (1.0 to 3.0)");
        assert!(Spread::of([]).is_err());
    }
}
