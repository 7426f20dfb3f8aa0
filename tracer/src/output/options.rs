//! What a run shows, keeps and records.

use std::path::PathBuf;

/// How to show it.
#[derive(Clone, Debug)]
pub(crate) struct OutputOptions {
    pub(crate) format: OutputFormat,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) wide: bool,
    /// Show only how it ended.
    pub(crate) only_at_the_end: bool,
    pub(crate) verbose: bool,
    /// Where to record what is seen.
    pub(crate) recording: Option<RecordingOptions>,
}

/// The file of a recording.
#[derive(Clone, Debug)]
pub(crate) struct RecordingOptions {
    pub(crate) path: PathBuf,
    /// It does not get larger than this.
    pub(crate) max_bytes: Option<u64>,
}

/// Formats of the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// For people.
    Table,
    /// One document at the end of an audit; live, one a line.
    Json,
    /// The rows of `--csv`.
    Csv,
}

/// Formats of the other documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    /// For people.
    Table,
    /// One document.
    Json,
}
