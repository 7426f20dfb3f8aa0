//! Connections opened and closed as fast as loopback allows, with and without tracers.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use serde_json::Value;

use super::measure::{self, Spread, mebibytes, number};
use super::partner::Partner;
use super::programs::Counting;
use super::sheet::Sheet;
use super::watcher::Watcher;
use crate::workspace;

/// What watches meanwhile.
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
    ("tracer --pid of another process", Way::OtherProcess),
    ("bpftrace, a script like tcplife", Way::Life),
];

/// What the rounds of one way gave.
#[derive(Default)]
struct Rounds {
    per_second: Vec<f64>,
    /// Of the program that opens and closes them, for each connection.
    client_us: Vec<f64>,
    /// Of the tracer itself, for each connection.
    processor_us: Vec<f64>,
    peak_bytes: u64,
    events_lost: u64,
}

/// The program that has both ends, and which address is next: each round has its own, so that no port
/// is waited for.
struct Client {
    partner: Partner,
    number: usize,
}

/// Has each way its turn in every round.
///
/// # Errors
/// If something does not start.
pub(super) fn run(sheet: &mut Sheet, connections: usize, rounds: usize) -> Result<()> {
    let mut client = Client::start()?;
    // What is slow the first time only is nobody's cost.
    client.churn(connections / 10)?;
    let mut results: [Rounds; WAYS.len()] = Default::default();
    for _ in 0..rounds {
        for ((_, way), results) in WAYS.iter().zip(&mut results) {
            round(*way, &mut client, connections, results)?;
        }
    }
    conclude(sheet, &results);
    let mut without = None;
    let mut rows = Vec::new();
    for ((name, _), rounds) in WAYS.iter().zip(&results) {
        let Ok(rate) = Spread::of(rounds.per_second.iter().copied()) else {
            println!("there is no bpftrace to compare with");
            continue;
        };
        let without = *without.get_or_insert(rate.median);
        let processor = measure::median(&rounds.processor_us);
        rows.push([
            (*name).to_owned(),
            rate.text(0),
            format!("{:.3}", rate.median / without),
            Spread::of(rounds.client_us.iter().copied())?.text(1),
            processor.map(|it| format!("{it:.2}")).unwrap_or_default(),
            if rounds.peak_bytes > 0 { mebibytes(rounds.peak_bytes) } else { String::new() },
            rounds.events_lost.to_string(),
        ]);
    }
    sheet.table(
        &format!("{connections} connections opened, accepted and closed, one after the other by one thread"),
        ["", "connections/s", "ratio", "µs of processor each", "tracer's own", "memory", "lost"],
        rows,
    );
    programs(sheet, &mut client, connections)
}

fn round(way: Way, client: &mut Client, connections: usize, results: &mut Rounds) -> Result<()> {
    let other = std::process::id().to_string();
    let watcher = match way {
        Way::Nothing => None,
        Way::Host => Some(Watcher::tracer(&[])?),
        Way::OtherProcess => Some(Watcher::tracer(&["--pid".to_owned(), other])?),
        Way::Life => match Watcher::life()? {
            None => return Ok(()),
            life => life,
        },
    };
    let Some(mut watcher) = watcher else {
        client.round(connections, results)?;
        return Ok(());
    };
    let is_ours = !matches!(way, Way::Life);
    if !is_ours {
        watcher.mute();
    }
    let before = watcher.processor_time()?;
    client.round(connections, results)?;
    let took = watcher.processor_time()?.saturating_sub(before);
    results.processor_us.push(took.as_secs_f64() * 1e6 / number(connections as u64));
    results.peak_bytes = results.peak_bytes.max(measure::peak_bytes(watcher.pid())?);
    if is_ours {
        results.events_lost += watcher.end()?["coverage"]["events_lost"].as_u64().unwrap_or(0);
    }
    Ok(())
}

/// What is taken from the rate of the same round, by tracer with the whole host in view and by
/// bpftrace. The rate itself varies by more than that.
fn conclude(sheet: &mut Sheet, results: &[Rounds; WAYS.len()]) {
    let [nothing, host, _, life] = results;
    let cost = |watched: &Rounds| {
        let rounds = nothing.per_second.iter().zip(&watched.per_second);
        Spread::of(rounds.map(|(without, with)| 100.0 * (1.0 - with / without))).ok()
    };
    let Some(ours) = cost(host) else { return };
    let theirs = cost(life).map(|it| format!("bpftrace: {} %", it.text(1)));
    sheet.conclude([
        "connections opened and closed without pause: cost of throughput",
        &format!("{} %", ours.text(1)),
        &theirs.unwrap_or_default(),
        "",
        "≤ 2 %",
    ]);
}

/// What the kernel counts of each program; once, since counting takes time of its own.
fn programs(sheet: &mut Sheet, client: &mut Client, connections: usize) -> Result<()> {
    let counting = Counting::begin()?;
    let watcher = Watcher::tracer(&[])?;
    client.churn(connections)?;
    let runs = counting.runs();
    let _: Value = watcher.end()?;
    let rows = runs.iter().map(|run| {
        [
            run.name.clone(),
            run.count.to_string(),
            format!("{:.0}", run.took.as_secs_f64() * 1e9 / number(run.count)),
            run.instructions.to_string(),
            format!("{:.2}", number(run.count) / number(connections as u64)),
        ]
    });
    sheet.table(
        "The same in the kernel, by its own count (`bpf_stats`)",
        ["program", "runs", "ns a run", "instructions", "runs a connection"],
        rows,
    );
    Ok(())
}

impl Client {
    fn start() -> Result<Self> {
        let program = workspace::target()?.join("release/examples/puppet");
        Ok(Self { partner: Partner::start(&mut Command::new(program))?, number: 0 })
    }

    fn churn(&mut self, connections: usize) -> Result<()> {
        self.number += 1;
        let (high, low) = (self.number / 250, 1 + self.number % 250);
        self.partner.ask(&format!("churn-both-ends 127.1.{high}.{low}:0 {connections}"))?;
        Ok(())
    }

    /// Measures one round.
    fn round(&mut self, connections: usize, results: &mut Rounds) -> Result<()> {
        let before = measure::processor_time(self.partner.pid())?;
        let started = Instant::now();
        self.churn(connections)?;
        let count = number(connections as u64);
        results.per_second.push(count / started.elapsed().as_secs_f64());
        let took = measure::processor_time(self.partner.pid())?.saturating_sub(before);
        results.client_us.push(took.as_secs_f64() * 1e6 / count);
        Ok(())
    }
}
