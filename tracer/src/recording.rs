//! The recording of a run: the inputs of the judge in order, so that they can be judged again.
//!
//! A file is a header and blocks. Each block has a checksum and is written at once, so a file that
//! was truncated consists of complete blocks and at most one partial block. A *segment* is a run of
//! blocks that can be read without the blocks before it. Where the size is limited (`--max-size`),
//! the oldest segments are deleted.
//!
//! Blocks hold entries, compressed. [`wire`] has their types and the rules of the format;
//! [`delta_codec`] turns inputs into entries, which mostly say what has changed since the latest
//! snapshot, and back.

mod block;
mod crafted;
mod delta_codec;
mod head;
mod list_delta;
mod reader;
mod recorder;
mod segment_preamble;
mod segments;
mod stream;
mod time_delta;
mod wire;

use tracer_core::{Input, Timestamp};

pub use self::{crafted::from_blocks, head::Head, reader::Recording};
pub(crate) use self::{reader::Ending, recorder::Recorder};

/// What happens to the judge in the course of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and most are inputs")]
pub(crate) enum Step {
    /// It received an input.
    Input(Input),
    /// It was asked for its questions, at this time.
    Asked(Timestamp),
    /// It was asked for a report and for what had changed.
    Reported,
}

#[cfg(test)]
mod tests;
