//! Whether and where a live run is recorded.

use std::path::PathBuf;

use clap::Args;

use super::size;
use crate::output::options::RecordingOptions;

/// The lowest `--max-size`: with a lower one, the recording of a busy host would lose the events of
/// the last seconds.
const MAX_SIZE_MIN: u64 = 1 << 20;

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct RecordTo {
    /// Also write a recording, for tracer replay
    #[arg(id = "record_to", long = "record", value_name = "FILE", group = "recording")]
    pub(super) path: Option<PathBuf>,
    /// Delete the oldest part of a recording that grows beyond this size (64MiB, 1G)
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
        _ => Err("must be at least 1MiB".to_owned()),
    }
}
