//! Ctrl-C in a run that has uprobes in many Go programs: the time until the summary is printed,
//! until `tracer` is gone, and until the kernel has removed the uprobes.

mod code;

use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::helper::Helper;
use super::measure::Spread;
use super::report::BenchReport;
use super::requests;
use crate::build::Programs;
use code::Code;

/// How long attaching or removing all uprobes may take, at 120ms each.
const DEADLINE: Duration = Duration::from_mins(5);
/// How often the code of the programs is compared.
const CHECK: Duration = Duration::from_millis(500);

/// The times after one Ctrl-C, in seconds.
struct Ended {
    /// Until the last output on standard output, which is the summary.
    summary_s: f64,
    /// Until the process has exited.
    gone_s: f64,
    /// Until no program has a uprobe any more.
    removed_s: f64,
    /// Number of uprobes in all programs.
    uprobes: usize,
}

/// Starts this many Go programs, and follows them all once per round.
///
/// # Errors
/// If a program does not start, or does not get uprobes.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    count: usize,
    rounds: usize,
) -> Result<()> {
    let Some(go) = requests::go() else {
        report.text("Ctrl-C was not measured, because Go is missing: apt-get install golang-go");
        return Ok(());
    };
    let client = requests::build(&go)?;
    let clients = (0..count).map(|_| start(&client)).collect::<Result<Vec<_>>>()?;
    let codes: Vec<Code> = clients.iter().map(|it| Code::of(it.pid())).collect::<Result<_>>()?;
    let ended = (0..rounds).map(|_| interrupted(&programs.tracer, &codes));
    let ended = ended.collect::<Result<Vec<Ended>>>()?;
    let spread = |of: fn(&Ended) -> f64| Spread::of(ended.iter().map(of));
    let [summary, gone, removed] =
        [spread(|it| it.summary_s)?, spread(|it| it.gone_s)?, spread(|it| it.removed_s)?];
    let name = format!("Ctrl-C, uprobes in {count} Go programs");
    report.summarize([
        &format!("{name}: until tracer is gone"),
        &format!("{:.2}s", gone.median),
        "",
        "",
        "≤ 1s",
    ]);
    let uprobes = ended.iter().map(|it| it.uprobes).max().unwrap_or_default();
    report.table(
        &format!("{name} ({uprobes} uprobes)"),
        ["", "s"],
        [
            ["until the summary is printed".to_owned(), summary.text(2)],
            ["until tracer is gone".to_owned(), gone.text(2)],
            ["until the kernel has removed the uprobes".to_owned(), removed.text(1)],
        ],
    );
    Ok(())
}

fn start(program: &Path) -> Result<Helper> {
    let mut client = Helper::start(&mut Command::new(program))?;
    if client.line()? != "ready" {
        bail!("{} does not start", program.display());
    }
    Ok(client)
}

/// Follows the programs, and ends that as Ctrl-C does.
fn interrupted(tracer: &Path, codes: &[Code]) -> Result<Ended> {
    let pids: Vec<String> = codes.iter().map(|code| code.pid().to_string()).collect();
    let child = Command::new(tracer)
        .args(["--pid", &pids.join(",")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut tracer = Killed(child.with_context(|| format!("cannot start {}", tracer.display()))?);
    let mut output = tracer.0.stdout.take().context("no pipe")?;
    // When the latest output was read.
    let reader = thread::spawn(move || {
        let (mut buffer, mut latest) = ([0; 4 << 10], Instant::now());
        while output.read(&mut buffer).is_ok_and(|length| length > 0) {
            latest = Instant::now();
        }
        latest
    });
    let uprobes = wait(codes, |uprobes| uprobes.iter().all(|count| *count > 0))?;

    let pid = i32::try_from(tracer.0.id()).ok().and_then(Pid::from_raw).context("no pid")?;
    let interrupted = Instant::now();
    kill_process(pid, Signal::INT)?;
    tracer.0.wait()?;
    let gone = interrupted.elapsed();
    let printed = reader.join().map_err(|_| anyhow!("reading failed"))?;
    let summary = printed.checked_duration_since(interrupted).context("there was no summary")?;
    wait(codes, |uprobes| uprobes.iter().all(|count| *count == 0))?;
    Ok(Ended {
        summary_s: summary.as_secs_f64(),
        gone_s: gone.as_secs_f64(),
        removed_s: interrupted.elapsed().as_secs_f64(),
        uprobes: uprobes.iter().sum(),
    })
}

/// Waits until the numbers of uprobes in the programs fulfill a condition, and returns them.
fn wait(codes: &[Code], condition: impl Fn(&[usize]) -> bool) -> Result<Vec<usize>> {
    let started = Instant::now();
    loop {
        let uprobes = codes.iter().map(Code::changes).collect::<Result<Vec<usize>>>()?;
        if condition(&uprobes) {
            return Ok(uprobes);
        }
        if started.elapsed() > DEADLINE {
            bail!("after {DEADLINE:?}, the programs have these numbers of uprobes: {uprobes:?}");
        }
        thread::sleep(CHECK);
    }
}

/// A process that is killed when this is dropped.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
