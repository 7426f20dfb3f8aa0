//! Options of the output of a run.

use std::path::PathBuf;

use tracer_core::Confidence;

/// The format of the output, and what it shows.
#[derive(Clone, Debug)]
pub(crate) struct OutputOptions {
    pub(crate) format: OutputFormat,
    pub(crate) csv: Option<PathBuf>,
    pub(crate) wide: bool,
    /// The lowest confidence of the findings that a table lists; it counts the others.
    pub(crate) least: Confidence,
    /// Show only the last report.
    pub(crate) only_at_the_end: bool,
    pub(crate) verbose: bool,
    /// The recording to write.
    pub(crate) recording: Option<RecordingOptions>,
}

/// The file of a recording.
#[derive(Clone, Debug)]
pub(crate) struct RecordingOptions {
    pub(crate) path: PathBuf,
    /// Maximum size.
    pub(crate) max_bytes: Option<u64>,
}

/// Formats of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputFormat {
    /// A table for the terminal.
    Table,
    /// One document at the end of an audit; in a live run, one per line.
    Json,
    /// A line for each finding that appears, changes or is retracted.
    JsonLines,
    /// The rows of `--csv`.
    Csv,
}

/// Formats of the other documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DocumentFormat {
    /// A table for the terminal.
    Table,
    /// One document.
    Json,
}
