//! Finds leaked TCP connections on a live host and names who leaked them.
//!
//! This is the program; `main.rs` only calls [`main`]. It is a library so that fuzzing can call its
//! parsers.

mod append;
mod assemble;
mod cli;
mod clock;
mod demo;
mod demo_peers;
mod diff;
mod doctor;
mod exit_code;
mod family;
mod file_key;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod go;
mod history;
mod incident;
mod judge;
mod ledger;
mod mappings;
mod observer;
mod outlet;
mod pace;
mod packaging;
mod processes;
mod readers;
mod recording;
mod replace;
mod replay;
mod scope;
mod session;
mod sink;
mod socket_link;
mod source;
mod symbols;
mod wall_clock;

use std::{env, error::Error, io, process::ExitCode};

use anyhow::{Context as _, Result};
use clap::{Parser as _, error::ErrorKind};

use cli::{Cli, Command, Form, Plan};
use outlet::Outlet;
use recording::Head;
use wall_clock::WallClock;

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
    match cli.command {
        None => {
            let (plan, form) = cli.watch.live();
            watch(&Plan { rung: cli.rung, ..plan }, form)
        }
        Some(Command::Audit(watched)) => {
            let (plan, form) = watched.audit();
            watch(&Plan { rung: cli.rung, ..plan }, form)
        }
        Some(Command::Record(record)) => {
            let (plan, form) = record.live();
            watch(&Plan { rung: cli.rung, ..plan }, form)
        }
        Some(Command::Replay(replay)) => {
            start_logging(replay.form().verbose);
            replay::run(&replay)
        }
        Some(Command::Report(arguments)) => incident::run(&arguments),
        Some(Command::Diff(arguments)) => diff::run(&arguments),
        Some(Command::Doctor(arguments)) => doctor::run(&arguments, cli.rung),
        Some(Command::Demo(demo)) => demo::run(&demo, cli.rung),
        Some(Command::Packaging { directory }) => {
            packaging::write(&directory)?;
            Ok(exit_code::CLEAN)
        }
        Some(Command::DemoServer) => {
            demo::be_called(c"demo-server");
            demo_peers::run_server()?;
            Ok(exit_code::CLEAN)
        }
        Some(Command::DemoClient { server }) => {
            demo::be_called(c"demo-client");
            demo_peers::run_client(server)?;
            Ok(exit_code::CLEAN)
        }
    }
}

/// Watches until the plan's end and gives the exit code.
fn watch(plan: &Plan, form: Form) -> Result<u8> {
    start_logging(plan.verbose);
    let (host, kernel) = processes::host().context("cannot read /proc: is it mounted?")?;
    let clock = WallClock::now();
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let tape = form.tape.clone().map(|tape| {
        let head = Head {
            segment: 0,
            version: version.clone(),
            host: host.clone(),
            kernel: kernel.clone(),
            anchor: clock.into(),
            options: plan.options,
            fail_on: plan.fail_on,
            arguments: env::args_os().skip(1).map(|it| it.to_string_lossy().into()).collect(),
        };
        (tape, head)
    });
    let outlet = Outlet::open(form, sink::Context { version, host, kernel, clock })?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    let report = runtime.block_on(session::run(plan, outlet, tape))?;
    Ok(exit_code::of(&report, plan.fail_on))
}

/// Diagnostics go to standard error: errors always, the rest with `-v`.
fn start_logging(verbose: bool) {
    let level = if verbose { log::LevelFilter::Debug } else { log::LevelFilter::Error };
    env_logger::Builder::new().filter_module("tracer", level).format_timestamp_millis().init();
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
