//! An audit of many open sockets, compared with `ss` and `lsof`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::holders::{self, Holders};
use super::measure::{self, Cost, Spread, grouped, mebibytes, number};
use super::report::BenchReport;
use crate::build::Programs;
use crate::command;

/// From this many sockets on, there are fewer rounds, because ss and lsof take seconds.
const FEW_FROM: usize = 100_000;
/// The number of rounds in that case.
const FEW: usize = 3;
/// From this many on, ss and lsof run only once, because they take minutes.
const ONCE_FROM: usize = 500_000;

/// The programs that are compared.
const TOOLS: [Tool; 3] = [
    Tool {
        name: "tracer audit",
        arguments: &["audit", "--for", "0s"],
        listing: &["audit", "--for", "0s", "--all", "-o", "csv"],
        owner: |line| line.split(',').nth(4)?.parse().ok(),
    },
    Tool {
        name: "ss",
        arguments: &["-tanp"],
        listing: &["-tanp"],
        owner: |line| {
            let (_, owner) = line.strip_prefix("ESTAB")?.split_once("pid=")?;
            owner.split(',').next()?.parse().ok()
        },
    },
    Tool {
        name: "lsof",
        arguments: &["-nP", "-iTCP"],
        listing: &["-nP", "-iTCP"],
        owner: |line| {
            let of = line.ends_with("(ESTABLISHED)").then(|| line.split_whitespace().nth(1))?;
            of?.parse().ok()
        },
    },
];

struct Tool {
    name: &'static str,
    arguments: &'static [&'static str],
    /// The arguments for listing every socket.
    listing: &'static [&'static str],
    /// The process that owns the connection in a line; `None` if the line has none.
    owner: fn(&str) -> Option<u32>,
}

impl Tool {
    /// `None` if it is not installed.
    fn command(&self, tracer: &Path, arguments: &[&str]) -> Option<Command> {
        let program = match self.name {
            "tracer audit" => Some(tracer.to_owned()),
            other => command::find(other),
        };
        let mut command = Command::new(program?);
        command.args(arguments);
        Some(command)
    }

    /// How many sockets of these processes it lists.
    fn listed(&self, tracer: &Path, pids: &BTreeSet<u32>) -> Result<usize> {
        let mut command = self.command(tracer, self.listing).context("not installed")?;
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let owners = text.lines().filter_map(self.owner);
        Ok(owners.filter(|pid| pids.contains(pid)).count())
    }
}

/// For each of `cells`, opens that many sockets in that many processes, and runs the tools in turn.
///
/// # Errors
/// If the sockets cannot be opened, or a command cannot be started.
pub(super) fn run(
    programs: &Programs,
    report: &mut BenchReport,
    cells: &[(usize, usize)],
    rounds: usize,
) -> Result<()> {
    let mut rows = Vec::new();
    for &(sockets, processes) in cells {
        let cell = cell(sockets, processes);
        if let Some(reason) = holders::impossible(sockets, processes) {
            let [none, rest @ ..] = ["skipped", "", "", "", "", ""].map(str::to_owned);
            let [a, b, c, d, _] = rest;
            rows.push([format!("{cell}: {none}, {reason}"), a, b, c, d, String::new()]);
            continue;
        }
        let mut holders = Holders::start(&programs.puppet, processes)?;
        holders.open(sockets)?;
        rows.extend(compare(&programs.tracer, report, &cell, sockets, &holders, rounds)?);
    }
    report.table(
        "Audit of open sockets",
        ["", "wall, s", "× tracer's", "CPU, s", "memory", "sockets found"],
        rows,
    );
    Ok(())
}

/// Runs the tools in turn, so that other load on the host affects all of them.
fn compare(
    tracer: &Path,
    report: &mut BenchReport,
    cell: &str,
    sockets: usize,
    holders: &Holders,
    rounds: usize,
) -> Result<Vec<[String; 6]>> {
    let rounds = if sockets < FEW_FROM { rounds } else { rounds.min(FEW) };
    let mut costs: [Vec<Cost>; TOOLS.len()] = Default::default();
    for round in 0..rounds {
        for (number, (tool, costs)) in TOOLS.iter().zip(&mut costs).enumerate() {
            let is_slow = number > 0 && sockets >= ONCE_FROM;
            if is_slow && round > 0 {
                continue;
            }
            if let Some(mut command) = tool.command(tracer, tool.arguments) {
                costs.push(measure::run(&mut command)?);
            }
        }
    }
    let pids: BTreeSet<u32> = holders.pids().into_iter().collect();
    conclude(report, cell, sockets, &costs);
    let mut ours = None;
    let mut rows = Vec::new();
    for (tool, costs) in TOOLS.iter().zip(&costs) {
        if costs.is_empty() {
            println!("{} is not installed, so there is no comparison", tool.name);
            continue;
        }
        let wall = Spread::of(costs.iter().map(|it| it.wall.as_secs_f64()))?;
        let ours = *ours.get_or_insert(wall.median);
        let cpu = Spread::of(costs.iter().map(|it| it.cpu.as_secs_f64()))?;
        let peak = costs.iter().map(|it| it.peak_bytes).max().unwrap_or_default();
        let listed = tool.listed(tracer, &pids)?;
        rows.push([
            format!("{cell}: {}", tool.name),
            wall.text(3),
            format!("{:.1}", wall.median / ours),
            format!("{:.2}", cpu.median),
            mebibytes(peak),
            format!("{:.3}%", 100.0 * fraction(listed, sockets)),
        ]);
    }
    Ok(rows)
}

/// Adds a line per other tool to the summary, for the larger numbers of sockets.
fn conclude(
    report: &mut BenchReport,
    cell: &str,
    sockets: usize,
    costs: &[Vec<Cost>; TOOLS.len()],
) {
    if sockets < FEW_FROM {
        return;
    }
    let wall = |costs: &Vec<Cost>| {
        measure::median(&costs.iter().map(|it| it.wall.as_secs_f64()).collect::<Vec<_>>())
    };
    let [ours, others @ ..] = costs;
    let peak = ours.iter().map(|it| it.peak_bytes).max().unwrap_or_default();
    let Some(median) = wall(ours) else { return };
    for ((tool, costs), factor) in TOOLS[1..].iter().zip(others).zip([50, 25]) {
        let Some(theirs) = wall(costs) else { continue };
        let wanted = if sockets < ONCE_FROM {
            format!("≥ {factor}×")
        } else {
            "tracer < 3s, < 512 MiB".to_owned()
        };
        report.summarize([
            &format!("audit of {cell}"),
            &format!("{median:.2}s, {}", mebibytes(peak)),
            &format!("{} {}: {theirs:.1}s", tool.name, tool.arguments.join(" ")),
            &format!("{:.0}×", theirs / median),
            &wanted,
        ]);
    }
}

/// `100,000 sockets in 10 processes`.
fn cell(sockets: usize, processes: usize) -> String {
    let plural = if processes == 1 { "process" } else { "processes" };
    format!("{} sockets in {} {plural}", grouped(sockets), grouped(processes))
}

fn fraction(part: usize, whole: usize) -> f64 {
    let size = |it: usize| number(u64::try_from(it).unwrap_or(u64::MAX));
    size(part) / size(whole)
}
