//! Recordings that are assembled from blocks, for tests.

use tracer_core::{Confidence, Options, Timestamp};

use super::{
    block::{Block, Kind, file_header},
    head::Head,
    stream::Packer,
    wire::{self, Version, Wire as _, entry::Entry},
};
use crate::wall_clock::WallClock;

/// A recording with a complete head and blocks that contain these arbitrary bytes, with matching
/// checksums, so that a test of the content of blocks passes the checksums. `None` if a block would
/// be too large.
pub fn from_blocks<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> Option<Vec<u8>> {
    let mut packer = Packer::new();
    let mut recording = file_header(Version::CURRENT.number()).to_vec();
    let mut add = |kind, bytes: &[u8]| {
        let payload = packer.pack(bytes).ok()?;
        let unpacked = u32::try_from(bytes.len()).ok()?;
        recording.extend(Block { kind, unpacked, payload }.to_bytes()?);
        Some(())
    };
    let head = Entry::Head(Box::new(wire::head::Head::from_core(&head())));
    add(Kind::First, &postcard::to_allocvec(&head).ok()?)?;
    for block in blocks {
        add(Kind::Next, block)?;
    }
    Some(recording)
}

/// A head for tests.
pub(super) fn head() -> Head {
    Head {
        segment: 0,
        version: "0.1.0".to_owned(),
        host: "host".to_owned(),
        kernel: "6.18".to_owned(),
        clock: WallClock::from_unix_ns(1_772_366_400_000_000_000, Timestamp::default(), 0),
        options: Options::default(),
        fail_on: Confidence::Likely,
        arguments: vec!["--pid=1".to_owned()],
    }
}
