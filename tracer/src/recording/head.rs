use tracer_core::{Confidence, Options};

use crate::wall_clock::WallClock;

/// What analyzing a recording requires besides the inputs. Every segment begins with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Number of the segment. If the first one in a file is not 0, earlier ones were deleted.
    pub(crate) segment: u64,
    /// Version of the program that recorded.
    pub(crate) version: String,
    /// Host name.
    pub(crate) host: String,
    /// Kernel release.
    pub(crate) kernel: String,
    /// Wall time of the kernel's times.
    pub(crate) clock: WallClock,
    /// Thresholds in force.
    pub options: Options,
    /// From which confidence on the run failed.
    pub(crate) fail_on: Confidence,
    /// Command line, without the program.
    pub(crate) arguments: Vec<String>,
}

impl Head {
    /// Whether this version of the program recorded, so that it knows every entry of the recording.
    pub(crate) fn is_of_this_version(&self) -> bool {
        self.version == env!("CARGO_PKG_VERSION")
    }
}
