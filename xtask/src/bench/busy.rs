//! The interval between snapshots, and the cost, on a host with many programs where something changes
//! all the time.

mod crowd;

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

use super::measure::{self, Spread, mebibytes};
use super::report::Report;
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

/// What one run of tracer did.
struct Run {
    /// The times between two documents, of which there is one after each snapshot.
    intervals_s: Vec<f64>,
    /// Share of one CPU that tracer took, from its start on, in percent.
    cpu_percent: f64,
    /// The same of the programs that are watched.
    load_percent: f64,
    peak_bytes: u64,
    sockets: u64,
    processes: u64,
}

/// Watches the whole host as many times as there are rounds.
///
/// # Errors
/// If something does not start.
pub(super) fn run(
    programs: &Programs,
    report: &mut Report,
    size: Size,
    rounds: usize,
) -> Result<()> {
    let crowd = Crowd::start(&programs.puppet, size.processes, size.opened_per_s)?;
    let mut runs = Vec::new();
    for _ in 0..rounds {
        runs.push(Run::watch(programs, &crowd, size.duration)?);
    }
    drop(crowd);
    let intervals = Spread::of(runs.iter().flat_map(|run| run.intervals_s.iter().copied()))?;
    let cpu = Spread::of(runs.iter().map(|run| run.cpu_percent))?;
    let Size { processes, opened_per_s, duration } = size;
    let (sockets, known) = runs.first().map_or((0, 0), |run| (run.sockets, run.processes));
    let name = format!("{processes} programs, {sockets} sockets, {opened_per_s} new per second");
    report.summarize([
        &format!("{name}: interval of snapshots"),
        &format!("{:.1} s, at most {:.1} s", intervals.median, intervals.greatest),
        "",
        "",
        "≤ 5 s, at most 10 s",
    ]);
    report.summarize([&format!("{name}: CPU"), &format!("{:.2} %", cpu.median), "", "", "≤ 1 %"]);
    let rows = runs.iter().zip(1..).map(|(run, number)| {
        let own = Spread::of(run.intervals_s.iter().copied());
        [
            format!("run {number}"),
            run.intervals_s.len().to_string(),
            own.map(|own| own.text(2)).unwrap_or_default(),
            format!("{:.2} %", run.cpu_percent),
            mebibytes(run.peak_bytes),
            format!("{:.1} %", run.load_percent),
        ]
    });
    let heading = format!("{sockets} sockets of {known} processes, {opened_per_s} connections opened per second, watched for {duration:?}");
    let header = ["", "intervals", "s", "of one CPU", "memory", "CPU of the programs"];
    report.table(&heading, header, rows);
    Ok(())
}

impl Run {
    fn watch(programs: &Programs, crowd: &Crowd, duration: Duration) -> Result<Self> {
        let load_before = crowd.cpu_time()?;
        let started = Instant::now();
        let mut tracer = Tracing::tracer(&programs.tracer, &[])?;
        let (mut times_ms, mut latest) = (Vec::new(), Value::Null);
        while started.elapsed() < duration {
            latest = tracer.document()?;
            times_ms.push(latest["observed_ms"].as_u64().context("no observed_ms")?);
        }
        let percent = |took: Duration| 100.0 * took.as_secs_f64() / started.elapsed().as_secs_f64();
        let cpu_percent = percent(tracer.cpu_time()?);
        let load_percent = percent(crowd.cpu_time()?.saturating_sub(load_before));
        let intervals = times_ms.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        let count = |name: &str| latest["coverage"][name].as_u64().unwrap_or_default();
        Ok(Self {
            intervals_s: intervals.map(|it| measure::number(it) / 1_000.0).collect(),
            cpu_percent,
            load_percent,
            peak_bytes: measure::peak_bytes(tracer.pid())?,
            sockets: count("sockets"),
            processes: count("processes"),
        })
    }
}
