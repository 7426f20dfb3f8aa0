//! Connections opened and closed as fast as loopback allows, with and without a tracer.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use super::helper::Helper;
use super::measure::{self, Spread, grouped, mebibytes, number};
use super::programs::Counting;
use super::report::BenchReport;
use super::tracing::Tracing;
use crate::build::Programs;

/// The tracer that runs during the measurement.
#[derive(Clone, Copy)]
enum Way {
    Nothing,
    Host,
    OtherProcess,
    Life,
}

const WAYS: [(&str, Way); 4] = [
    ("no tracer", Way::Nothing),
    ("tracer, the whole host", Way::Host),
    ("tracer --pid, another process", Way::OtherProcess),
    ("bpftrace, a script like tcplife", Way::Life),
];

/// The measurements of all rounds.
#[derive(Default)]
struct Rounds {
    per_second: Vec<f64>,
    /// CPU time per connection, of the program that opens and closes them.
    client_us: Vec<f64>,
    /// CPU time per connection, of the tracer.
    cpu_us: Vec<f64>,
    peak_bytes: u64,
    events_lost: u64,
}

/// The program that holds both ends of the connections. Each round uses an address of its own, so
/// that no port is still in TIME_WAIT.
struct Client {
    helper: Helper,
    number: usize,
}

/// Measures with each tracer in turn, in every round.
///
/// # Errors
/// If something does not start.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    connections: usize,
    rounds: usize,
) -> Result<()> {
    let mut client = Client::start(&programs.puppet)?;
    // The first run is slower with any tracer.
    client.churn(connections / 10)?;
    let mut results: [Rounds; WAYS.len()] = Default::default();
    for _ in 0..rounds {
        for ((_, way), results) in WAYS.iter().zip(&mut results) {
            round(*way, &programs.tracer, &mut client, connections, results)?;
        }
    }
    conclude(report, &results);
    let mut without = None;
    let mut rows = Vec::new();
    for ((name, _), rounds) in WAYS.iter().zip(&results) {
        let Ok(rate) = Spread::of(rounds.per_second.iter().copied()) else {
            println!("bpftrace is not installed, so there is no comparison");
            continue;
        };
        let without = *without.get_or_insert(rate.median);
        let cpu = measure::median(&rounds.cpu_us);
        rows.push([
            (*name).to_owned(),
            rate.text(0),
            format!("{:.3}", rate.median / without),
            Spread::of(rounds.client_us.iter().copied())?.text(1),
            cpu.map(|it| format!("{it:.2}")).unwrap_or_default(),
            if rounds.peak_bytes > 0 { mebibytes(rounds.peak_bytes) } else { String::new() },
            rounds.events_lost.to_string(),
        ]);
    }
    report.table(
        &format!(
            "{} connections opened, accepted and closed, one after the other by one thread",
            grouped(connections)
        ),
        [
            "",
            "connections/s",
            "ratio",
            "CPU µs per connection",
            "of which tracer",
            "memory",
            "lost",
        ],
        rows,
    );
    kernel_programs(&programs.tracer, report, &mut client, connections)
}

fn round(
    way: Way,
    program: &Path,
    client: &mut Client,
    connections: usize,
    results: &mut Rounds,
) -> Result<()> {
    let other = std::process::id().to_string();
    let tracer = match way {
        Way::Nothing => None,
        Way::Host => Some(Tracing::tracer(program, &[])?),
        Way::OtherProcess => Some(Tracing::tracer(program, &["--pid".to_owned(), other])?),
        Way::Life => match Tracing::life()? {
            None => return Ok(()),
            life => life,
        },
    };
    let Some(mut tracer) = tracer else {
        client.round(connections, results)?;
        return Ok(());
    };
    let is_ours = !matches!(way, Way::Life);
    if !is_ours {
        tracer.mute();
    }
    let before = tracer.cpu_time()?;
    client.round(connections, results)?;
    let took = tracer.cpu_time()?.saturating_sub(before);
    results.cpu_us.push(took.as_secs_f64() * 1e6 / number(connections as u64));
    results.peak_bytes = results.peak_bytes.max(measure::peak_bytes(tracer.pid())?);
    if is_ours {
        results.events_lost += tracer.end()?["coverage"]["events_lost"].as_u64().unwrap_or(0);
    }
    Ok(())
}

/// The loss of throughput against the same round without a tracer, for tracer on the whole host and
/// for bpftrace. Both are measured in the same round because throughput varies more than that
/// between rounds.
fn conclude(report: &mut BenchReport, results: &[Rounds; WAYS.len()]) {
    let [nothing, host, _, life] = results;
    let cost = |watched: &Rounds| {
        let rounds = nothing.per_second.iter().zip(&watched.per_second);
        Spread::of(rounds.map(|(without, with)| 100.0 * (1.0 - with / without))).ok()
    };
    let Some(ours) = cost(host) else { return };
    let theirs = cost(life).map(|it| format!("bpftrace: {}%", it.text(1)));
    report.summarize([
        "connections opened and closed without pause: loss of throughput",
        &format!("{}%", ours.text(1)),
        &theirs.unwrap_or_default(),
        "",
        "≤ 2%",
    ]);
}

/// The kernel's statistics of each BPF program, in a separate run because they take time.
fn kernel_programs(
    program: &Path,
    report: &mut BenchReport,
    client: &mut Client,
    connections: usize,
) -> Result<()> {
    let counting = Counting::begin()?;
    let tracer = Tracing::tracer(program, &[])?;
    client.churn(connections)?;
    let runs = counting.runs();
    let _: Value = tracer.end()?;
    let rows = runs.iter().map(|run| {
        [
            run.name.clone(),
            grouped(usize::try_from(run.count).unwrap_or(usize::MAX)),
            format!("{:.0}", run.took.as_secs_f64() * 1e9 / number(run.count)),
            run.instructions.to_string(),
            format!("{:.2}", number(run.count) / number(connections as u64)),
        ]
    });
    report.table(
        "CPU time of the BPF programs in this test, from the kernel's statistics (`bpf_stats`)",
        ["program", "runs", "ns per run", "instructions", "runs per connection"],
        rows,
    );
    Ok(())
}

impl Client {
    fn start(puppet: &Path) -> Result<Self> {
        Ok(Self { helper: Helper::start(&mut Command::new(puppet))?, number: 0 })
    }

    fn churn(&mut self, connections: usize) -> Result<()> {
        self.number += 1;
        let (high, low) = (self.number / 250, 1 + self.number % 250);
        self.helper.ask(&format!("churn-both-ends 127.1.{high}.{low}:0 {connections}"))?;
        Ok(())
    }

    /// Measures a round.
    fn round(&mut self, connections: usize, results: &mut Rounds) -> Result<()> {
        let before = measure::cpu_time(self.helper.pid())?;
        let started = Instant::now();
        self.churn(connections)?;
        let count = number(connections as u64);
        results.per_second.push(count / started.elapsed().as_secs_f64());
        let took = measure::cpu_time(self.helper.pid())?.saturating_sub(before);
        results.client_us.push(took.as_secs_f64() * 1e6 / count);
        Ok(())
    }
}
