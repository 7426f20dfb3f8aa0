use tracer_core::{Confidence, Options};

use crate::wall_clock::WallClock;

/// What analyzing a recording requires in addition to the inputs. Every segment begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the segment. If that of the first one in a file is not 0, earlier ones were
    /// deleted.
    pub(crate) segment: u64,
    /// Version of the program that recorded.
    pub(crate) version: String,
    /// Host name.
    pub(crate) host: String,
    /// Kernel release.
    pub(crate) kernel: String,
    /// Conversion of the kernel's timestamps to wall time.
    pub(crate) clock: WallClock,
    /// Thresholds in force.
    pub options: Options,
    /// The lowest confidence for exit code 1.
    pub(crate) fail_on: Confidence,
    /// Command line, without the program.
    pub(crate) arguments: Vec<String>,
}

impl Head {
    /// Whether this version of the program made the recording, so that it knows every entry in it.
    pub(crate) fn is_of_this_version(&self) -> bool {
        self.version == env!("CARGO_PKG_VERSION")
    }
}
