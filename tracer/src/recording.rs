//! The recording of a run: the inputs of the detector in order, for a replay.
//!
//! A file consists of a header and blocks. Each block has a checksum and is written in one piece,
//! so a truncated file consists of complete blocks and at most one partial block. A *segment* is a
//! sequence of blocks that can be read without the blocks before it. If the size is limited
//! (`--max-size`), the oldest segments are deleted.
//!
//! Blocks contain compressed entries. [`wire`] has their types and the rules of the format.
//! [`delta_codec`] converts inputs to entries, which mostly encode what has changed since the
//! latest snapshot, and back.

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

/// A call of the detector during a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "one exists at a time, and most are inputs")]
pub(crate) enum Step {
    /// The detector received an input.
    Input(Input),
    /// The detector was asked for its questions at this time.
    Asked(Timestamp),
    /// The detector was asked for a report and for what had changed.
    Reported,
}

#[cfg(test)]
mod tests;
