//! `cargo xtask run`: builds tracer and execs it.

use std::convert::Infallible;
use std::env;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Error, Result, bail};
use clap::Args;

use crate::{command, privileges, workspace};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Arguments for tracer.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    tracer: Vec<OsString>,
}

/// Builds tracer and replaces this process with it, so that signals and the exit code are tracer's.
/// Returns only if that fails, with the reason.
pub(crate) fn run(arguments: &Arguments) -> Error {
    match exec_tracer(&arguments.tracer) {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

fn exec_tracer(arguments: &[OsString]) -> Result<Infallible> {
    let demo = [OsString::from("demo")];
    let arguments = if arguments.is_empty() { &demo } else { arguments };

    command::succeed(
        Command::new(workspace::cargo())
            .args(["build", "--release", "--locked", "--package", "tracer"])
            .current_dir(workspace::root()),
    )?;
    let mut tracer = Command::new(workspace::target()?.join("release/tracer"));
    tracer.args(arguments);

    let as_caller = privileges::is_root() || !needs_root(arguments);
    let mut command = if as_caller { tracer } else { through_sudo(&tracer)? };
    let error = command.exec();
    bail!("cannot start `{}`: {error}", command::describe(&command));
}

fn through_sudo(tracer: &Command) -> Result<Command> {
    if command::find("sudo").is_none() {
        bail!(
            "loading BPF programs needs root, and there is no sudo; as root, run `{}`",
            command::describe(tracer)
        );
    }
    eprintln!("xtask: running tracer through sudo because loading BPF programs needs root");
    let mut command = Command::new("sudo");
    // Passed explicitly, because sudo would remove it from the environment.
    if env::var_os("NO_COLOR").is_some() {
        command.arg("--preserve-env=NO_COLOR");
    }
    command.arg("--").arg(tracer.get_program()).args(tracer.get_args());
    Ok(command)
}

fn needs_root(arguments: &[OsString]) -> bool {
    let prints_only = ["--help", "-h", "--help-all", "--version", "-V"];
    let without_root = ["replay", "report", "diff", "help"];
    !arguments.iter().any(|argument| prints_only.iter().any(|flag| argument == flag))
        && !arguments.first().is_some_and(|first| without_root.iter().any(|name| first == name))
}

#[cfg(test)]
mod tests {
    use super::needs_root;

    #[track_caller]
    fn check(arguments: &[&str], expected: bool) {
        let arguments: Vec<_> = arguments.iter().map(Into::into).collect();
        assert_eq!(needs_root(&arguments), expected, "{arguments:?}");
    }

    #[test]
    fn root_only_where_bpf_programs_are_loaded() {
        check(&["demo"], true);
        check(&["--pid", "4711"], true);
        check(&["audit", "--csv", "replay"], true);
        check(&["replay", "run.trace"], false);
        check(&["report", "run.trace"], false);
        check(&["diff", "before.json", "after.json"], false);
        check(&["help", "audit"], false);
        check(&["audit", "--help"], false);
        check(&["-V"], false);
    }
}
