//! An audit of many open sockets beside `ss`.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::median;
use super::partner::Partner;
use crate::{command, workspace};

/// Connections that one process holds both ends of; two descriptors each, under common limits.
const PAIRS_PER_PROCESS: usize = 4_000;
/// Connections opened before they are accepted: fewer than a listener's queue holds.
const BATCH: usize = 100;

/// Opens the sockets, runs tracer and ss in turn, and prints medians and their ratio.
///
/// # Errors
/// If ss is missing, or a command fails.
pub(super) fn run(sockets: usize, rounds: usize) -> Result<()> {
    if command::find("ss").is_none() {
        bail!("there is no ss to compare with: install the package iproute2");
    }
    let release = workspace::target()?.join("release");
    let mut holders = Vec::new();
    let mut left = sockets.div_ceil(2);
    while left > 0 {
        let pairs = left.min(PAIRS_PER_PROCESS);
        let mut holder = Partner::start(&mut Command::new(release.join("examples/puppet")))?;
        hold(&mut holder, holders.len(), pairs)?;
        holders.push(holder);
        left -= pairs;
    }
    println!("\n{sockets} sockets in {} processes", holders.len());

    let mut tracer = Command::new(release.join("tracer"));
    tracer.args(["audit", "--for", "0s"]);
    let mut ss = Command::new("ss");
    ss.arg("-tanp");
    compare(&mut tracer, &mut ss, rounds)?;

    // Every connection is suspicious, and every process is looked into for who reads.
    let mut suspicious = Command::new(release.join("tracer"));
    suspicious.args(["audit", "--for", "0s", "--idle", "1ms"]);
    compare(&mut suspicious, &mut ss, rounds)
}

/// Has a process open `pairs` connections on an address of its own, so that ports do not run out.
fn hold(holder: &mut Partner, number: usize, pairs: usize) -> Result<()> {
    let address = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
    let listener = holder.ask(&format!("listen {address}:0"))?;
    let [descriptor, port] = listener[..] else { bail!("no listener: {listener:?}") };
    let mut left = pairs;
    while left > 0 {
        let batch = left.min(BATCH);
        holder.ask(&format!("connect {address}:{port} {batch}"))?;
        holder.ask(&format!("accept {descriptor} {batch}"))?;
        left -= batch;
    }
    Ok(())
}

/// Runs the two in turn, so that what slows the machine down slows both.
fn compare(ours: &mut Command, theirs: &mut Command, rounds: usize) -> Result<()> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        our_times.push(time(ours)?);
        their_times.push(time(theirs)?);
    }
    let our_median = median(&our_times).context("there was a round")?;
    let their_median = median(&their_times).context("there was a round")?;
    println!("{}: {our_median:.2?} (median of {rounds})", command::describe(ours));
    println!("{}: {their_median:.2?}", command::describe(theirs));
    println!("ratio: {:.1}", their_median.as_secs_f64() / our_median.as_secs_f64());
    Ok(())
}

/// How long a command takes, its output thrown away. The exit code is its own affair.
fn time(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    command
        .stdout(Stdio::null())
        .status()
        .with_context(|| format!("cannot start `{}`", command::describe(command)))?;
    Ok(started.elapsed())
}
