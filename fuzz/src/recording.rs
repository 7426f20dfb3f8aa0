//! Recordings.

use std::{os::fd::AsRawFd as _, path::Path};

use tracer::{
    commands::replay,
    output::json,
    recording::{Recording, from_blocks},
};
use tracer_core::Options;

use super::file_of;

/// A complete file.
pub fn file(bytes: &[u8]) {
    let file = file_of(bytes);
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let Ok(recording) = Recording::open(Path::new(&path)) else { return };
    let context = replay::context(recording.head());
    let options = Options { all: true, ..recording.head().options };
    if let Ok(rejudged) = replay::rerun(recording, options, None, |_, _| {}) {
        let _ = json::document(&rejudged.report, &context);
    }
}

/// The entries of a file with valid checksums and an intact header, which random bytes do not have.
/// Before each block, two bytes give its length.
pub fn entries(mut bytes: &[u8]) {
    let mut blocks = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = rest.len().min(usize::from(u16::from_le_bytes(*length)));
        let (block, rest) = rest.split_at(length);
        blocks.push(block);
        bytes = rest;
    }
    if let Some(whole) = from_blocks(blocks) {
        file(&whole);
    }
}
