//! Links from a module to files with its debug information.
//!
//! The library that reads debug information opens the files that a module names, whatever they are:
//! a path, a FIFO, a device. So it may read debug information only if the module names no file that
//! anyone but root and this user controls.

use std::{
    ffi::OsStr,
    fs::{self, File, Metadata},
    io::ErrorKind,
    os::{
        fd::AsRawFd as _,
        unix::{ffi::OsStrExt as _, fs::MetadataExt as _},
    },
    path::Path,
};

use crate::{
    budget::Budget,
    elf::Elf,
    process::{
        identity::NOBODY,
        regular_file::{self, Place},
    },
};

/// Sections with the path of a file that several modules share (`dwz`).
const SHARED: [&str; 2] = [".gnu_debugaltlink", ".debug_sup"];
/// `NAME_MAX` of `include/uapi/linux/limits.h`.
const NAME_MAX: usize = 255;
/// Maximum size of the file in bytes: the library computes a checksum of all of it.
const FILE_MAX: u64 = 1 << 30;
/// The bits of a mode that let others than the owner write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The debug information that the links of a module lead to.
pub(super) enum Linked {
    /// No debug file, apart from that of the distribution in `/usr/lib/debug`.
    Nothing,
    /// A file next to the module.
    File(Elf),
    /// Something that may not be opened.
    Untrusted,
}

/// The debug information that the links of a module of process `pid` lead to. `file` is the
/// module's file.
pub(super) fn follow(pid: u32, elf: &Elf, file: &File, budget: &Budget) -> Linked {
    if shares(elf) {
        return Linked::Untrusted;
    }
    let Some(link) = elf.section(".gnu_debuglink") else { return Linked::Nothing };
    let bytes = elf.start_of(link, NAME_MAX + 1);
    let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    if matches!(name, b"" | b"." | b"..") || name.len() > NAME_MAX || name.contains(&b'/') {
        return Linked::Untrusted;
    }
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    let Some(directory) = path.as_deref().ok().and_then(Path::parent) else {
        return Linked::Untrusted;
    };
    match regular_file::directory(pid, directory, budget) {
        // The path of a process in another mount namespace. The library takes `/proc/self/fd` for
        // the directory of the module, where each file has a number.
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let is_number = name.iter().all(u8::is_ascii_digit);
            return if is_number { Linked::Untrusted } else { Linked::Nothing };
        }
        Ok(metadata) if is_trusted(&metadata) => {}
        // For example a directory on FUSE.
        Ok(_) | Err(_) => return Linked::Untrusted,
    }
    let path = directory.join(OsStr::from_bytes(name));
    let opened = match regular_file::open(pid, Place::Host(&path), budget) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Linked::Nothing,
        opened => opened.ok(),
    };
    let is_allowed = |metadata: &Metadata| is_trusted(metadata) && metadata.len() <= FILE_MAX;
    let opened = opened.filter(|(_, metadata)| is_allowed(metadata));
    match opened.and_then(|(file, _)| Elf::parse(file, budget)) {
        Some(elf) if !shares(&elf) => Linked::File(elf),
        _ => Linked::Untrusted,
    }
}

/// Whether a module refers to such a file, or may do so where only the library would find it: in a
/// section that was not read, or that the library decompresses, whatever its size.
fn shares(elf: &Elf) -> bool {
    elf.unread_sections.is_some()
        || elf.has_other_compressed()
        || SHARED.iter().any(|name| elf.section(name).is_some())
}

