//! `cargo xtask bench`: what the tool costs, beside something to compare it with and in one run.

mod audit;
mod burst;
mod churn;
mod holders;
mod idle;
mod measure;
mod partner;
mod programs;
mod requests;
mod sheet;
mod start;
mod watcher;

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::privileges::{self, Access};
use crate::tally::Tally;
use crate::{command, step, workspace};
use sheet::Sheet;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An audit of many open sockets, beside ss and lsof.
    Audit,
    /// From the start until everything is attached, beside bpftrace.
    Start,
    /// Connections opened and closed as fast as possible, and the programs in the kernel.
    Churn,
    /// Requests of a Go client on kept-alive connections, with its responses followed and without.
    Requests,
    /// Many connections opened at once and held.
    Burst,
    /// Many connections on which nothing happens.
    Idle,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure [default: everything].
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// Little of everything, in a minute: whether it still runs, and not how fast.
    #[arg(long)]
    short: bool,
    /// How often each is measured, in turn [default: 5, with --short 1].
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,
    /// Audit so many sockets in ten processes, instead of several numbers in several.
    #[arg(long, value_name = "N")]
    sockets: Option<usize>,
    /// Write the results to docs/benchmark.md, and what they come to into README.md. Takes half an
    /// hour, nearly all of it for ss and a million sockets.
    #[arg(long, conflicts_with_all = ["parts", "short", "sockets"])]
    write: bool,
}

/// How much of everything.
struct Size<'a> {
    rounds: usize,
    /// Sockets, and the processes that hold them.
    audits: &'a [(usize, usize)],
    churn: usize,
    request_connections: usize,
    requests: Duration,
    burst: (usize, usize),
    idle: (usize, Duration),
}

const WHOLE: Size<'_> = Size {
    rounds: 5,
    audits: &[
        (1_000, 1),
        (1_000, 10),
        (1_000, 100),
        (10_000, 1),
        (10_000, 10),
        (10_000, 100),
        (10_000, 1_000),
        (100_000, 1),
        (100_000, 10),
        (100_000, 100),
        (100_000, 1_000),
        (1_000_000, 1),
        (1_000_000, 10),
        // In 1,000 it would take minutes more, and tell little that 100,000 do not.
        (1_000_000, 100),
    ],
    churn: 20_000,
    request_connections: 8,
    requests: Duration::from_secs(3),
    burst: (100_000, 10),
    idle: (10_000, Duration::from_mins(1)),
};

const SHORT: Size<'_> = Size {
    rounds: 1,
    audits: &[(1_000, 1), (1_000, 10)],
    churn: 2_000,
    request_connections: 8,
    requests: Duration::from_millis(500),
    burst: (2_000, 2),
    idle: (1_000, Duration::from_secs(3)),
};

/// Measures, and prints medians, spreads and ratios.
///
/// # Errors
/// If it is not run as root, something to compare with is missing, or a command fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !privileges::is_root() {
        bail!("the benchmark loads kernel programs: run it as root");
    }
    build()?;
    let cell = arguments.sockets.map(|sockets| [(sockets, 10)]);
    let size = if arguments.short { SHORT } else { WHOLE };
    let size = Size { audits: cell.as_ref().map_or(size.audits, |cell| cell), ..size };
    let rounds = arguments.rounds.unwrap_or(size.rounds).max(1);
    let parts = if arguments.parts.is_empty() { Part::value_variants() } else { &arguments.parts };
    let mut sheet = Sheet::new();
    for part in parts {
        measure(*part, &mut sheet, &size, rounds)?;
    }
    println!("\n{}", sheet.summary().trim_end());
    if arguments.write {
        let root = workspace::root();
        sheet.save(&root.join("docs/benchmark.md"), &root.join("README.md"))?;
    }
    Ok(())
}

/// The short form, so that it does not rot: whether everything runs.
pub(crate) fn short(access: Access) -> Tally {
    if access != Access::Direct {
        return step::skipped("the benchmark is run as root only");
    }
    let arguments =
        Arguments { parts: Vec::new(), short: true, rounds: None, sockets: None, write: false };
    step::checked(run(&arguments))
}

fn measure(part: Part, sheet: &mut Sheet, size: &Size<'_>, rounds: usize) -> Result<()> {
    match part {
        Part::Audit => audit::run(sheet, size.audits, rounds),
        Part::Start => start::run(sheet, rounds),
        Part::Churn => churn::run(sheet, size.churn, rounds),
        Part::Requests => requests::run(sheet, size.request_connections, size.requests, rounds),
        Part::Burst => burst::run(sheet, size.burst.0, size.burst.1),
        Part::Idle => idle::run(sheet, size.idle.0, size.idle.1),
    }
}

fn build() -> Result<()> {
    command::succeed(
        Command::new(workspace::cargo())
            .args(["build", "--release", "--locked", "--package", "tracer"])
            .args(["--bin", "tracer", "--example", "puppet"])
            .current_dir(workspace::root())
            // It is about the committed object, whatever the caller was trying out.
            .env_remove("TRACER_BPF_OBJECT"),
    )
}
