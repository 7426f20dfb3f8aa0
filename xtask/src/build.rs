//! Building programs with cargo, and finding them in its output.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::{command, workspace};

/// The profile of [`for_system_tests`], in the workspace's Cargo.toml.
const SYSTEM_TESTS: &str = "system-tests";

/// Features that compile the tests that need root.
pub(crate) const ROOT_TESTS: &str = "tracer/root-tests,tracer-inspect/root-tests";

/// The architecture for which [`for_system_tests`] builds static programs.
const STATIC_TARGET: &str = "x86_64-unknown-linux-gnu";

/// The architecture for which [`musl_tests`] builds.
const MUSL_TARGET: &str = "x86_64-unknown-linux-musl";

/// The kind of a target, in cargo's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Bench,
    Bin,
    Example,
    Lib,
    Test,
}

/// A program that cargo has built.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    /// The directory of its package.
    pub(crate) package: PathBuf,
    /// Name of the target; a library's unit tests have the same name.
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it was built with `cfg(test)`.
    pub(crate) is_test: bool,
    pub(crate) path: PathBuf,
}

/// The tracer, and a program of its tests that opens and holds connections on command.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) tracer: PathBuf,
    pub(crate) puppet: PathBuf,
}

/// What [`for_system_tests`] builds.
#[derive(Clone, Debug)]
pub(crate) struct SystemTests {
    pub(crate) programs: Programs,
    /// The tracer's unit tests, some of which load BPF programs.
    pub(crate) unit_tests: PathBuf,
    pub(crate) end_to_end: PathBuf,
}

/// Builds the programs as users get them.
///
/// # Errors
/// If they do not build.
pub(crate) fn release() -> Result<Programs> {
    let arguments = ["build", "--release", "--package", "tracer", "--bin", "tracer"];
    Programs::find(&executables(cargo(&arguments).args(["--example", "puppet"]))?)
}

/// Builds the programs and their tests so that they are fast and require only a kernel from the
/// host: for virtual machines, the corpus and the short benchmark of a test run.
///
/// # Errors
/// If they do not build.
pub(crate) fn for_system_tests() -> Result<SystemTests> {
    let tests = ["test", "--no-run", "--lib", "--test", "end_to_end"];
    // `cargo test --example` would build the example with a test harness in place of its `main`.
    let programs = ["build", "--bin", "tracer", "--example", "puppet"];
    let built = executables(&mut system_test_cargo(&tests))?;
    Ok(SystemTests {
        programs: Programs::find(&executables(&mut system_test_cargo(&programs))?)?,
        unit_tests: find(&built, Kind::Lib, "tracer", true)?,
        end_to_end: find(&built, Kind::Test, "end_to_end", true)?,
    })
}

/// Cargo with the settings that all builds of [`for_system_tests`] share, so that dependencies are
/// built once.
fn system_test_cargo(arguments: &[&str]) -> Command {
    let mut cargo = cargo(arguments);
    cargo.args(["--package", "tracer", "--profile", SYSTEM_TESTS, "--features", "root-tests"]);
    if cfg!(target_arch = "x86_64") {
        cargo.args(["--target", STATIC_TARGET]);
        cargo.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    }
    cargo
}

/// Builds the tracer with musl as its C library, and the end-to-end tests that run it. Returns the
/// tests.
///
/// # Errors
/// If they do not build.
pub(crate) fn musl_tests() -> Result<Executable> {
    let musl_cargo = |arguments: &[&str]| {
        let mut cargo = cargo(arguments);
        cargo.args(["--package", "tracer", "--target", MUSL_TARGET]);
        cargo.args(["--features", "root-tests"]);
        executables(&mut cargo)
    };
    musl_cargo(&["build", "--bin", "tracer", "--example", "puppet"])?;
    let built = musl_cargo(&["test", "--no-run", "--test", "end_to_end"])?;
    let tests = built.into_iter().find(|it| it.kind == Kind::Test);
    tests.context("cargo did not build the end-to-end tests")
}

/// Checks that musl can be built for.
///
/// # Errors
/// It cannot, with the fix.
pub(crate) fn check_musl() -> Result<()> {
    if !cfg!(target_arch = "x86_64") {
        bail!("{MUSL_TARGET} is another architecture");
    }
    check_target(MUSL_TARGET)
}

