//! Finds leaked TCP connections on a live host and names who leaked them.
//!
//! This is the program; `main.rs` only calls [`main`]. It is a library so that fuzzing and tests can
//! call its parsers.

mod cli;
pub mod collect;
pub mod commands;
mod compare;
mod files;
pub mod output;
pub mod recording;
pub mod wall_clock;

use std::{error::Error, io, process::ExitCode};

use anyhow::Result;
use clap::{Parser as _, error::ErrorKind};

use cli::{Cli, Command};
use collect::plan::Plan;
use commands::{demo, diff, doctor, packaging, replay, report, watch};
use output::exit_code;

/// Does what the arguments say. What went wrong is one line on standard error.
pub fn main() -> ExitCode {
    ignore_file_size_signal();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain_usage(&error),
    };
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            complain(&format!("{error:#}{}", remedy(&error)));
            ExitCode::from(exit_code::FAILED)
        }
    }
}

fn run(cli: Cli) -> Result<u8> {
    let mechanism = cli.mechanism;
    let watch = |(plan, output)| watch::run(&Plan { mechanism, ..plan }, output);
    match cli.command {
        None => watch(cli.watch.live()),
        Some(Command::Audit(watched)) => watch(watched.audit()),
        Some(Command::Record(record)) => watch(record.live()),
        Some(Command::Replay(replay)) => replay::run(&replay),
        Some(Command::Report(arguments)) => report::run(&arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(arguments.output, mechanism),
        Some(Command::Demo(demo)) => demo::run(&demo, mechanism),
        Some(Command::Packaging { directory }) => packaging::write(&directory),
        Some(Command::DemoServer) => demo::run_server(),
        Some(Command::DemoClient { server }) => demo::run_client(server),
    }
}

/// What to do about an error that may come from anywhere.
fn remedy(error: &anyhow::Error) -> &'static str {
    let number = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error)
    };
    match error.chain().find_map(number) {
        Some(libc::EMFILE) => "; raise the limit of open files: ulimit -n 64",
        _ => "",
    }
}

/// A file at its size limit (`ulimit -f`) is an error of the write, as a full disk is.
fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN runs no code of ours, and nothing else sets this signal's action.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Bad usage is one line that says what is wrong; help and version are what they are.
fn explain_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Whoever asked for help and does not read it has not failed.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    let ends = ["Usage:", "For more information", "tip:"];
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|line| !ends.iter().any(|end| line.starts_with(end)));
    let what: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let what = what.join(" ");
    complain(&format!("{}; see tracer --help", what.trim_start_matches("error: ")));
    ExitCode::from(exit_code::FAILED)
}

#[expect(clippy::print_stderr, reason = "the one place where an error becomes a line")]
fn complain(line: &str) {
    eprintln!("tracer: {line}");
}
