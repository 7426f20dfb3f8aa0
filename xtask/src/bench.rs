//! `cargo xtask bench`: what the tool costs, beside something to compare it with and in one run.

mod audit;
mod ledger;
mod partner;

use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use crate::{command, privileges, workspace};

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// An audit of many open sockets, beside ss.
    Audit,
    /// Requests of a Go client with its responses followed, beside the same without.
    Ledger,
}

#[derive(Args)]
pub(crate) struct Arguments {
    /// What to measure [default: everything].
    #[arg(value_enum)]
    parts: Vec<Part>,
    /// How many sockets to hold open.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    sockets: usize,
    /// How long each round of requests is, in seconds.
    #[arg(long, value_name = "N", default_value_t = 3)]
    seconds: u64,
    /// How many connections to make requests on.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,
    /// How often to run each command.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
}

/// Measures, and prints medians and their ratios.
///
/// # Errors
/// If it is not run as root, something to compare with is missing, or a command fails.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if !privileges::is_root() {
        bail!("the benchmark loads kernel programs: run it as root");
    }
    build()?;
    let parts = if arguments.parts.is_empty() { Part::value_variants() } else { &arguments.parts };
    for part in parts {
        match part {
            Part::Audit => audit::run(arguments.sockets, arguments.rounds.max(1))?,
            Part::Ledger => ledger::run(
                arguments.connections,
                Duration::from_secs(arguments.seconds.max(1)),
                arguments.rounds.max(1),
            )?,
        }
    }
    Ok(())
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

/// The middle one; of an even number, the larger of the two.
fn median<T: Copy + PartialOrd>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    sorted.get(sorted.len() / 2).copied()
}
