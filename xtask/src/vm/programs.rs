//! The tests and what they run, built so that they need nothing of the machine but its kernel.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::workspace;

/// The only one that the kernels are fetched for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Where the programs are; in the machine they have the same paths, for the tests know those.
pub(super) struct Programs {
    /// The tracer.
    pub(super) tracer: PathBuf,
    /// Its own tests.
    pub(super) unit_tests: PathBuf,
    /// Those of the program as a whole.
    pub(super) end_to_end: PathBuf,
    /// The other end of their connections.
    pub(super) puppet: PathBuf,
}

impl Programs {
    /// All of them.
    pub(super) fn paths(&self) -> [&PathBuf; 4] {
        [&self.tracer, &self.unit_tests, &self.end_to_end, &self.puppet]
    }
}

/// A line of cargo's about something that it has built.
#[derive(Deserialize)]
struct Message {
    target: Option<Target>,
    profile: Option<Profile>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds them.
///
/// # Errors
/// They do not build.
pub(super) fn build() -> Result<Programs> {
    let programs = cargo(&["build", "--bins", "--examples"])?;
    let tests = cargo(&["test", "--no-run", "--tests"])?;
    Ok(Programs {
        tracer: find(&programs, ("bin", "tracer"), false)?,
        unit_tests: find(&tests, ("lib", "tracer"), true)?,
        end_to_end: find(&tests, ("test", "end_to_end"), true)?,
        // Cargo tells of the name with a hash, and the tests look for the other.
        puppet: find(&programs, ("example", "puppet"), false)?.with_file_name("puppet"),
    })
}

/// Runs cargo, and gives what it has built.
fn cargo(arguments: &[&str]) -> Result<Vec<Message>> {
    let mut cargo = Command::new(workspace::cargo());
    cargo
        .args(arguments)
        .args(["--locked", "--package", "tracer", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace::root())
        .env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static")
        // What is unpacked into memory should be small, and nobody debugs in there. Emulated, the
        // type information of a kernel takes unoptimised code a minute to read.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_PROFILE_DEV_OPT_LEVEL", "2")
        .env("CARGO_PROFILE_DEV_INCREMENTAL", "false")
        .env_remove("TRACER_BPF_OBJECT")
        .stdout(Stdio::piped());
    let child = cargo.spawn().context("cannot start cargo")?;
    let output = child.wait_with_output().context("cannot wait for cargo")?;
    if !output.status.success() {
        bail!("the tests do not build ({})", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn find(built: &[Message], (kind, name): (&str, &str), is_test: bool) -> Result<PathBuf> {
    let found = built.iter().find_map(|message| {
        let is_named =
            |target: &Target| target.name == name && target.kind.iter().any(|it| it == kind);
        let is_it = message.target.as_ref().is_some_and(is_named)
            && message.profile.as_ref().is_some_and(|profile| profile.test == is_test);
        message.executable.clone().filter(|_| is_it)
    });
    found.with_context(|| format!("cargo has not built `{name}`"))
}
