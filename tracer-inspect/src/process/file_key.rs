//! Identity of a file, as a cache key.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _};

/// A file and its version: device, inode, modification time and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    size: u64,
}

impl FileKey {
    /// The file with this metadata.
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        }
    }
}
