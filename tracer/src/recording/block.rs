//! The framing of a file: a header, then blocks. Each block has a length and a checksum, so a
//! reader can distinguish a complete block from a partial one and from other data.

use std::io::{self, Read};

/// The first bytes of a recording. The first byte is not ASCII, so the file is not mistaken for
/// text; the line end reveals a transfer that converted line ends.
const MAGIC: [u8; 8] = *b"\x89tracer\n";
/// Size of the file header in bytes: the magic, the version of the format (little endian), and 6
/// zero bytes.
pub(super) const FILE_HEADER_BYTES: usize = 16;
/// Size of the header of a block in bytes: the mark, the kind, the lengths of the payload before
/// and after decompression, and the CRC-32 of these fields and the payload.
const BLOCK_HEADER_BYTES: usize = 16;
/// Maximum size of a block in bytes, compressed or not. A reader requires this much memory.
pub(super) const BLOCK_MAX: usize = 64 << 20;

/// The first bytes of a block.
const MARK: [u8; 3] = *b"\xf1tb";

/// The header of a file in this version of the format.
pub(super) fn file_header(version: u16) -> [u8; FILE_HEADER_BYTES] {
    let mut bytes = [0; FILE_HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&version.to_le_bytes());
    bytes
}

/// The version of the format of a file with this header; `None` if it is not a recording.
pub(super) fn version(header: &[u8]) -> Option<u16> {
    let rest = header.strip_prefix(&MAGIC)?;
    Some(u16::from_le_bytes([*rest.first()?, *rest.get(1)?]))
}

/// Whether these are the first bytes of a recording that was truncated within its header.
pub(super) fn is_truncated_header(bytes: &[u8]) -> bool {
    bytes.len() < MAGIC.len() + 2 && MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())])
}

/// Whether a block can be read without the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The block begins a segment.
    First,
    /// The block continues the previous one.
    Next,
}

/// A block as it is in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    /// Size of the decompressed payload in bytes.
    pub(super) unpacked: u32,
    pub(super) payload: Vec<u8>,
}

/// What was found where a block should be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    Block(Block),
    /// The file ends here, after a complete block.
    End,
    /// The file ends here, within a block.
    Truncated,
    /// Bytes that are not a block, or that fail its checksum.
    Damaged,
}

impl Block {
    /// The encoding of the block in the file; `None` if it is larger than [`BLOCK_MAX`].
    pub(super) fn to_bytes(&self) -> Option<Vec<u8>> {
        if self.payload.len() > BLOCK_MAX || self.unpacked as usize > BLOCK_MAX {
            return None;
        }
        let length = u32::try_from(self.payload.len()).ok()?;
        let mut bytes = Vec::with_capacity(BLOCK_HEADER_BYTES + self.payload.len());
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

    /// Reads the next block. Memory use is bounded by the bytes in the file, not by the length that
    /// they claim.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(file: &mut impl Read) -> io::Result<Found> {
        let mut header = Vec::with_capacity(BLOCK_HEADER_BYTES);
        file.by_ref().take(BLOCK_HEADER_BYTES as u64).read_to_end(&mut header)?;
        if header.is_empty() {
            return Ok(Found::End);
        }
        let mark = header.len().min(MARK.len());
        if header[..mark] != MARK[..mark] {
            return Ok(Found::Damaged);
        }
        let Some((checked, sum)) = header.split_at_checked(BLOCK_HEADER_BYTES - 4) else {
            return Ok(Found::Truncated);
        };
        let Ok(sum) = sum.try_into().map(u32::from_le_bytes) else { return Ok(Found::Truncated) };
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
            return Ok(Found::Truncated);
        }
        if checksum(checked, &payload) != sum {
            return Ok(Found::Damaged);
        }
        Ok(Found::Block(Self { kind, unpacked, payload }))
    }

    /// The length of the block in the file, in bytes.
    pub(super) fn length(&self) -> u64 {
        (BLOCK_HEADER_BYTES + self.payload.len()) as u64
    }
}

fn checksum(header: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(payload);
    hasher.finalize()
}
