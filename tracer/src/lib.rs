//! Finds leaked TCP connections on a live host and identifies the process and code that leaked
//! them.
//!
//! This is the program; `main.rs` only calls [`main`]. It is a library so that fuzz targets and tests
//! can call its parsers.

mod cli;
pub mod collect;
pub mod commands;
mod compare;
mod environment;
mod files;
pub mod output;
mod program;
pub mod recording;
pub mod wall_clock;

#[cfg(test)]
mod tests;

use std::{env, error::Error, io, process::ExitCode};

use anyhow::Result;
use clap::error::ErrorKind;

use cli::{Cli, Command};
use collect::plan::Plan;
use commands::{demo, diff, doctor, inspect, packaging, replay, report, watch};
use environment::Environment;
use output::exit_code;

/// Runs the command that the arguments select. An error is one line on standard error.
pub fn main() -> ExitCode {
    ignore_file_size_signal();
    program::called_as(env::args_os().next().as_deref());
    let cli = match Cli::of_process(program::name()) {
        Ok(cli) => cli,
        Err(error) => return show_usage_error(&error),
    };
    match run(cli, Environment::of_process()) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            print_on_stderr(&error_line(&error));
            ExitCode::from(exit_code::FAILED)
        }
    }
}

fn run(cli: Cli, environment: Environment) -> Result<u8> {
    let attach_family = cli.attach_family;
    let with_mechanism = |plan| Plan { attach_family, ..plan };
    let watch =
        |(plan, output), environment| watch::run(&with_mechanism(plan), output, environment);
    match cli.command {
        None => watch(cli.watch.live(), environment),
        Some(Command::Audit(options)) => watch(options.audit(), environment),
        Some(Command::Record(record)) => watch(record.live(), environment),
        Some(Command::Replay(replay)) => replay::run(&replay, environment.output),
        Some(Command::Report(arguments)) => report::run(&arguments, &environment.output),
        Some(Command::Diff(arguments)) => diff::run(&arguments, &environment.output),
        Some(Command::Doctor(arguments)) => {
            doctor::run(arguments.output, attach_family, &environment.output)
        }
        Some(Command::Demo(demo)) => demo::run(&demo, attach_family, environment),
        Some(Command::Packaging { directory }) => packaging::write(&directory),
        Some(Command::LaunchInspection { verbose }) => inspect::launch(verbose),
        Some(Command::Inspect { verbose }) => inspect::work(verbose),
        Some(Command::DemoServer) => demo::run_server(),
        Some(Command::DemoClient { server }) => demo::run_client(server),
    }
}

/// An error with its causes and what to do about it, in one line.
fn error_line(error: &anyhow::Error) -> String {
    format!("{error:#}{}", remedy(error))
}

/// What to do about an error that may occur in any command.
fn remedy(error: &anyhow::Error) -> &'static str {
    let number = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error)
    };
    match error.chain().find_map(number) {
        Some(libc::EMFILE) => "; raise the limit of open files (ulimit -n 1024)",
        _ => "",
    }
}

/// Ignores `SIGXFSZ`, so that a write beyond the file size limit (`ulimit -f`) returns an error, as
/// it does on a full disk.
fn ignore_file_size_signal() {
    // SAFETY: no other thread runs yet, SIG_IGN installs no handler function, and nothing else in
    // the program changes the action of this signal.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Prints a usage error as one line, or the help or version text that was requested.
fn show_usage_error(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // A closed pipe is not an error.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    print_on_stderr(&usage_line(error));
    ExitCode::from(exit_code::FAILED)
}

/// A usage error as one line.
fn usage_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let endings = ["Usage:", "For more information", "tip:"];
    let lines = text.lines().map(str::trim);
    let lines = lines.take_while(|line| !endings.iter().any(|ending| line.starts_with(ending)));
    let message: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let message = message.join(" ");
    format!("{}; see {} --help", message.trim_start_matches("error: "), program::name())
}

/// Prints a line that is neither a result nor a log message.
#[expect(clippy::print_stderr, reason = "the only place that prints on standard error")]
fn print_on_stderr(line: &str) {
    eprintln!("tracer: {line}");
}
