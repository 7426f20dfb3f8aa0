//! `cargo xtask fuzz`: every parser of bytes from outside, each for a bounded time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::ebpf::toolchain::NIGHTLY;
use crate::tally::Tally;
use crate::{command, step, workspace};

/// The version that `cargo xtask setup` installs.
pub(crate) const VERSION: &str = "0.13.2";

/// How long each parser is tried in a test run: long enough to go through the seeds and around
/// them.
pub(crate) const BRIEFLY: Arguments = Arguments { seconds: 3, only: None };

/// Most memory of a target. Where the program takes more for what somebody else wrote, that is
/// found.
const MEMORY_MIB: u32 = 2_048;
/// One input that takes so long is found, too. Nothing that is well takes a hundredth of it.
const INPUT_SECONDS: u32 = 60;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How long to try each parser.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    seconds: u32,
    /// Only parsers with this in their name.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Builds the targets and runs one after the other; each is one check.
///
/// # Errors
/// If the targets or the workspace's build directory cannot be found, or none is meant.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let mut names = names()?;
    names.retain(|name| arguments.only.as_ref().is_none_or(|only| name.contains(only)));
    if names.is_empty() {
        bail!("no parser has that in its name: fuzz/fuzz_targets has one file for each");
    }
    if let Err(lack) = check_tools() {
        println!("skipped {} parsers: {lack:#}", names.len());
        return Ok(Tally { skipped: names.len() as u64, ..Tally::default() });
    }
    let one = if let [name] = &names[..] { Some(name.as_str()) } else { None };
    if let Err(error) = command::succeed(cargo_fuzz("build")?.args(one)) {
        return Ok(step::checked(Err(error)));
    }
    let mut tally = Tally::default();
    for name in &names {
        tally += match fuzz(name, arguments.seconds) {
            Ok(how) => {
                println!("{name}: {how}");
                Tally::PASSED
            }
            Err(error) => step::checked(Err(error)),
        };
    }
    Ok(tally)
}

/// The targets: one file each.
fn names() -> Result<Vec<String>> {
    let directory = directory().join("fuzz_targets");
    let entries = fs::read_dir(&directory)
        .with_context(|| format!("cannot read {}", directory.display()))?
        .flatten()
        .map(|entry| entry.path());
    let mut names: Vec<String> =
        entries.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

fn directory() -> PathBuf {
    workspace::root().join("fuzz")
}

/// What fuzzing needs beside what everything else does.
fn check_tools() -> Result<()> {
    if !command::succeeds(&mut nightly("rustc", &["--version"])) {
        bail!("rustup has no {NIGHTLY}; `cargo xtask setup` installs it");
    }
    if !is_installed() {
        bail!("no cargo-fuzz; `cargo xtask setup` installs it");
    }
    if !command::succeeds(Command::new("c++").arg("--version")) {
        bail!("no C++ compiler, which libFuzzer is built with: apt-get install g++");
    }
    Ok(())
}

/// Whether cargo-fuzz can be run.
pub(crate) fn is_installed() -> bool {
    command::succeeds(&mut nightly("cargo", &["fuzz", "--version"]))
}

fn nightly(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", NIGHTLY, program]).args(arguments);
    // Looking for a toolchain must not install it, and what cargo says of the one that runs us is
    // not meant for this one.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    for variable in ["CARGO", "RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    // The targets embed the committed object, whatever the caller was trying out.
    command.env_remove("TRACER_BPF_OBJECT");
    command
}

fn cargo_fuzz(what: &str) -> Result<Command> {
    let mut command = nightly("cargo", &["fuzz", what, "--fuzz-dir"]);
    command.arg(directory()).arg("--target-dir").arg(workspace::target()?.join("fuzz"));
    command.current_dir(workspace::root());
    Ok(command)
}

/// Runs one target, and says how much it did.
///
/// # Errors
/// What it found, which is in a file by then, or why it could not run.
fn fuzz(name: &str, seconds: u32) -> Result<String> {
    // What was found to lead somewhere new is kept for the next time, but not committed.
    let corpus = workspace::target()?.join("fuzz-corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let mut command = cargo_fuzz("run")?;
    command.arg(name).arg(&corpus).arg(seeds(name)).arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg(format!("-timeout={INPUT_SECONDS}"));
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command::describe(&command)))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{said}");
        bail!(
            "{name} found something: mend it, and keep the file that it names in {}",
            seeds(name).display()
        );
    }
    let done = said.lines().rev().find_map(|line| line.strip_prefix("Done "));
    done.map(str::to_owned).with_context(|| format!("{name} did not say that it ran"))
}

fn seeds(name: &str) -> PathBuf {
    let path = Path::new("seeds").join(name);
    directory().join(path)
}
