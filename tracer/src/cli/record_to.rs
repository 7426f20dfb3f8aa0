//! Where to record a run that is watched.

use std::path::PathBuf;

use clap::Args;

use super::size;
use crate::output::options::RecordingOptions;

/// A limit below this would drop what was seen a moment ago.
const MAX_SIZE_MIN: u64 = 1 << 20;

#[derive(Debug, Args)]
#[command(next_help_heading = "What to show and keep")]
pub(super) struct RecordTo {
    /// Also keep all that is seen, for `tracer replay`
    #[arg(long = "record", value_name = "FILE", group = "recording")]
    pub(super) path: Option<PathBuf>,
    /// Drop the oldest of it when the recording gets larger: 64MiB, 1G
    #[arg(long, value_name = "BYTES", value_parser = max_size, requires = "recording")]
    #[arg(hide_short_help = true)]
    max_size: Option<u64>,
}

impl RecordTo {
    pub(super) fn options(&self) -> Option<RecordingOptions> {
        let path = self.path.clone()?;
        Some(RecordingOptions { path, max_bytes: self.max_size })
    }
}

pub(super) fn max_size(text: &str) -> Result<u64, String> {
    match size::parse(text)? {
        MAX_SIZE_MIN.. => size::parse(text),
        _ => Err("it must be at least 1MiB".to_owned()),
    }
}
