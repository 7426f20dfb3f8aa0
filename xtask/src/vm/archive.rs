//! The archive that a kernel unpacks into memory when it boots (`cpio` of the kind `newc`,
//! `Documentation/driver-api/early-userspace/buffer-format.rst`). Written by ourselves, since the
//! device nodes in it would take root to make as files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const SYMLINK: u32 = 0o120_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive that grows.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<PathBuf>,
}

impl Archive {
    /// Adds a directory and those that it is in.
    pub(super) fn directory(&mut self, path: &Path, permissions: u32) {
        self.parents(path);
        if self.directories.insert(path.to_path_buf()) {
            self.entry(path, DIRECTORY | permissions, (0, 0), &[]);
        }
    }

    /// Adds a file that anybody may execute.
    pub(super) fn program(&mut self, path: &Path, contents: &[u8]) {
        self.parents(path);
        self.entry(path, FILE | 0o755, (0, 0), contents);
    }

    /// Adds a symbolic link.
    pub(super) fn symlink(&mut self, path: &Path, target: &str) {
        self.parents(path);
        self.entry(path, SYMLINK | 0o777, (0, 0), target.as_bytes());
    }

    /// Adds a device node.
    pub(super) fn character_device(&mut self, path: &Path, number: (u32, u32)) {
        self.parents(path);
        self.entry(path, CHARACTER_DEVICE | 0o666, number, &[]);
    }

    /// The bytes; another archive may follow them.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(Path::new("/TRAILER!!!"), 0, (0, 0), &[]);
        self.bytes
    }

    fn parents(&mut self, path: &Path) {
        if let Some(parent) = path.parent().filter(|parent| parent.parent().is_some()) {
            self.directory(parent, 0o755);
        }
    }

    fn entry(&mut self, path: &Path, mode: u32, device: (u32, u32), contents: &[u8]) {
        let name = path.strip_prefix("/").unwrap_or(path).as_os_str().as_encoded_bytes();
        self.entries += 1;
        // Number, mode, user, group, links, time, size, device of the file system, device, length
        // of the name with its end, and a checksum that nobody looks at.
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            length(contents.len()),
            0,
            0,
            device.0,
            device.1,
            length(name.len() + 1),
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name);
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(contents);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

/// The format has no room for more than 4 GiB, and a machine's memory none for this one then.
fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_after_its_directories_and_once() {
        let mut archive = Archive::default();
        archive.program(Path::new("/a/b/first"), b"12345");
        archive.program(Path::new("/a/b/second"), b"");
        let bytes = archive.finish();

        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let places = ["a\0", "a/b\0", "a/b/first\0", "12345\0", "a/b/second\0", "TRAILER!!!\0"]
            .map(|name| text.find(name).unwrap_or_else(|| panic!("no {name:?} in {text:?}")));
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(text.matches("070701").count(), 5);
    }

    #[test]
    fn a_header_says_what_follows() {
        let mut archive = Archive::default();
        archive.program(Path::new("/x"), b"abc");
        let bytes = archive.finish();

        let text = String::from_utf8_lossy(&bytes[..116]);
        let expected = "070701000000010000\
                        81ed0000000000000000000000010000000000000003000000000000000000000000\
                        000000000000000200000000x\0";
        assert_eq!(text, expected.to_owned() + "abc\0");
    }
}
