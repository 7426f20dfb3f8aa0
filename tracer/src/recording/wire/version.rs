//! The versions of the format, and how entries of each are read.

use serde::Deserialize;

use super::{entry::Entry, v3::EntryV3};

/// A version of the format that this program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) enum Version {
    V3,
    V4,
    /// Enums have variants that those of version 4 lack.
    V5,
    /// Recordings keep when data was last read from a socket, and enums have more variants.
    V6,
    /// Enums have variants that those of version 6 lack: questions without an answer.
    V7,
    /// Enums have variants that those of version 7 lack: open responses that are awaited.
    V8,
    /// Enums have variants that those of version 8 lack: what the user selected, and descendants
    /// that are not observed.
    V9,
    /// Enums have variants that those of version 9 lack: responses that nothing can reach, and the
    /// holders of others.
    V10,
}

impl Version {
    /// The version that is written.
    pub(in crate::recording) const CURRENT: Self = Self::V10;

    /// All versions that are read.
    pub(in crate::recording) const ALL: [Self; 8] =
        [Self::V3, Self::V4, Self::V5, Self::V6, Self::V7, Self::V8, Self::V9, Self::V10];

    /// The number of the version in the file.
    pub(in crate::recording) const fn number(self) -> u16 {
        match self {
            Self::V3 => 3,
            Self::V4 => 4,
            Self::V5 => 5,
            Self::V6 => 6,
            Self::V7 => 7,
            Self::V8 => 8,
            Self::V9 => 9,
            Self::V10 => 10,
        }
    }

    /// The version with this number, if it is supported.
    pub(in crate::recording) fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }

    /// The first entry in `bytes`, converted to the current format, and its length in bytes; `None`
    /// if there is no entry of this version.
    pub(in crate::recording) fn take_entry(self, bytes: &[u8]) -> Option<(Entry, usize)> {
        match self {
            Self::V3 => take::<EntryV3>(bytes).map(|(entry, length)| (entry.into(), length)),
            Self::V4 | Self::V5 | Self::V6 | Self::V7 | Self::V8 | Self::V9 | Self::V10 => {
                take(bytes)
            }
        }
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<(T, usize)> {
    let (entry, rest) = postcard::take_from_bytes(bytes).ok()?;
    Some((entry, bytes.len() - rest.len()))
}