/// Only root and this user can change it. If `tracer` was started by `nobody`, that may also be the
/// user of a watched process.
fn is_trusted(metadata: &Metadata) -> bool {
    let own = Some(rustix::process::geteuid().as_raw()).filter(|own| *own != NOBODY);
    let owner = metadata.uid();
    (owner == 0 || Some(owner) == own) && metadata.mode() & WRITABLE_BY_OTHERS == 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use object::elf;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;
    use crate::elf::example::{Example, compressed};

    /// What a module with this section leads to, in a directory.
    fn linked(directory: &Path, section: &str, content: &[u8]) -> &'static str {
        linked_by(directory, section, 0, content)
    }

    fn linked_by(directory: &Path, section: &str, flags: u32, content: &[u8]) -> &'static str {
        let budget = Budget::default();
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let file = options.open(directory.join("program")).unwrap();
        let mut example = Example::of(file.try_clone().unwrap());
        example.add(section, elf::SHT_PROGBITS, flags.into(), content);
        match follow(std::process::id(), &example.finish(&budget).unwrap(), &file, &budget) {
            Linked::Nothing => "nothing",
            Linked::File(_) => "file",
            Linked::Untrusted => "untrusted",
        }
    }

    #[test]
    fn a_module_names_no_file_that_others_choose() {
        let directory = tempfile::tempdir().unwrap();
        let link = |content: &[u8]| linked(directory.path(), ".gnu_debuglink", content);
        let path = directory.path().join("debug");
        assert_eq!(linked(directory.path(), ".text", b"code"), "nothing");
        for path in [&b"/dev/zero\0\0\0"[..], b"../program\0", b"..\0", b"\0", &[b'a'; 300]] {
            assert_eq!(link(path), "untrusted");
        }
        assert_eq!(linked(directory.path(), ".gnu_debugaltlink", b"/dev/zero\0id"), "untrusted");

        assert_eq!(link(b"debug\0\0\0"), "nothing");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        assert_eq!(link(b"debug\0\0\0"), "untrusted");
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
        assert_eq!(link(b"debug\0\0\0"), "untrusted");
        fs::remove_file(&path).unwrap();

        let mut example = Example::of(File::create_new(&path).unwrap());
        example.add(".debug_info", elf::SHT_PROGBITS, 0, b"");
        drop(example.finish(&Budget::default()));
        let debug = File::options().write(true).open(&path).unwrap();
        let hidden = compressed(b"../../dev/zero\0", 15);
        let by = |flags| linked_by(directory.path(), ".gnu_debuglink", flags, &hidden);
        assert_eq!((by(0), by(elf::SHF_COMPRESSED)), ("nothing", "untrusted"));
        let flags = elf::SHF_COMPRESSED;
        let build_id = linked_by(directory.path(), ".note.gnu.build-id", flags, &hidden);
        assert_eq!(build_id, "untrusted");
        let size = debug.metadata().unwrap().len();
        assert_eq!(link(b"debug\0\0\0"), "file");
        debug.set_len(FILE_MAX + 1).unwrap();
        assert_eq!(link(b"debug\0\0\0"), "untrusted", "a sparse file");
        debug.set_len(size).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert_eq!(link(b"debug\0\0\0"), "untrusted");
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(link(b"other\0\0\0"), "untrusted", "others can create it");
    }

    #[test]
    fn a_module_in_a_directory_that_does_not_exist_here_names_no_file_descriptor() {
        let directory = tempfile::tempdir().unwrap();
        let open = |name: &[u8]| {
            let budget = Budget::default();
            let below = directory.path().join("below");
            fs::create_dir(&below).unwrap();
            let mut options = File::options();
            options.read(true).write(true).create(true);
            let file = options.open(below.join("program")).unwrap();
            fs::remove_dir_all(&below).unwrap();
            let mut example = Example::of(file.try_clone().unwrap());
            example.add(".gnu_debuglink", elf::SHT_PROGBITS, 0, name);
            let elf = example.finish(&budget).unwrap();
            matches!(follow(std::process::id(), &elf, &file, &budget), Linked::Nothing)
        };
        assert!(open(b"program.debug\0"));
        assert!(!open(b"2\0"), "the library would open `/proc/self/fd/2`");
    }

    #[test]
    fn a_file_that_links_to_itself_is_read_once() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(linked(directory.path(), ".gnu_debuglink", b"program\0"), "file");
    }
}
