//! Builds the Go programs of the tests, in every form and with every requested version of Go.
//!
//! `TRACER_TEST_GO` names a `go` other than the one in PATH, and `TRACER_TEST_GOS` further versions
//! for the tests that compare versions, as paths separated by colons.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

/// A way to build a program.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [&'static str],
    /// The linker's options.
    pub(crate) linking: &'static str,
    /// The information that is stripped.
    pub(crate) stripping: &'static str,
}

const fn form(
    name: &'static str,
    arguments: &'static [&'static str],
    linking: &'static str,
    stripping: &'static str,
) -> Form {
    Form { name, arguments, linking, stripping }
}

pub(crate) const PLAIN: Form = form("plain", &[], "", "");
pub(crate) const STRIPPED: Form = form("stripped", &["-trimpath"], "", "-s -w");
pub(crate) const FORMS: [Form; 5] = [
    PLAIN,
    STRIPPED,
    form("position-independent", &["-buildmode=pie"], "", "-s -w"),
    form("external", &[], "-linkmode=external", "-s -w"),
    form("external-position-independent", &["-buildmode=pie"], "-linkmode=external", "-s -w"),
];

/// The `go` that most tests use.
pub(crate) fn go() -> PathBuf {
    env::var_os("TRACER_TEST_GO").unwrap_or_else(|| "go".into()).into()
}

/// All toolchains to test.
pub(crate) fn toolchains() -> Vec<PathBuf> {
    let more = env::var_os("TRACER_TEST_GOS").unwrap_or_default();
    if more.is_empty() {
        println!("versions of Go other than that of the path are skipped: set TRACER_TEST_GOS");
    }
    let more = env::split_paths(&more).filter(|path| !path.as_os_str().is_empty());
    [go()].into_iter().chain(more).collect()
}

/// Builds the program, or another source.
pub(crate) fn build_with(
    go: &Path,
    directory: &Path,
    form: Form,
    source: &Path,
    environment: &[(&str, &str)],
) -> PathBuf {
    let program = directory.join(form.name);
    let is_external = form.linking.contains("external");
    let status = Command::new(go)
        .env("GO111MODULE", "off")
        .env("GOFLAGS", "")
        .env("GOTOOLCHAIN", "local")
        .env_remove("GOROOT")
        .env("CGO_ENABLED", if is_external { "1" } else { "0" })
        .envs(environment.iter().copied())
        .args(["build", "-o"])
        .arg(&program)
        .args(form.arguments)
        .arg(format!("-ldflags={} {}", form.linking, form.stripping))
        .arg(source)
        .status()
        .expect("go is needed: apt-get install golang-go");
    assert!(status.success(), "{form:?}");
    program
}
