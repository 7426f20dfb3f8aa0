//! Compression (RFC 1951). The blocks of a segment are one stream, flushed after each block, so
//! that the compression of a block benefits from earlier blocks.

use std::io::{self, Write};

use flate2::{
    Compression,
    write::{DeflateDecoder, DeflateEncoder},
};

/// Compresses the blocks of one segment.
pub(super) struct Packer(DeflateEncoder<Vec<u8>>);

impl Packer {
    pub(super) fn new() -> Self {
        Self(DeflateEncoder::new(Vec::new(), Compression::default()))
    }

    /// Compresses the next block.
    ///
    /// # Errors
    /// None, because it writes to memory.
    pub(super) fn pack(&mut self, block: &[u8]) -> io::Result<Vec<u8>> {
        self.0.write_all(block)?;
        self.0.flush()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

/// Decompresses the blocks of one segment.
pub(super) struct Unpacker(DeflateDecoder<Bounded>);

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(DeflateDecoder::new(Bounded { bytes: Vec::new(), room: 0 }))
    }

    /// Decompresses the next block, which should have `length` bytes.
    ///
    /// # Errors
    /// The block is not the next one of this segment, or has a different length.
    pub(super) fn unpack(&mut self, block: &[u8], length: usize) -> io::Result<Vec<u8>> {
        self.0.get_mut().room = length;
        self.0.write_all(block)?;
        self.0.flush()?;
        let bytes = std::mem::take(&mut self.0.get_mut().bytes);
        if bytes.len() == length { Ok(bytes) } else { Err(io::ErrorKind::InvalidData.into()) }
    }
}

/// Accepts at most `room` bytes: a few compressed bytes can expand to any number.
struct Bounded {
    bytes: Vec<u8>,
    room: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room = self.room.checked_sub(bytes.len()).ok_or(io::ErrorKind::InvalidData)?;
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
