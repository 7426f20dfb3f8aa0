//! Build, test and housekeeping commands: `cargo xtask --help`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "these commands talk to a terminal")]

mod bench;
mod build;
mod ci;
mod command;
mod corpus;
mod dist;
mod ebpf;
mod extent;
mod figures;
mod fuzz;
mod go;
mod lint;
mod parallel;
mod privileges;
mod python;
mod run;
mod setup;
mod step;
mod tally;
mod test;
mod vm;
mod workspace;
mod zoo;

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
    /// Build tracer and run it, through sudo if it needs root; without arguments, run its demo.
    #[command(disable_help_flag = true)]
    Run(run::Arguments),
    /// Run the tests that this host allows; the last line is the summary.
    Test(test::Arguments),
    /// Check formatting, lints, and the licenses of dependencies.
    Lint,
    /// Lint and test, with one summary.
    Ci(test::Arguments),
    /// Rebuild the committed BPF object from its sources, or check that it is up to date.
    Ebpf(ebpf::Arguments),
    /// Measure the cost of tracer, compared with other tools and with no tool.
    Bench(bench::Arguments),
    /// Run real programs that leak or are healthy, and compare tracer's reports with their labels.
    Corpus(corpus::Arguments),
    /// Run healthy software and leaking twins of it, and check which of them tracer reports.
    Zoo(zoo::Arguments),
    /// Build an archive with the release, its manual pages and shell completions.
    Dist,
    /// Run the tests in virtual machines with other kernels.
    VmTest(vm::Arguments),
    /// Fuzz every parser of untrusted bytes.
    Fuzz(fuzz::Arguments),
    /// Install the tools for `cargo xtask ebpf` and `cargo xtask fuzz`, if they are missing.
    Setup,
}

fn main() -> ExitCode {
    match perform(CommandLine::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            // 1 means that tests failed, or that tracer found a leak.
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
        Task::Zoo(arguments) => zoo::run(&arguments),
        Task::Dist => dist::run().map(|()| ExitCode::SUCCESS),
        Task::VmTest(arguments) => vm::run(&arguments).map(step::conclude),
        Task::Fuzz(arguments) => fuzz::run(&arguments).map(step::conclude),
        Task::Setup => setup::run().map(|()| ExitCode::SUCCESS),
    }
}
