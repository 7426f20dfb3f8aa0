//! The cost of tracer while many connections are idle.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::holders::Holders;
use super::measure::{self, grouped, mebibytes};
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;
use crate::command;

/// Pause between two runs of ss, equal to tracer's own interval.
const POLL: Duration = Duration::from_secs(10);

/// Watches this many sockets for this long, and compares with running ss repeatedly.
///
/// # Errors
/// If something does not start.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    sockets: usize,
    duration: Duration,
) -> Result<()> {
    let mut holders = Holders::start(&programs.puppet, sockets.div_ceil(5_000))?;
    holders.open(sockets)?;
    let mut tracer = Tracing::tracer(&programs.tracer, &[])?;
    tracer.mute();
    let before = tracer.cpu_time()?;
    thread::sleep(duration);
    let took = tracer.cpu_time()?.saturating_sub(before);
    let peak = measure::peak_bytes(tracer.pid())?;
    drop(tracer);
    let share = |took: Duration, of: Duration| {
        format!("{:.2}%", 100.0 * took.as_secs_f64() / of.as_secs_f64())
    };
    let mut rows = vec![["tracer".to_owned(), share(took, duration), mebibytes(peak)]];
    let ours = rows[0][1].clone();
    if command::find("ss").is_some() {
        let cost = measure::run(Command::new("ss").arg("-tanp"))?;
        let name = format!("ss -tanp every {POLL:?}");
        let theirs = share(cost.cpu, POLL);
        let ratio = cost.cpu.as_secs_f64()
            / POLL.as_secs_f64()
            / (took.as_secs_f64() / duration.as_secs_f64());
        report.summarize([
            &format!("{} idle sockets: CPU", grouped(sockets)),
            &ours,
            &format!("{name}: {theirs}"),
            &format!("{ratio:.0}×"),
            "< 0.5%",
        ]);
        rows.push([name, theirs, mebibytes(cost.peak_bytes)]);
    }
    report.table(
        &format!("{} idle sockets, for {duration:?}", grouped(sockets)),
        ["", "of one CPU", "memory"],
        rows,
    );
    Ok(())
}
