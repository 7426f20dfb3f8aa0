use serde::{Deserialize, Serialize};
use tracer_core::{Confidence, Options, Timestamp};

use crate::wall_clock::WallClock;

/// What whoever judges a recording has to know beside the inputs; every segment begins with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the segment: if the first one in a file is not 0, others were dropped.
    pub(crate) segment: u64,
    /// Version of the tool that recorded.
    pub(crate) version: String,
    /// Host name.
    pub(crate) host: String,
    /// Kernel release.
    pub(crate) kernel: String,
    /// What the kernel's times meant there.
    pub(crate) anchor: Anchor,
    /// How it was judged.
    pub options: Options,
    /// From which confidence on it would have failed.
    pub(crate) fail_on: Confidence,
    /// The command line.
    pub(crate) arguments: Vec<String>,
}

/// A [`WallClock`] as it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Anchor {
    /// Nanoseconds since 1970.
    unix_ns: i128,
    monotonic: Timestamp,
    boot_ns: u64,
}

impl From<WallClock> for Anchor {
    fn from(clock: WallClock) -> Self {
        let WallClock { wall, monotonic, boot_ns } = clock;
        Self { unix_ns: wall.as_nanosecond(), monotonic, boot_ns }
    }
}

impl From<Anchor> for WallClock {
    fn from(anchor: Anchor) -> Self {
        Self::from_unix_ns(anchor.unix_ns, anchor.monotonic, anchor.boot_ns)
    }
}
