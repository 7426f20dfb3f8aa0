//! Build, test and housekeeping commands: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "these commands talk to a terminal")]

mod bench;
mod ci;
mod command;
mod corpus;
mod dist;
mod ebpf;
mod fuzz;
mod lint;
mod privileges;
mod python;
mod run;
mod setup;
mod step;
mod tally;
mod test;
mod vm;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Build, test and housekeeping commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct CommandLine {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Build tracer and run it, through sudo where it needs root; without arguments, its demo.
    #[command(disable_help_flag = true)]
    Run(run::Arguments),
    /// Run every test that this host allows; the last line is the summary.
    Test(test::Arguments),
    /// Check formatting, lints, and licences of dependencies.
    Lint,
    /// Lint and test, with one summary.
    Ci(test::Arguments),
    /// Rebuild the committed kernel object from tracer-ebpf, or check that it is up to date.
    Ebpf(ebpf::Arguments),
    /// Measure what the tool costs, beside other tools and beside nothing.
    Bench(bench::Arguments),
    /// Run real programs, leaking and healthy, and compare what tracer says of them with their labels.
    Corpus(corpus::Arguments),
    /// Build the release with its manual pages and shell completions, as one archive.
    Dist,
    /// Run the tests on other kernels, in virtual machines.
    VmTest(vm::Arguments),
    /// Try every parser of bytes from outside with bytes that nobody would write.
    Fuzz(fuzz::Arguments),
    /// Install what `cargo xtask ebpf` and `fuzz` need, and nothing that is already there.
    Setup,
}

fn main() -> ExitCode {
    match perform(CommandLine::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            // 1 means that tests failed, or that tracer found a leak; this is neither.
            ExitCode::from(2)
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    match task {
        Task::Run(arguments) => Err(run::run(&arguments)),
        Task::Test(arguments) => test::run(&arguments).map(step::conclude),
        Task::Lint => lint::run().map(step::conclude_lints),
        Task::Ci(arguments) => ci::run(&arguments).map(step::conclude),
        Task::Ebpf(arguments) => ebpf::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Bench(arguments) => bench::run(&arguments).map(|()| ExitCode::SUCCESS),
        Task::Corpus(arguments) => corpus::run(&arguments),
        Task::Dist => dist::run().map(|()| ExitCode::SUCCESS),
        Task::VmTest(arguments) => vm::run(&arguments).map(step::conclude),
        Task::Fuzz(arguments) => fuzz::run(&arguments).map(step::conclude),
        Task::Setup => setup::run().map(|()| ExitCode::SUCCESS),
    }
}
