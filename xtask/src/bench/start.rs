//! From the start of a tracer until its first probe is attached.

use anyhow::Result;

use super::measure::Spread;
use super::sheet::Sheet;
use super::watcher::Watcher;

/// Starts tracer and bpftrace in turn.
///
/// # Errors
/// If one does not start.
pub(super) fn run(sheet: &mut Sheet, rounds: usize) -> Result<()> {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        ours.push(Watcher::tracer(&[])?.start.as_secs_f64() * 1e3);
        theirs.extend(Watcher::life()?.map(|it| it.start.as_secs_f64() * 1e3));
    }
    let ours = Spread::of(ours)?;
    let mut rows = vec![["tracer, its first look included".to_owned(), ours.text(0), "1.0".into()]];
    match Spread::of(theirs) {
        Ok(theirs) => {
            let ratio = format!("{:.1}", theirs.median / ours.median);
            sheet.conclude([
                "start, all hooks and a first look",
                &format!("{:.0} ms", ours.median),
                &format!("bpftrace: {:.0} ms", theirs.median),
                &format!("{ratio} ×"),
                "< 100 ms",
            ]);
            rows.push(["bpftrace, a script like tcplife".to_owned(), theirs.text(0), ratio]);
        }
        Err(_) => println!("there is no bpftrace to compare with"),
    }
    sheet.table("Start until everything is attached", ["", "ms", "× tracer's"], rows);
    Ok(())
}
