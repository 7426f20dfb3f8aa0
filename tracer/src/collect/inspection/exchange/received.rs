//! What a worker has sent, until its messages are complete.

use std::{collections::VecDeque, os::fd::OwnedFd};

use tracer_inspect::protocol::frame::FrameBuffer;

use super::WorkerFailed;

/// A message of a worker, and the file descriptor that came with it.
type Message = (Vec<u8>, Option<OwnedFd>);

/// Bytes and file descriptors that a worker has sent.
#[derive(Debug, Default)]
pub(super) struct Received {
    bytes: FrameBuffer,
    /// File descriptors whose replies are not complete. Each belongs to the reply that contains the
    /// last byte with which it was received, which is this many bytes from the beginning of
    /// `bytes`: the kernel ends a read after the bytes that carry a file descriptor, and may put
    /// earlier replies in front of them (`unix_stream_read_generic`).
    files: VecDeque<(OwnedFd, usize)>,
}

impl Received {
    /// Adds bytes, and the file descriptor that came with them.
    ///
    /// # Errors
    /// There are more file descriptors than replies that may have one.
    pub(super) fn extend(
        &mut self,
        bytes: &[u8],
        file: Option<OwnedFd>,
    ) -> Result<(), WorkerFailed> {
        self.bytes.extend(bytes);
        self.files.extend(file.map(|file| (file, self.bytes.len())));
        // Each reply has at most one, and all replies but the last one are complete.
        if self.files.len() > 2 { Err(WorkerFailed) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next message, and the file descriptor that came with it.
    ///
    /// # Errors
    /// The message is longer than `max` bytes.
    pub(super) fn next_message(&mut self, max: usize) -> Result<Option<Message>, WorkerFailed> {
        let before = self.bytes.len();
        let message = self.bytes.next_message(max).map_err(|_| WorkerFailed)?;
        let Some(message) = message else { return Ok(None) };
        let length = before - self.bytes.len();
        let is_its = self.files.front().is_some_and(|(_, end)| *end <= length);
        let file = if is_its { self.files.pop_front() } else { None };
        let file = file.map(|(file, _)| file);
        for (_, end) in &mut self.files {
            *end = end.saturating_sub(length);
        }
        Ok(Some((message, file)))
    }
}
