//! Go programs of the tests: one cache for all builds.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{command, workspace};

/// The ways in which tests build programs: arguments of `go build`, and `CGO_ENABLED`. The standard
/// library is compiled separately for each of them.
const FORMS: [(&[&str], &str); 5] = [
    (&[], "0"),
    (&["-trimpath"], "0"),
    (&["-buildmode=pie"], "0"),
    (&["-ldflags=-linkmode=external"], "1"),
    (&["-buildmode=pie", "-ldflags=-linkmode=external"], "1"),
];

/// Where Go keeps compiled packages, for `GOCACHE`.
///
/// # Errors
/// If the workspace's build directory cannot be found.
pub(crate) fn cache() -> Result<PathBuf> {
    Ok(workspace::target()?.join("go-cache"))
}

/// Compiles the standard library in every form, if Go is installed. Tests that run at the same time
/// would otherwise each compile it.
///
/// # Errors
/// If a program of the tests does not build.
pub(crate) fn fill_cache() -> Result<()> {
    let Some(go) = command::find("go") else {
        println!("Go is not installed; tests that build Go programs need it");
        return Ok(());
    };
    let source = workspace::root().join("tracer/tests/go/ledger");
    for (arguments, cgo) in FORMS {
        let mut build = Command::new(&go);
        build.env("GOCACHE", cache()?).env("CGO_ENABLED", cgo).env_remove("GOROOT");
        build.envs([("GO111MODULE", "off"), ("GOFLAGS", ""), ("GOTOOLCHAIN", "local")]);
        build.args(["build", "-o", "/dev/null"]).args(arguments).current_dir(&source);
        command::succeed(&mut build)?;
    }
    Ok(())
}