/// Checks that there is a standard library for this target.
///
/// # Errors
/// There is none, with the fix.
pub(crate) fn check_target(target: &str) -> Result<()> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut directory = Command::new(rustc);
    directory.args(["--print=target-libdir", "--target", target]);
    if !command::output(&mut directory).is_ok_and(|directory| Path::new(&directory).is_dir()) {
        bail!("no standard library; `rustup target add {target}` installs it");
    }
    Ok(())
}

impl Programs {
    fn find(built: &[Executable]) -> Result<Self> {
        let puppet = find(built, Kind::Example, "puppet", false)?;
        Ok(Self {
            tracer: find(built, Kind::Bin, "tracer", false)?,
            // Cargo reports a name with a hash; the end-to-end tests use the name without.
            puppet: puppet.with_file_name("puppet"),
        })
    }
}

/// `cargo` with these arguments, always for the committed BPF object, even if the caller uses
/// another one.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(workspace::cargo());
    command
        .args(arguments)
        .arg("--locked")
        .current_dir(workspace::root())
        .env_remove("TRACER_BPF_OBJECT");
    command
}

/// Runs a cargo command and returns the programs that it built or found up to date.
///
/// # Errors
/// If something does not build.
pub(crate) fn executables(cargo: &mut Command) -> Result<Vec<Executable>> {
    cargo.arg("--message-format=json-render-diagnostics").stdout(Stdio::piped());
    let child = cargo.spawn().context("cannot start cargo")?;
    let output = child.wait_with_output().context("cannot wait for cargo")?;
    if !output.status.success() {
        bail!("`{}` failed ({})", command::describe(cargo), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(parse).collect())
}

/// The program of this name.
///
/// # Errors
/// If it was not built.
pub(crate) fn find(built: &[Executable], kind: Kind, name: &str, is_test: bool) -> Result<PathBuf> {
    let is_it = |it: &&Executable| it.kind == kind && it.name == name && it.is_test == is_test;
    let found = built.iter().find(is_it);
    Ok(found.with_context(|| format!("cargo did not build `{name}`"))?.path.clone())
}

/// Reads a line of cargo's output; `None` if it does not report a program.
fn parse(line: &str) -> Option<Executable> {
    #[derive(Deserialize)]
    struct Message {
        manifest_path: PathBuf,
        target: Target,
        profile: Profile,
        executable: PathBuf,
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
    let message: Message = serde_json::from_str(line).ok()?;
    let kind = match message.target.kind.first()?.as_str() {
        "bench" => Kind::Bench,
        "bin" => Kind::Bin,
        "example" => Kind::Example,
        "lib" => Kind::Lib,
        "test" => Kind::Test,
        _ => return None,
    };
    Some(Executable {
        package: message.manifest_path.parent().map(Path::to_path_buf)?,
        name: message.target.name,
        kind,
        is_test: message.profile.test,
        path: message.executable,
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, parse};

    #[test]
    fn reads_what_cargo_reports_of_a_program() {
        let line = r#"{"reason":"compiler-artifact","package_id":"x","manifest_path":"/w/tracer/Cargo.toml","target":{"kind":["test"],"crate_types":["bin"],"name":"end_to_end"},"profile":{"opt_level":"0","test":true},"features":[],"filenames":["/w/target/debug/deps/e"],"executable":"/w/target/debug/deps/e","fresh":false}"#;
        let executable = parse(line).unwrap();
        assert_eq!(executable.name, "end_to_end");
        assert_eq!(executable.kind, Kind::Test);
        assert!(executable.is_test);
        assert_eq!(executable.package.to_str(), Some("/w/tracer"));
        assert_eq!(executable.path.to_str(), Some("/w/target/debug/deps/e"));
    }

    #[test]
    fn libraries_and_other_messages_are_no_programs() {
        let library = r#"{"reason":"compiler-artifact","manifest_path":"/w/Cargo.toml","target":{"kind":["lib"],"name":"x"},"profile":{"test":false},"executable":null}"#;
        assert!(parse(library).is_none());
        assert!(parse(r#"{"reason":"build-finished","success":true}"#).is_none());
        assert!(parse("warning: unused").is_none());
    }
}
