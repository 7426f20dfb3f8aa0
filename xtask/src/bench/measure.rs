//! Time and memory of a command or of a running process.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use wait4::Wait4 as _;

use crate::command;

/// Clock ticks per second in `/proc/PID/stat` (`USER_HZ`, which is 100 on all supported
/// architectures).
const TICKS_PER_SECOND: f64 = 100.0;

/// The cost of one run of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) wall: Duration,
    /// CPU time in user space and in the kernel.
    pub(super) cpu: Duration,
    pub(super) peak_bytes: u64,
}

/// Runs a command, discards its output and ignores its exit code.
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
    Ok(Cost { wall: started.elapsed(), cpu: usage.utime + usage.stime, peak_bytes: usage.maxrss })
}

/// CPU time of a running process, including threads that have exited.
///
/// # Errors
/// If it has exited.
pub(super) fn cpu_time(pid: u32) -> Result<Duration> {
    stat_time(pid, 2)
}

/// CPU time of a running process and its descendants, including those that have exited and were
/// waited for.
///
/// # Errors
/// If it has exited.
pub(super) fn cpu_time_with_descendants(pid: u32) -> Result<Duration> {
    let mut total = stat_time(pid, 4)?;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            // One that exits meanwhile is not counted.
            total += cpu_time_with_descendants(child.parse()?).unwrap_or_default();
        }
    }
    Ok(total)
}

/// The sum of the first `count` of the times in `/proc/PID/stat`: in user space, in the kernel, and
/// both for children that were waited for.
fn stat_time(pid: u32, count: usize) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name can contain spaces and parentheses; after the last one there are numbers.
    let (_, fields) = stat.rsplit_once(") ").context("no name in /proc/PID/stat")?;
    let ticks = fields.split(' ').skip(11).take(count).filter_map(|it| it.parse::<u32>().ok());
    Ok(Duration::from_secs_f64(ticks.map(f64::from).sum::<f64>() / TICKS_PER_SECOND))
}

/// Peak memory of a running process (`VmHWM`), in bytes.
///
/// # Errors
/// If it has exited.
pub(super) fn peak_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("no VmHWM")? * 1_024)
}

/// The median; for an even number of values, the larger of the two in the middle.
pub(super) fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}

/// Median, minimum and maximum of some values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Spread {
    /// # Errors
    /// If there are no values.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Result<Self> {
        let values: Vec<f64> = values.into_iter().collect();
        let median = median(&values).context("no values")?;
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Ok(Self { median, least, greatest })
    }

    /// `2.50 (2.40 to 3.10)`, with this many digits after the decimal point.
    pub(super) fn text(&self, digits: usize) -> String {
        let Self { median, least, greatest } = self;
        let [median, least, greatest] =
            [median, least, greatest].map(|it| group(&format!("{it:.digits$}")));
        format!("{median} ({least} to {greatest})")
    }
}

/// A size in MiB.
pub(super) fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "no size reaches 2^52 bytes")]
    let size = bytes as f64 / f64::from(1 << 20);
    format!("{size:.0} MiB")
}

/// A count, in groups of three digits: `100,000`.
pub(super) fn grouped(count: usize) -> String {
    group(&count.to_string())
}

/// A number, with the digits before the decimal point in groups of three.
pub(super) fn group(number: &str) -> String {
    let (whole, decimals) = number.find('.').map_or((number, ""), |dot| number.split_at(dot));
    let mut grouped = String::new();
    for (index, digit) in whole.char_indices() {
        if digit.is_ascii_digit()
            && (whole.len() - index).is_multiple_of(3)
            && grouped.ends_with(|it: char| it.is_ascii_digit())
        {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + decimals
}

/// A count as a floating-point number.
#[expect(clippy::cast_precision_loss, reason = "no count reaches 2^52")]
pub(super) const fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_a_time_and_a_size() {
        let pid = std::process::id();
        let time = cpu_time(pid).unwrap();
        assert!(cpu_time_with_descendants(pid).unwrap() >= time);
        assert!(peak_bytes(pid).unwrap() > 1 << 16);
        assert!(run(&mut Command::new("true")).unwrap().peak_bytes > 1 << 10);
    }

    #[test]
    fn digits_are_in_groups_of_three() {
        let numbers = [0, 999, 1_000, 20_000, 1_000_000].map(grouped);
        assert_eq!(numbers, ["0", "999", "1,000", "20,000", "1,000,000"]);
        assert_eq!(group("-123.456"), "-123.456");
        assert_eq!(group("-1234.5"), "-1,234.5");
    }

    #[test]
    fn a_spread_has_minimum_and_maximum() {
        assert_eq!(Spread::of([3.0, 1.0, 2.0]).unwrap().text(1), "2.0 (1.0 to 3.0)");
        assert_eq!(Spread::of([1234.5]).unwrap().text(1), "1,234.5 (1,234.5 to 1,234.5)");
        assert!(Spread::of([]).is_err());
    }
}
