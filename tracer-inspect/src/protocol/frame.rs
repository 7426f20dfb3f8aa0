//! Frames on a stream socket: the length of a message in four bytes, little-endian, and the
//! message.

use std::io::{self, ErrorKind, Read};

use super::codec::{Malformed, Wire};

/// Bytes before each message.
const HEADER_BYTES: usize = 4;

/// Maximum length of a message in bytes.
pub const MESSAGE_MAX: usize = 64 << 20;

/// A message as a frame; `None` if it is longer than `max` bytes.
pub(super) fn frame<T: Wire>(message: &T, max: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; HEADER_BYTES];
    message.write(&mut bytes);
    let length = bytes.len() - HEADER_BYTES;
    if length > max.min(MESSAGE_MAX) {
        return None;
    }
    let header = u32::try_from(length).ok()?.to_le_bytes();
    bytes.first_chunk_mut().map(|first| *first = header)?;
    Some(bytes)
}

/// Reads one frame; `None` if the other end has closed the socket.
///
/// # Errors
/// The socket failed, or the frame is longer than [`MESSAGE_MAX`].
pub fn read_from(socket: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut header = [0; HEADER_BYTES];
    match socket.read_exact(&mut header) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let length = u32::from_le_bytes(header);
    if length as usize > MESSAGE_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut message = Vec::new();
    socket.take(length.into()).read_to_end(&mut message)?;
    Ok((message.len() == length as usize).then_some(message))
}

/// Bytes that have arrived on a socket and are not a complete frame yet.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    /// Appends bytes that have arrived.
    pub fn extend(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message; `None` if it is not complete. Nothing is allocated for bytes that have not
    /// arrived.
    ///
    /// # Errors
    /// The message is longer than `max` bytes.
    pub fn next_message(&mut self, max: usize) -> Result<Option<Vec<u8>>, Malformed> {
        let Some((header, _)) = self.bytes.split_first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*header) as usize;
        if length > max {
            return Err(Malformed);
        }
        let end = HEADER_BYTES + length;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let rest = self.bytes.split_off(end);
        let mut message = std::mem::replace(&mut self.bytes, rest);
        message.drain(..HEADER_BYTES);
        Ok(Some(message))
    }

    /// Number of bytes that have arrived and were not returned in a message.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether all bytes that have arrived were returned in messages.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}
