use std::io::Cursor;

use tracer_core::{Confidence, Options, Timestamp};

use super::{
    Recording,
    block::{Block, Kind, file_header},
    head::Head,
    stream::Packer,
    wire::{self, Version, Wire as _, entry::Entry},
};
use crate::{replay, sink::json, wall_clock::WallClock};

/// A whole file.
pub(crate) fn file(bytes: &[u8]) {
    let source = Cursor::new(bytes.to_vec());
    let Ok(recording) = Recording::read(source, "the recording".to_owned()) else { return };
    let context = replay::context(recording.head());
    let options = Options { all: true, ..recording.head().options };
    if let Ok(rejudged) = replay::rerun(recording, options, None, |_, _| {}) {
        let _ = json::document(&rejudged.report, &context);
    }
}

/// The entries of a file in each version of the format, with checksums that hold and a head that is
/// whole, which chance does not make. Each block follows two bytes with its length.
pub(crate) fn entries(bytes: &[u8]) {
    for version in Version::ALL {
        if let Some(whole) = framed(version, bytes) {
            file(&whole);
        }
    }
}

fn framed(version: Version, mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packer = Packer::new();
    // The same bytes in every version so far.
    let head = Entry::Head(Box::new(wire::head::Head::from_core(&head())));
    let mut unpacked = postcard::to_allocvec(&head).ok()?;
    let mut whole = file_header(version.number()).to_vec();
    let mut kind = Kind::First;
    loop {
        let payload = packer.pack(&unpacked).ok()?;
        let length = u32::try_from(unpacked.len()).ok()?;
        whole.extend(Block { kind, unpacked: length, payload }.to_bytes()?);
        kind = Kind::Next;
        let Some((length, rest)) = bytes.split_first_chunk() else { return Some(whole) };
        let length = rest.len().min(usize::from(u16::from_le_bytes(*length)));
        let (block, rest) = rest.split_at_checked(length)?;
        unpacked = block.to_vec();
        bytes = rest;
    }
}

/// What a recording begins with.
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
