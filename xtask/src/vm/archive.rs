//! The archive that a kernel unpacks into memory when it boots: `cpio` in the format `newc`
//! (`Documentation/driver-api/early-userspace/buffer-format.rst`). It is created in memory because
//! it contains device nodes, which only root can create as files.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};

/// An archive to which entries are added.
#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    directories: BTreeSet<PathBuf>,
}

impl Archive {
    /// Adds a directory; its parents must have been added before.
    ///
    /// # Errors
    /// If its path is not UTF-8; the same for all entries.
    pub(super) fn directory(&mut self, path: &Path, permissions: u32) -> Result<()> {
        self.parents(path)?;
        if self.directories.insert(path.to_path_buf()) {
            self.entry(path, ModeFileType::Directory, permissions, (0, 0), &[])?;
        }
        Ok(())
    }

    /// Adds a file that everyone may execute.
    pub(super) fn program(&mut self, path: &Path, contents: &[u8]) -> Result<()> {
        self.parents(path)?;
        self.entry(path, ModeFileType::Regular, 0o755, (0, 0), contents)
    }

    /// Adds a symbolic link.
    pub(super) fn symlink(&mut self, path: &Path, target: &str) -> Result<()> {
        self.parents(path)?;
        self.entry(path, ModeFileType::Symlink, 0o777, (0, 0), target.as_bytes())
    }

    /// Adds a device node.
    pub(super) fn character_device(&mut self, path: &Path, number: (u32, u32)) -> Result<()> {
        self.parents(path)?;
        self.entry(path, ModeFileType::Char, 0o666, number, &[])
    }

    /// The bytes of the archive; another archive may follow them.
    pub(super) fn finish(self) -> Result<Vec<u8>> {
        trailer(self.bytes).context("cannot end the archive")
    }

    fn parents(&mut self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(parent) if parent.parent().is_some() => self.directory(parent, 0o755),
            _ => Ok(()),
        }
    }

    fn entry(
        &mut self,
        path: &Path,
        kind: ModeFileType,
        permissions: u32,
        device: (u32, u32),
        contents: &[u8],
    ) -> Result<()> {
        self.entries += 1;
        let name = path.strip_prefix("/").unwrap_or(path).to_str().context("not UTF-8")?;
        let entry = Builder::new(name)
            .ino(self.entries)
            .mode(permissions)
            .set_mode_file_type(kind)
            .rdev_major(device.0)
            .rdev_minor(device.1);
        let length = u32::try_from(contents.len()).context("the format ends at 4 GiB")?;
        let mut entry = entry.write(&mut self.bytes, length);
        let written = entry.write_all(contents).and_then(|()| entry.finish());
        written.map(|_: &mut Vec<u8>| ()).map_err(|error: io::Error| error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_before_their_entries_and_once() {
        let mut archive = Archive::default();
        archive.program(Path::new("/a/b/first"), b"12345").unwrap();
        archive.program(Path::new("/a/b/second"), b"").unwrap();
        let bytes = archive.finish().unwrap();

        assert_eq!(bytes.len() % 4, 0);
        let text = String::from_utf8_lossy(&bytes);
        let places = ["a\0", "a/b\0", "a/b/first\0", "12345\0", "a/b/second\0", "TRAILER!!!\0"]
            .map(|name| text.find(name).unwrap_or_else(|| panic!("no {name:?} in {text:?}")));
        assert!(places.is_sorted(), "{places:?}");
        assert_eq!(text.matches("070701").count(), 5);
    }

    #[test]
    fn an_entry_has_its_type_and_device() {
        let mut archive = Archive::default();
        archive.character_device(Path::new("/null"), (1, 3)).unwrap();
        let bytes = archive.finish().unwrap();

        let entry = cpio::newc::Reader::new(&bytes[..]).unwrap();
        let entry = entry.entry();
        assert_eq!((entry.name(), entry.mode()), ("null", 0o020_666));
        assert_eq!((entry.rdev_major(), entry.rdev_minor()), (1, 3));
    }
}
