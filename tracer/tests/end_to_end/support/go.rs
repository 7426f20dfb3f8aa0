use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

/// A Go toolchain.
#[derive(Debug)]
pub(crate) struct Go(OsString);

/// How a Go program is built: which information about functions and lines remains in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As `go build` does.
    Plain,
    /// Without symbols, DWARF and paths.
    Stripped,
    /// Position-independent and stripped.
    PositionIndependent,
    /// Linked by the C compiler's linker, and stripped.
    ExternallyLinked,
    /// Both.
    ExternallyLinkedPositionIndependent,
}

impl Go {
    /// The toolchain in PATH, and the one that `TRACER_TEST_GO` names, if it is set.
    pub(crate) fn all() -> Vec<Self> {
        let other = env::var_os("TRACER_TEST_GO");
        [Some("go".into()), other].into_iter().flatten().map(Self).collect()
    }

    /// The toolchain that `TRACER_TEST_GO` names, else the one in PATH.
    pub(crate) fn chosen() -> Self {
        Self(env::var_os("TRACER_TEST_GO").unwrap_or_else(|| "go".into()))
    }

    /// Builds the program in `source` into `directory`, under its own name.
    pub(crate) fn build(&self, source: &Path, directory: &Path, form: Form) -> PathBuf {
        let program = directory.join(source.file_name().expect("it is a directory of a name"));
        let status = Command::new(&self.0)
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "")
            .env("GOTOOLCHAIN", "local")
            .env("CGO_ENABLED", if form.is_externally_linked() { "1" } else { "0" })
            // A variable from the caller's environment would select the library of another
            // toolchain.
            .env_remove("GOROOT")
            .args(["build", "-o"])
            .arg(&program)
            .args(form.arguments())
            .current_dir(source)
            .status()
            .expect("go is needed: apt-get install golang-go");
        assert!(status.success(), "{} {form:?}", source.display());
        program
    }
}

impl Form {
    fn is_externally_linked(self) -> bool {
        matches!(self, Self::ExternallyLinked | Self::ExternallyLinkedPositionIndependent)
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &[],
            Self::Stripped => &["-trimpath", "-ldflags=-s -w"],
            Self::PositionIndependent => &["-buildmode=pie", "-ldflags=-s -w"],
            Self::ExternallyLinked => &["-ldflags=-linkmode=external -s -w"],
            Self::ExternallyLinkedPositionIndependent => {
                &["-buildmode=pie", "-ldflags=-linkmode=external -s -w"]
            }
        }
    }
}

/// The source of a Go program of the tests.
pub(crate) fn go_source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go").join(name)
}
