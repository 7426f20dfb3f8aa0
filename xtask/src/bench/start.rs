//! The time from the start of a tracer until its probes are attached.

use anyhow::Result;

use super::measure::Spread;
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;

/// Starts tracer and bpftrace in turn.
///
/// # Errors
/// If one does not start.
pub(super) fn run(programs: &Programs, report: &mut BenchReport, rounds: usize) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(Tracing::tracer(&programs.tracer, &[])?.start.as_secs_f64() * 1e3);
        theirs.extend(Tracing::life()?.map(|it| it.start.as_secs_f64() * 1e3));
    }
    let ours = Spread::of(ours)?;
    let mut rows = vec![["tracer, with its first snapshot".to_owned(), ours.text(0), "1.0".into()]];
    match Spread::of(theirs) {
        Ok(theirs) => {
            let ratio = format!("{:.1}", theirs.median / ours.median);
            report.summarize([
                "start: all probes attached, first snapshot",
                &format!("{:.0}ms", ours.median),
                &format!("bpftrace: {:.0}ms", theirs.median),
                &format!("{ratio}×"),
                "< 100ms",
            ]);
            rows.push(["bpftrace, a script like tcplife".to_owned(), theirs.text(0), ratio]);
        }
        Err(_) => println!("bpftrace is not installed, so there is no comparison"),
    }
    report.table("Start until everything is attached", ["", "ms", "× tracer's"], rows);
    Ok(())
}
