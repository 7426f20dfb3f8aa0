//! The framing: what makes a whole block known from a part of one and from anything else.

use std::io::{self, Read};

/// What a recording begins with. The first byte is none of a text's, the line end is lost where a
/// file is taken for one.
const MAGIC: [u8; 8] = *b"\x89tracer\n";
/// Version of the format; raised when an older program would misread what is written.
pub(super) const VERSION: u16 = 3;
/// Bytes of the preamble.
pub(super) const PREAMBLE_BYTES: usize = 16;
/// Bytes before the payload of a block.
const HEADER_BYTES: usize = 16;
/// Most bytes of a block, packed or not: what a reader has to have room for.
pub(super) const BLOCK_MAX: usize = 64 << 20;

const MARK: [u8; 3] = *b"\xf1tb";

/// The first bytes of a file.
pub(super) fn preamble() -> [u8; PREAMBLE_BYTES] {
    let mut bytes = [0; PREAMBLE_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes
}

/// The version of the format of a file that begins with these bytes; `None` if it is no recording.
pub(super) fn version(preamble: &[u8]) -> Option<u16> {
    let rest = preamble.strip_prefix(&MAGIC)?;
    Some(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]))
}

/// Whether a block can be read by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It begins a segment.
    First,
    /// It goes on where the block before ended.
    Next,
}

/// A block as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Bytes of the payload when it is unpacked.
    pub(super) unpacked: u32,
    pub(super) payload: Vec<u8>,
}

/// What was found where a block should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Block(Block),
    /// The file ends here, after a whole block.
    End,
    /// The file ends here, within a block.
    Torn,
    /// Something else than what was written.
    Damaged,
}

impl Block {
    /// Its bytes in the file; `None` if it is larger than a block may be.
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.payload.len() > BLOCK_MAX || self.unpacked as usize > BLOCK_MAX {
            return None;
        }
        let length = u32::try_from(self.payload.len()).ok()?;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend(MARK);
        bytes.push(match self.kind {
            Kind::First => 0,
            Kind::Next => 1,
        });
        bytes.extend(length.to_le_bytes());
        bytes.extend(self.unpacked.to_le_bytes());
        bytes.extend(checksum(&bytes, &self.payload).to_le_bytes());
        bytes.extend(&self.payload);
        Some(bytes)
    }

    /// Reads the next block. No more memory is taken than there are bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(file: &mut impl Read) -> io::Result<Found> {
        let mut header = Vec::with_capacity(HEADER_BYTES);
        file.by_ref().take(HEADER_BYTES as u64).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(Found::End);
        }
        let mark = header.len().min(MARK.len());
        if header[..mark] != MARK[..mark] {
            return Ok(Found::Damaged);
        }
        let Some((checked, sum)) = header.split_at_checked(HEADER_BYTES - 4) else {
            return Ok(Found::Torn);
        };
        let Ok(sum) = sum.try_into().map(u32::from_le_bytes) else { return Ok(Found::Torn) };
        let kind = match checked[3] {
            0 => Kind::First,
            1 => Kind::Next,
            _ => return Ok(Found::Damaged),
        };
        let number = |at: usize| {
            u32::from_le_bytes([checked[at], checked[at + 1], checked[at + 2], checked[at + 3]])
        };
        let (length, unpacked) = (number(4), number(8));
        if length as usize > BLOCK_MAX || unpacked as usize > BLOCK_MAX {
            return Ok(Found::Damaged);
        }
        let mut payload = Vec::new();
        file.by_ref().take(length.into()).read_to_end(&mut payload)?;
        if payload.len() < length as usize {
            return Ok(Found::Torn);
        }
        if checksum(checked, &payload) != sum {
            return Ok(Found::Damaged);
        }
        Ok(Found::Block(Self { kind, unpacked, payload }))
    }

    /// Bytes that it takes in the file.
    pub(super) fn length(&self) -> u64 {
        (HEADER_BYTES + self.payload.len()) as u64
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}
