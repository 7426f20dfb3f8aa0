//! Many connections opened at once and held: lost events, and the time until tracer's table is
//! correct.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::holders::{self, Holders};
use super::measure::{self, grouped, mebibytes};
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;

/// Longest wait for a correct table.
const DEADLINE: Duration = Duration::from_mins(1);

/// Opens the sockets while tracer runs, and waits until its table contains all of them.
///
/// # Errors
/// If that does not happen.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    sockets: usize,
    processes: usize,
) -> Result<()> {
    if let Some(reason) = holders::impossible(sockets, processes) {
        report.text(&format!(
            "Burst of {sockets} sockets in {processes} processes: skipped, {reason}"
        ));
        return Ok(());
    }
    let mut holders = Holders::start(&programs.puppet, processes)?;
    let pids: Vec<String> = holders.pids().iter().map(ToString::to_string).collect();
    let mut tracer = Tracing::tracer(&programs.tracer, &["--pid".to_owned(), pids.join(",")])?;
    let begun = Instant::now();
    holders.open(sockets)?;
    let opened = begun.elapsed();
    // Each process has a listener too.
    let wanted = u64::try_from(sockets / 2 * 2 + processes)?;
    let mut seen = 0;
    while seen != wanted {
        if begun.elapsed() > DEADLINE + opened {
            bail!("the table has {seen} sockets instead of {wanted}");
        }
        seen = held(&tracer.document()?);
    }
    let equal = begun.elapsed();
    let peak = measure::peak_bytes(tracer.pid())?;
    let cpu = tracer.cpu_time()?;
    let document = tracer.end()?;
    let lost = document["coverage"]["events_lost"].as_u64().unwrap_or_default();
    report.summarize([
        &format!("{} sockets at once: events lost", grouped(sockets)),
        &lost.to_string(),
        "",
        "",
        "no loss without a note in the report",
    ]);
    report.table(
        "A burst of connections that stay open",
        [
            "sockets in processes",
            "opened in, s",
            "until the table matches the kernel, s",
            "lost",
            "CPU, s",
            "memory",
        ],
        [[
            format!("{} sockets in {} processes", grouped(sockets), grouped(processes)),
            format!("{:.2}", opened.as_secs_f64()),
            format!("{:.2}", equal.saturating_sub(opened).as_secs_f64()),
            lost.to_string(),
            format!("{:.2}", cpu.as_secs_f64()),
            mebibytes(peak),
        ]],
    );
    Ok(())
}

/// File descriptors of TCP sockets in tracer's table.
fn held(document: &Value) -> u64 {
    let processes = document["processes"].as_array().into_iter().flatten();
    processes.filter_map(|it| it["tcp_fds"].as_u64()).sum()
}
