//! `cargo xtask setup`: installs the tools for `cargo xtask ebpf` and `cargo xtask fuzz`. Each
//! command is shown first.

use std::process::Command;

use anyhow::{Context, Result};

use crate::ebpf::{linker, toolchain};
use crate::{command, fuzz, privileges, workspace};

/// Installs the compiler and the linker for BPF programs, and cargo-fuzz, if they are missing.
///
/// # Errors
/// If the compiler or the linker cannot be installed. Without cargo-fuzz, fuzzing is skipped.
pub(crate) fn run() -> Result<()> {
    match toolchain::find_compiler() {
        Ok(compiler) => println!("already there: {} ({})", compiler.name, compiler.version),
        Err(_) => install_compiler()?,
    }
    match linker::find() {
        Ok(_) => println!("already there: {}", linker::NAME_AND_VERSION),
        Err(_) => install_linker()?,
    }
    let compiler = toolchain::find_compiler().context("still missing")?;
    linker::find().context("still missing")?;
    println!("`cargo xtask ebpf` will build with {}", compiler.name);
    if fuzz::is_installed() {
        println!("already there: cargo-fuzz");
    } else if let Err(error) = install_fuzz() {
        println!("{error:#}; fuzzing is skipped without it");
    }
    Ok(())
}

fn install_compiler() -> Result<()> {
    let Err(refusal) = install_nightly() else { return Ok(()) };
    println!("{refusal:#}; falling back to Debian's packages");
    install_debian_packages().context(
        "neither rustup nor apt-get could install a compiler for BPF programs; \
         check the network",
    )
}

fn install_nightly() -> Result<()> {
    let nightly = ["toolchain", "install", toolchain::NIGHTLY, "--profile", "minimal"];
    // The sources of the standard library, and clippy for `cargo xtask lint`. Rustup itself is not
    // updated.
    let components = ["--component", "rust-src", "--component", "clippy", "--no-self-update"];
    command::announce(Command::new("rustup").args(nightly).args(components))
}

fn install_debian_packages() -> Result<()> {
    let packages = ["rustc-web", "rust-web-src"];
    command::announce(as_root("apt-get").arg("update"))?;
    command::announce(
        as_root("apt-get").args(["install", "-y", "--no-install-recommends"]).args(packages),
    )
}

fn install_linker() -> Result<()> {
    let linker = ["bpf-linker", "--version", linker::VERSION, "--locked"];
    command::announce(Command::new(workspace::cargo()).arg("install").args(linker))
}

fn install_fuzz() -> Result<()> {
    let cargo_fuzz = ["cargo-fuzz", "--version", fuzz::VERSION, "--locked"];
    command::announce(Command::new(workspace::cargo()).arg("install").args(cargo_fuzz))
}

/// A command that runs as root, through sudo if necessary.
pub(crate) fn as_root(program: &str) -> Command {
    if privileges::is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg(program);
    command
}
