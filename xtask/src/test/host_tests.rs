//! The tests that run on this host: those that need no root, and those that load BPF programs.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::libtest;
use crate::build::{self, Executable, Kind};
use crate::privileges::Access;
use crate::tally::Tally;
use crate::{command, go, step, workspace};

/// Number of end-to-end tests at a time: more than there are CPUs, because they mostly wait.
const END_TO_END_THREADS: &str = "--test-threads=8";

/// Number of root tests of a library at a time.
const UNIT_THREADS: &str = "--test-threads=4";

/// The modules of root tests in the libraries.
const ROOT_TESTS: &str = "::as_root::";

/// Runs the tests that require no root: unit, property, golden and documentation tests of every
/// crate.
pub(super) fn run_without_root() -> Tally {
    let built = match build(None) {
        Ok(built) => built,
        Err(error) => return step::checked(Err(error)),
    };
    let mut tally = Tally::default();
    for tests in built.iter().filter(|it| is_test(it)) {
        let mut command = command_for(tests);
        match root_tests(tests) {
            RootTests::All => continue,
            RootTests::Some => command.args(["--skip", ROOT_TESTS]),
            RootTests::None => &mut command,
        };
        tally += libtest::run(&mut command);
    }
    tally += libtest::run(&mut build::cargo(&["test", "--doc", "--features", build::ROOT_TESTS]));
    tally
}

/// Runs the tests that load BPF programs, or skips them and shows why. `object` replaces the
/// committed BPF object.
pub(super) fn run_as_root(access: Result<Access, &str>, object: Option<&Path>) -> Tally {
    let built = match build(object) {
        Ok(built) => built,
        Err(error) => return step::checked(Err(error)),
    };
    let mut tally = Tally::default();
    for tests in &built {
        let mut command = command_for(tests);
        match root_tests(tests) {
            RootTests::All => command.arg(END_TO_END_THREADS),
            RootTests::Some => command.args([UNIT_THREADS, ROOT_TESTS]),
            RootTests::None => continue,
        };
        tally += match access {
            Ok(access) => libtest::run(&mut as_root(command, access)),
            Err(reason) => skipped(command.arg("--list"), reason),
        };
    }
    tally
}

/// The end-to-end tests in which a worker makes every kind of system call that it needs.
const INSPECTIONS: [&str; 4] = ["call_sites::", "hostile::", "inspections::", "leaks::"];

/// Runs the tests of inspections with a tracer that was built with musl, whose C library makes other
/// system calls than that of glibc.
pub(super) fn run_with_musl(access: Access) -> Tally {
    if let Err(missing) = build::check_musl() {
        return step::skipped(&format!("{missing:#}"));
    }
    let tests = match build::musl_tests() {
        Ok(tests) => tests,
        Err(error) => return step::checked(Err(error)),
    };
    let mut command = command_for(&tests);
    command.arg(END_TO_END_THREADS).args(INSPECTIONS);
    libtest::run(&mut as_root(command, access))
}

/// Builds all tests, and the programs that they run. `object` replaces the committed BPF object.
///
/// # Errors
/// If something does not build.
pub(super) fn build(object: Option<&Path>) -> Result<Vec<Executable>> {
    let mut cargo = build::cargo(&["test", "--no-run", "--features", build::ROOT_TESTS]);
    if let Some(object) = object {
        cargo.env("TRACER_BPF_OBJECT", object);
    }
    build::executables(&mut cargo)
}

/// Whether `cargo test` runs this target. Of a benchmark, it runs each measurement once.
fn is_test(executable: &Executable) -> bool {
    executable.is_test || executable.kind == Kind::Bench
}

/// Which tests of a program need root.
enum RootTests {
    None,
    /// Those in modules named [`ROOT_TESTS`].
    Some,
    All,
}

fn root_tests(tests: &Executable) -> RootTests {
    match (tests.kind, tests.name.as_str()) {
        (Kind::Test, "end_to_end") => RootTests::All,
        (Kind::Lib, "tracer" | "tracer_inspect") if tests.is_test => RootTests::Some,
        _ => RootTests::None,
    }
}

/// The command that `cargo test` runs.
fn command_for(tests: &Executable) -> Command {
    let mut command = Command::new(&tests.path);
    command
        .current_dir(&tests.package)
        .env("CARGO", workspace::cargo())
        .env("CARGO_MANIFEST_DIR", &tests.package);
    if let Ok(cache) = go::cache() {
        command.env("GOCACHE", cache);
    }
    command
}

/// The build ran as the caller; only the tests run as root.
fn as_root(tests: Command, access: Access) -> Command {
    if access == Access::Direct {
        return tests;
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "-E", "--"]).arg(tests.get_program()).args(tests.get_args());
    sudo.envs(tests.get_envs().filter_map(|(name, value)| Some((name, value?))));
    if let Some(directory) = tests.get_current_dir() {
        sudo.current_dir(directory);
    }
    sudo
}

/// Counts the tests that a program lists.
fn skipped(list: &mut Command, reason: &str) -> Tally {
    let listed = match command::output(list) {
        Ok(listed) => listed,
        Err(error) => return step::checked(Err(error)),
    };
    let skipped = listed.lines().filter(|line| line.ends_with(": test")).count() as u64;
    println!("skipped {skipped} tests: {reason}");
    Tally { skipped, ..Tally::default() }
}
