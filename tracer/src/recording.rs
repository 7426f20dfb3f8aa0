//! The recording of a run: the ordered inputs of the judge, so that it can judge them again.
//!
//! A file is a preamble and blocks. Each block has a checksum and was written at once, so whatever
//! cuts the file leaves whole blocks and at most a part of one. A *segment* is a run of blocks that
//! can be read without those before it; where there is a limit of size, whole segments are dropped.

mod block;
mod carried;
mod coder;
mod crafted;
mod entry;
mod facts;
mod head;
mod moments;
mod pieces;
mod reader;
mod recorder;
mod segments;
mod stream;

use tracer_core::{Input, Timestamp};

pub use self::{crafted::from_blocks, head::Head, reader::Recording};
pub(crate) use self::{reader::Ending, recorder::Recorder};

/// What happens to the judge in the course of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was told something.
    Input(Input),
    /// It was asked for its questions, at this moment.
    Asked(Timestamp),
    /// It was asked for a report and for what had changed.
    Reported,
}

#[cfg(test)]
mod tests;
