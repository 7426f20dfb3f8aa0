//! An audit of many open sockets beside `ss` and `lsof`.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::holders::{self, Holders};
use super::measure::{self, Cost, Spread, mebibytes, number};
use super::sheet::Sheet;
use crate::{command, workspace};

/// From this many sockets on, there are fewer rounds, since others take seconds for one.
const FEW_FROM: usize = 100_000;
/// So many.
const FEW: usize = 3;
/// From this many on, what others take minutes for is run once.
const ONCE_FROM: usize = 500_000;

/// The programs that take turns, and how each says whose socket a line is about.
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
    /// What makes it list every socket.
    listing: &'static [&'static str],
    /// The process that a line of that names as the owner of a connection.
    owner: fn(&str) -> Option<u32>,
}

impl Tool {
    fn command(&self, arguments: &[&str]) -> Result<Option<Command>> {
        let program = match self.name {
            "tracer audit" => Some(workspace::target()?.join("release/tracer")),
            other => command::find(other),
        };
        Ok(program.map(|program| {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }))
    }

    /// How many sockets it lists under one of these processes.
    fn listed(&self, pids: &BTreeSet<u32>) -> Result<usize> {
        let command = self.command(self.listing)?.context("it was there before")?;
        let mut command = command;
        let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let owners = text.lines().filter_map(self.owner);
        Ok(owners.filter(|pid| pids.contains(pid)).count())
    }
}

/// Holds so many sockets in so many processes, for each of `cells`, and runs the tools in turn.
///
/// # Errors
/// If the sockets cannot be opened, or a command cannot be started.
pub(super) fn run(sheet: &mut Sheet, cells: &[(usize, usize)], rounds: usize) -> Result<()> {
    let mut rows = Vec::new();
    for &(sockets, processes) in cells {
        let cell = format!("{sockets} in {processes}");
        if let Some(reason) = holders::impossible(sockets, processes) {
            let [none, rest @ ..] = ["impossible", "", "", "", "", ""].map(str::to_owned);
            let [a, b, c, d, _] = rest;
            rows.push([format!("{cell}: {none}, {reason}"), a, b, c, d, String::new()]);
            continue;
        }
        let mut holders = Holders::start(processes)?;
        holders.open(sockets)?;
        rows.extend(compare(sheet, &cell, sockets, &holders, rounds)?);
    }
    sheet.table(
        "Audit of open sockets",
        ["sockets in processes", "wall, s", "× tracer's", "processor, s", "memory", "complete"],
        rows,
    );
    Ok(())
}

/// Runs the tools in turn, so that what slows the machine down slows all of them.
fn compare(
    sheet: &mut Sheet,
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
            if let Some(mut command) = tool.command(tool.arguments)? {
                costs.push(measure::run(&mut command)?);
            }
        }
    }
    let pids: BTreeSet<u32> = holders.pids().into_iter().collect();
    conclude(sheet, cell, sockets, &costs);
    let mut ours = None;
    let mut rows = Vec::new();
    for (tool, costs) in TOOLS.iter().zip(&costs) {
        if costs.is_empty() {
            println!("there is no {} to compare with", tool.name);
            continue;
        }
        let wall = Spread::of(costs.iter().map(|it| it.wall.as_secs_f64()))?;
        let ours = *ours.get_or_insert(wall.median);
        let processor = Spread::of(costs.iter().map(|it| it.processor.as_secs_f64()))?;
        let peak = costs.iter().map(|it| it.peak_bytes).max().unwrap_or_default();
        let listed = tool.listed(&pids)?;
        rows.push([
            format!("{cell}: {}", tool.name),
            wall.text(3),
            format!("{:.1}", wall.median / ours),
            format!("{:.2}", processor.median),
            mebibytes(peak),
            format!("{:.3} %", 100.0 * fraction(listed, sockets)),
        ]);
    }
    Ok(rows)
}

/// The larger ones are worth a line of the summary, for each of the others.
fn conclude(sheet: &mut Sheet, cell: &str, sockets: usize, costs: &[Vec<Cost>; TOOLS.len()]) {
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
            format!("≥ {factor} ×")
        } else {
            "< 3 s, < 512 MiB".to_owned()
        };
        sheet.conclude([
            &format!("audit of {cell} processes"),
            &format!("{median:.2} s, {}", mebibytes(peak)),
            &format!("{}: {theirs:.1} s", tool.name),
            &format!("{:.0} ×", theirs / median),
            &wanted,
        ]);
    }
}

fn fraction(part: usize, whole: usize) -> f64 {
    let size = |it: usize| number(u64::try_from(it).unwrap_or(u64::MAX));
    size(part) / size(whole)
}
