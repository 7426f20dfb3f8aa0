//! `cargo xtask lint`: formatting, clippy in user space and for the BPF programs, and cargo-deny.

use std::process::Command;

use anyhow::Result;

use crate::ebpf::build;
use crate::ebpf::toolchain::{self, Toolchain};
use crate::tally::Tally;
use crate::{command, step, workspace};

/// An architecture for which the code is checked, but not run.
const OTHER: &str = "aarch64-unknown-linux-gnu";

/// Runs the lints whose tools are installed.
///
/// # Errors
/// If the workspace's build directory cannot be found.
pub(crate) fn run() -> Result<Tally> {
    let mut tally = formatting();
    tally += user_side();
    tally += other_architecture();
    tally += kernel_side()?;
    tally += dependencies();
    Ok(tally)
}

fn formatting() -> Tally {
    step::heading("formatting");
    if !installed("fmt") {
        return step::skipped("no rustfmt; `rustup component add rustfmt` installs it");
    }
    step::checked(command::succeed(cargo("fmt").args(["--all", "--check"])))
}

fn user_side() -> Tally {
    step::heading("clippy, user space");
    if !installed("clippy") {
        return step::skipped("no clippy; `rustup component add clippy` installs it");
    }
    let mut clippy = cargo("clippy");
    clippy.args(["--all-targets", "--locked", "--", "--deny", "warnings"]);
    step::checked(command::succeed(&mut clippy))
}

/// Checks only user space: the BPF object is the same for both architectures.
fn other_architecture() -> Tally {
    step::heading("clippy, user space, for aarch64");
    if !installed("clippy") {
        return step::skipped("no clippy; `rustup component add clippy` installs it");
    }
    if let Err(missing) = crate::build::check_target(OTHER) {
        return step::skipped(&format!("{missing:#}"));
    }
    let mut clippy = cargo("clippy");
    clippy.args(["--package", "tracer", "--package", "tracer-inspect", "--all-targets"]);
    clippy.args(["--locked", "--target", OTHER]);
    step::checked(command::succeed(clippy.args(["--", "--deny", "warnings"])))
}

fn kernel_side() -> Result<Tally> {
    step::heading("clippy, BPF programs");
    let toolchain = match toolchain::find() {
        Ok(toolchain) => toolchain,
        Err(missing) => return Ok(step::skipped(&format!("{missing:#}"))),
    };
    let mut version = build::cargo(&toolchain, "clippy")?;
    if !command::succeeds(version.arg("--version")) {
        return Ok(step::skipped(&without_clippy(&toolchain)));
    }
    let mut clippy = build::cargo(&toolchain, "clippy")?;
    clippy.args(["--locked", "--", "--deny", "warnings"]);
    Ok(step::checked(command::succeed(&mut clippy)))
}

fn without_clippy(toolchain: &Toolchain) -> String {
    match toolchain.rustup_name {
        Some(name) => {
            format!("no clippy; `rustup component add clippy --toolchain {name}` installs it")
        }
        None => format!("{} has no clippy", toolchain.name),
    }
}

fn dependencies() -> Tally {
    step::heading("licenses and sources of dependencies");
    if !installed("deny") {
        return step::skipped("no cargo-deny; `cargo install cargo-deny --locked` installs it");
    }
    // Excludes advisories, which change without a change in this repository.
    step::checked(command::succeed(cargo("deny").args(["check", "bans", "licenses", "sources"])))
}

fn installed(subcommand: &str) -> bool {
    command::succeeds(cargo(subcommand).arg("--version"))
}

fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(workspace::cargo());
    command.arg(subcommand).current_dir(workspace::root());
    command
}
