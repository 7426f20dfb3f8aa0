//! Which file something was learned from.

use std::{fs::Metadata, os::unix::fs::MetadataExt as _};

/// Which file, and which state of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    device: u64,
    inode: u64,
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
