//! The interval between snapshots, and the cost, on a host with many programs, where something
//! changes continuously.

mod crowd;

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::measure::{self, Spread, mebibytes};
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;
use crowd::Crowd;

/// How many programs there are, and for how long they are watched.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) processes: usize,
    pub(super) opened_per_s: usize,
    pub(super) duration: Duration,
}

/// One run of tracer.
struct Run {
    /// CPU use of tracer since its start, in percent of one CPU.
    cpu_percent: f64,
    /// CPU use of the watched programs, in percent of one CPU.
    load_percent: f64,
    peak_bytes: u64,
    /// The median and the longest interval between snapshots, in seconds, as reported by tracer.
    intervals_s: [f64; 2],
    /// `19,033 TCP sockets of 1,892 processes in 131 snapshots`.
    observed: String,
}

/// Watches the whole host once per round.
///
/// # Errors
/// If something does not start.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    size: Size,
    rounds: usize,
) -> Result<()> {
    let Size { processes, opened_per_s, duration } = size;
    let crowd = Crowd::start(&programs.puppet, processes, opened_per_s)?;
    let runs = (0..rounds).map(|_| Run::watch(&programs.tracer, &crowd, duration));
    let runs = runs.collect::<Result<Vec<Run>>>()?;
    drop(crowd);
    let medians = Spread::of(runs.iter().map(|run| run.intervals_s[0]))?;
    let longest = Spread::of(runs.iter().map(|run| run.intervals_s[1]))?;
    let cpu = Spread::of(runs.iter().map(|run| run.cpu_percent))?;
    let name = format!("{processes} programs, {opened_per_s} new connections per second");
    report.summarize([
        &format!("{name}: interval of snapshots"),
        &format!("{:.1} s, at most {:.1} s", medians.median, longest.greatest),
        "",
        "",
        "≤ 5 s, at most 10 s",
    ]);
    report.summarize([&format!("{name}: CPU"), &format!("{:.2} %", cpu.median), "", "", "≤ 1 %"]);
    let rows = runs.iter().map(|run| {
        let [interval, longest] = run.intervals_s.map(|it| format!("{it:.1} s"));
        [
            run.observed.clone(),
            interval,
            longest,
            format!("{:.2} %", run.cpu_percent),
            mebibytes(run.peak_bytes),
            format!("{:.1} %", run.load_percent),
        ]
    });
    let header = ["", "interval", "longest", "of one CPU", "memory", "CPU of the programs"];
    report.table(&format!("{name}, the live table for {duration:?}"), header, rows);
    Ok(())
}

impl Run {
    fn watch(tracer: &Path, crowd: &Crowd, duration: Duration) -> Result<Self> {
        let load_before = crowd.cpu_time()?;
        let started = Instant::now();
        let tracing = Tracing::table(tracer)?;
        thread::sleep(duration.saturating_sub(started.elapsed()));
        let percent = |took: Duration| 100.0 * took.as_secs_f64() / started.elapsed().as_secs_f64();
        let cpu_percent = percent(tracing.cpu_time()?);
        let load_percent = percent(crowd.cpu_time()?.saturating_sub(load_before));
        let peak_bytes = measure::peak_bytes(tracing.pid())?;
        let last = tracing.last_page()?;
        let (observed, intervals_s) =
            observed(&last).with_context(|| format!("no interval in: {last}"))?;
        Ok(Self { cpu_percent, load_percent, peak_bytes, intervals_s, observed })
    }
}

/// Parses the line of the last page that says: `Observed 19,033 TCP sockets of 1,892 processes in
/// 131 snapshots over 10m, 4.6s apart (at most 24s); no events lost.`
fn observed(page: &str) -> Option<(String, [f64; 2])> {
    let words = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, text) = words.rsplit_once("Observed ")?;
    let (observed, rest) = text.split_once(" over ")?;
    let (before, longest) = rest.split_once(" apart (at most ")?;
    let (_, interval) = before.rsplit_once(", ")?;
    let (longest, _) = longest.split_once(')')?;
    Some((observed.to_owned(), [seconds(interval)?, seconds(longest)?]))
}

/// The seconds of `850ms`, `4.6s` or `1m 5s`.
fn seconds(duration: &str) -> Option<f64> {
    let parts = duration.split_whitespace().map(|part| {
        let unit = part.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
        let amount: f64 = part.strip_suffix(unit)?.parse().ok()?;
        match unit {
            "ms" => Some(amount / 1_000.0),
            "s" => Some(amount),
            "m" => Some(amount * 60.0),
            _ => None,
        }
    });
    parts.sum()
}

#[cfg(test)]
mod tests {
    use super::observed;

    #[test]
    fn the_interval_is_read_from_the_page() {
        let page = "PID ...\n\nObserved 26 TCP sockets of 1 process in 131 snapshots over\n\
                    10m\u{a0}1s, 4.6s apart (at most 1m\u{a0}5s); no events lost.";
        let (text, intervals) = observed(page).unwrap();
        assert_eq!(text, "26 TCP sockets of 1 process in 131 snapshots");
        assert_eq!(format!("{intervals:?}"), "[4.6, 65.0]");
    }
}
