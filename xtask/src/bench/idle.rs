//! Many connections on which nothing happens, and a tracer beside them.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::holders::Holders;
use super::measure::{self, mebibytes};
use super::sheet::Sheet;
use super::watcher::Watcher;
use crate::command;

/// Between two runs of what has to be run again and again.
const POLL: Duration = Duration::from_secs(10);

/// Watches so many sockets for so long, and compares with running ss as seldom as tracer looks.
///
/// # Errors
/// If something does not start.
pub(super) fn run(sheet: &mut Sheet, sockets: usize, duration: Duration) -> Result<()> {
    let mut holders = Holders::start(sockets.div_ceil(5_000))?;
    holders.open(sockets)?;
    let mut watcher = Watcher::tracer(&[])?;
    watcher.mute();
    let before = watcher.processor_time()?;
    thread::sleep(duration);
    let took = watcher.processor_time()?.saturating_sub(before);
    let peak = measure::peak_bytes(watcher.pid())?;
    drop(watcher);
    let share = |took: Duration, of: Duration| {
        format!("{:.2} %", 100.0 * took.as_secs_f64() / of.as_secs_f64())
    };
    let mut rows = vec![["tracer".to_owned(), share(took, duration), mebibytes(peak)]];
    let ours = rows[0][1].clone();
    if command::find("ss").is_some() {
        let cost = measure::run(Command::new("ss").arg("-tanp"))?;
        let name = format!("ss -tanp every {POLL:?}");
        let theirs = share(cost.processor, POLL);
        let ratio = cost.processor.as_secs_f64()
            / POLL.as_secs_f64()
            / (took.as_secs_f64() / duration.as_secs_f64());
        sheet.conclude([
            &format!("{sockets} idle sockets: part of a processor"),
            &ours,
            &format!("{name}: {theirs}"),
            &format!("{ratio:.0} ×"),
            "< 0.5 %",
        ]);
        rows.push([name, theirs, mebibytes(cost.peak_bytes)]);
    }
    sheet.table(
        &format!("{sockets} idle sockets, for {duration:?}"),
        ["", "of one processor", "memory"],
        rows,
    );
    Ok(())
}
