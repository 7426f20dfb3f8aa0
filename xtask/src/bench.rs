//! `cargo xtask bench`: an audit of many open sockets beside `ss`, in one run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{command, privileges, workspace};

/// Connections that one process holds both ends of; two descriptors each, under common limits.
const PAIRS_PER_PROCESS: usize = 4_000;
/// Connections opened before they are accepted: fewer than a listener's queue holds.
const BATCH: usize = 100;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How many sockets to hold open.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    sockets: usize,
    /// How often to run each command.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

/// Opens the sockets, runs tracer and ss in turn, and prints medians and their ratio.
///
/// # Errors
/// If it is not run as root, ss is missing, or a command fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !privileges::is_root() {
        bail!("the benchmark loads kernel programs: run it as root");
    }
    if command::find("ss").is_none() {
        bail!("there is no ss to compare with: install the package iproute2");
    }
    build()?;
    let release = workspace::target()?.join("release");
    let mut holders = Vec::new();
    let mut left = arguments.sockets.div_ceil(2);
    while left > 0 {
        let pairs = left.min(PAIRS_PER_PROCESS);
        let mut holder = Holder::start(&release.join("examples/puppet"))?;
        holder.hold(holders.len(), pairs)?;
        holders.push(holder);
        left -= pairs;
    }
    println!("{} sockets in {} processes", arguments.sockets, holders.len());

    let mut tracer = Command::new(release.join("tracer"));
    tracer.args(["audit", "--for", "0s"]);
    let mut ss = Command::new("ss");
    ss.arg("-tanp");
    compare(&mut tracer, &mut ss, arguments.rounds)?;

    // Every connection is suspicious, and every process is looked into for who reads.
    let mut suspicious = Command::new(release.join("tracer"));
    suspicious.args(["audit", "--for", "0s", "--idle", "1ms"]);
    compare(&mut suspicious, &mut ss, arguments.rounds)
}

fn build() -> Result<()> {
    command::succeed(
        Command::new(workspace::cargo())
            .args(["build", "--release", "--locked", "--package", "tracer"])
            .args(["--bin", "tracer", "--example", "puppet"])
            .current_dir(workspace::root()),
    )
}

/// Runs the two in turn, so that what slows the machine down slows both.
fn compare(ours: &mut Command, theirs: &mut Command, rounds: usize) -> Result<()> {
    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        our_times.push(time(ours)?);
        their_times.push(time(theirs)?);
    }
    let (our_median, their_median) = (median(&mut our_times), median(&mut their_times));
    println!("{}: {our_median:.2?} (median of {})", command::describe(ours), our_times.len());
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

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A process that holds both ends of many connections. It ends with this.
struct Holder {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Holder {
    fn start(program: &std::path::Path) -> Result<Self> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let commands = child.stdin.take().context("it is piped")?;
        let answers = BufReader::new(child.stdout.take().context("it is piped")?);
        Ok(Self { child, commands, answers })
    }

    /// Opens `pairs` connections on an address of its own, so that ports do not run out.
    fn hold(&mut self, number: usize, pairs: usize) -> Result<()> {
        let address = format!("127.0.{}.{}", 1 + number / 250, 1 + number % 250);
        let listener = self.ask(&format!("listen {address}:0"))?;
        let [descriptor, port] = listener[..] else { bail!("no listener: {listener:?}") };
        let mut left = pairs;
        while left > 0 {
            let batch = left.min(BATCH);
            self.ask(&format!("connect {address}:{port} {batch}"))?;
            self.ask(&format!("accept {descriptor} {batch}"))?;
            left -= batch;
        }
        Ok(())
    }

    fn ask(&mut self, command: &str) -> Result<Vec<u32>> {
        writeln!(self.commands, "{command}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let numbers = answer.trim().strip_prefix("ok");
        let numbers = numbers.with_context(|| format!("`{command}`: {}", answer.trim()))?;
        let parse = |word: &str| word.parse().with_context(|| format!("`{command}`: {answer}"));
        numbers.split_whitespace().map(parse).collect()
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // It is gone already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
