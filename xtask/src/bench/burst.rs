//! Many connections opened at once and held: what is lost, and when tracer's table is right.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde_json::Value;

use super::holders::{self, Holders};
use super::measure::{self, mebibytes};
use super::sheet::Sheet;
use super::watcher::Watcher;

/// After this long a table that is not right never will be.
const DEADLINE: Duration = Duration::from_mins(1);

/// Opens the sockets with tracer beside, and waits for its table to have them all.
///
/// # Errors
/// If it never has.
pub(super) fn run(sheet: &mut Sheet, sockets: usize, processes: usize) -> Result<()> {
    if let Some(reason) = holders::impossible(sockets, processes) {
        sheet.text(&format!("Burst of {sockets} sockets in {processes} processes: {reason}"));
        return Ok(());
    }
    let mut holders = Holders::start(processes)?;
    let pids: Vec<String> = holders.pids().iter().map(ToString::to_string).collect();
    let mut watcher = Watcher::tracer(&["--pid".to_owned(), pids.join(",")])?;
    let begun = Instant::now();
    holders.open(sockets)?;
    let opened = begun.elapsed();
    // And a listener each.
    let wanted = u64::try_from(sockets / 2 * 2 + processes)?;
    let mut seen = 0;
    while seen != wanted {
        if begun.elapsed() > DEADLINE + opened {
            bail!("the table has {seen} sockets instead of {wanted}");
        }
        seen = held(&watcher.document()?);
    }
    let equal = begun.elapsed();
    let peak = measure::peak_bytes(watcher.pid())?;
    let processor = watcher.processor_time()?;
    let document = watcher.end()?;
    let lost = document["coverage"]["events_lost"].as_u64().unwrap_or_default();
    sheet.conclude([
        &format!("{sockets} sockets at once: events lost"),
        &lost.to_string(),
        "",
        "",
        "none unaccounted for",
    ]);
    sheet.table(
        "A burst of connections that stay open",
        [
            "sockets in processes",
            "opened in, s",
            "table equal after, s",
            "lost",
            "processor, s",
            "memory",
        ],
        [[
            format!("{sockets} in {processes}"),
            format!("{:.2}", opened.as_secs_f64()),
            format!("{:.2}", equal.saturating_sub(opened).as_secs_f64()),
            lost.to_string(),
            format!("{:.2}", processor.as_secs_f64()),
            mebibytes(peak),
        ]],
    );
    Ok(())
}

/// Descriptors of TCP sockets that tracer knows of, of the processes that it was asked for.
fn held(document: &Value) -> u64 {
    let processes = document["processes"].as_array().into_iter().flatten();
    processes.filter_map(|it| it["tcp_fds"].as_u64()).sum()
}
