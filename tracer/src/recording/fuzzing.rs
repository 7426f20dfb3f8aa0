use std::{os::fd::AsRawFd as _, path::Path};

use tracer_core::{Confidence, Options, Timestamp};

use super::{
    Recording,
    block::{Block, Kind, preamble},
    entry::Entry,
    head::Head,
    stream::Packer,
};
use crate::{fuzzing::file_of, replay, sink::json, wall_clock::WallClock};

/// A whole file.
pub(crate) fn file(bytes: &[u8]) {
    let file = file_of(bytes);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(recording) = Recording::open(Path::new(&path)) else { return };
    let context = replay::context(recording.head());
    let options = Options { all: true, ..recording.head().options };
    if let Ok(rejudged) = replay::rerun(recording, options, None, |_, _| {}) {
        let _ = json::document(&rejudged.report, &context);
    }
}

/// The entries of a file whose checksums hold and whose head is whole, which chance does not make.
/// Two bytes that say how long it is go before each block.
pub(crate) fn entries(bytes: &[u8]) {
    if let Some(whole) = framed(bytes) {
        file(&whole);
    }
}

fn framed(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut packer = Packer::new();
    let head = Entry::Head(Box::new(std::borrow::Cow::Owned(head())));
    let mut unpacked = postcard::to_allocvec(&head).ok()?;
    let mut whole = preamble().to_vec();
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
    let clock = WallClock::from_unix_ns(1_772_366_400_000_000_000, Timestamp::default(), 0);
    Head {
        segment: 0,
        version: "0.1.0".to_owned(),
        host: "host".to_owned(),
        kernel: "6.18".to_owned(),
        anchor: clock.into(),
        options: Options::default(),
        fail_on: Confidence::Likely,
        arguments: vec!["--pid=1".to_owned()],
    }
}
