//! `cargo xtask fuzz`: fuzzes every parser of untrusted bytes for a limited time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::ebpf::toolchain::NIGHTLY;
use crate::tally::Tally;
use crate::{command, parallel, step, workspace};

/// The version of cargo-fuzz that `cargo xtask setup` installs.
pub(crate) const VERSION: &str = "0.13.2";

/// Long enough for the seeds and a little more.
pub(crate) const BRIEFLY: Arguments = Arguments { seconds: 3, only: None };

/// The default of `cargo xtask fuzz`.
pub(crate) const A_MINUTE: Arguments = Arguments { seconds: 60, only: None };

/// Number of parsers fuzzed at the same time; each keeps one CPU busy.
const AT_A_TIME: usize = 2;

/// Memory limit of a target, in MiB: mostly the sanitizer's. What a parser may allocate for an input
/// is less, see `fuzz/src/allocation.rs`.
const MEMORY_MIB: u32 = 1_024;

/// Limit of a single allocation, in MiB.
const ALLOCATION_MIB: u32 = 64;

/// Time limit for one input, in seconds. A healthy parser takes less than a hundredth of it.
const INPUT_SECONDS: u32 = 10;

#[derive(Args)]
pub(crate) struct Arguments {
    /// How long to fuzz each parser.
    #[arg(long, value_name = "SECONDS", default_value_t = A_MINUTE.seconds)]
    seconds: u32,
    /// Only parsers whose name contains this.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
}

/// Builds the targets and runs them; each is one check.
///
/// # Errors
/// If the targets or the workspace's build directory cannot be found, or no name matches.
pub(crate) fn run(arguments: &Arguments) -> Result<Tally> {
    let mut names = names()?;
    names.retain(|name| arguments.only.as_ref().is_none_or(|only| name.contains(only)));
    if names.is_empty() {
        bail!("no parser's name contains that; fuzz/fuzz_targets has one file for each");
    }
    if let Err(missing) = check_tools() {
        println!("skipped {} parsers: {missing:#}", names.len());
        return Ok(Tally { skipped: names.len() as u64, ..Tally::default() });
    }
    let only_one = if let [name] = &names[..] { Some(name.as_str()) } else { None };
    if let Err(error) = command::succeed(cargo_fuzz("build")?.args(only_one)) {
        return Ok(step::checked(Err(error)));
    }
    let results = parallel::map(&names, AT_A_TIME, |name| fuzz(name, arguments.seconds));
    let tallies = names.iter().zip(results).map(|(name, result)| match result {
        Ok(statistics) => {
            println!("{name}: {statistics}");
            Tally::PASSED
        }
        Err(error) => step::checked(Err(error)),
    });
    Ok(tallies.sum())
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

/// Checks for tools that only fuzzing requires.
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
    // Rustup must not install a toolchain just because it is asked whether one exists.
    command.env("RUSTUP_AUTO_INSTALL", "0");
    // Variables that cargo has set for this program are not meant for the nightly cargo.
    for variable in ["CARGO", "RUSTC", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    // The targets embed the committed object, even if the caller uses another one.
    command.env_remove("TRACER_BPF_OBJECT");
    command
}

fn cargo_fuzz(subcommand: &str) -> Result<Command> {
    let mut command = nightly("cargo", &["fuzz", subcommand, "--fuzz-dir"]);
    command.arg(directory()).arg("--target-dir").arg(workspace::target()?.join("fuzz"));
    command.current_dir(workspace::root());
    Ok(command)
}

/// Runs one target, and returns libFuzzer's line about what it did.
///
/// # Errors
/// What it found, which it has written to a file, or why it could not run.
fn fuzz(name: &str, seconds: u32) -> Result<String> {
    // Inputs that reach new code are kept for the next run, but not committed.
    let corpus = workspace::target()?.join("fuzz-corpus").join(name);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot create {}", corpus.display()))?;
    let mut command = cargo_fuzz("run")?;
    command.arg(name).arg(&corpus).arg(seeds(name)).arg("--");
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB}")).arg(format!("-timeout={INPUT_SECONDS}"));
    command.arg(format!("-malloc_limit_mb={ALLOCATION_MIB}"));
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start `{}`", command::describe(&command)))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{errors}");
        bail!(
            "{name} found something: fix it, and keep the file that it names in {}",
            seeds(name).display()
        );
    }
    let done = errors.lines().rev().find_map(|line| line.strip_prefix("Done "));
    done.map(str::to_owned).with_context(|| format!("{name} did not report that it ran"))
}

fn seeds(name: &str) -> PathBuf {
    let path = Path::new("seeds").join(name);
    directory().join(path)
}
