//! SHA-256 digests of the BPF object and of everything that determines it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::build;

/// The crates from which the object is compiled.
const CRATES: [&str; 2] = ["tracer-common", "tracer-ebpf"];
/// Prefixes of the names of other crates from which the object is compiled.
const DEPENDENCIES: [&str; 3] = ["aya-ebpf", "aya-log-common", "aya-log-ebpf"];

/// The digest of a file's contents.
pub(crate) fn of_bytes(bytes: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(bytes);
    hexadecimal(digest)
}

/// The digest of the sources of the object below `root`: its crates, their dependencies as locked,
/// and the compiler flags.
///
/// # Errors
/// If a source cannot be read.
pub(crate) fn of_sources(root: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for name in source_files(root)? {
        let path = root.join(&name);
        let contents =
            fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        add(&mut digest, name.to_string_lossy().as_bytes(), &contents);
    }
    add(&mut digest, b"Cargo.lock", locked(&read(&root.join("Cargo.lock"))?).as_bytes());
    add(&mut digest, b"Cargo.toml", declared(&read(&root.join("Cargo.toml"))?).as_bytes());
    for (name, value) in build::FLAGS.iter().map(|flag| ("flag", *flag)).chain(build::PROFILE) {
        add(&mut digest, name.as_bytes(), value.as_bytes());
    }
    Ok(hexadecimal(digest))
}

/// Every source file of the crates, relative to `root`, by name.
fn source_files(root: &Path) -> Result<Vec<PathBuf>> {
    let mut directories: Vec<_> = CRATES.iter().map(PathBuf::from).collect();
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        let path = root.join(&directory);
        let entries = path.read_dir().and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        for entry in entries.with_context(|| format!("cannot read {}", path.display()))? {
            let name = directory.join(entry.file_name());
            let is_source = name.extension().is_some_and(|end| end == "rs" || end == "toml");
            if entry.path().is_dir() {
                directories.push(name);
            } else if is_source {
                files.push(name);
            }
        }
    }
    files.sort();
    Ok(files)
}

/// The entries of a Cargo.lock with the versions from which the object is compiled.
fn locked(lock: &str) -> String {
    let packages = lock.split("\n[[package]]\n").filter(|package| {
        let name = package.lines().next().and_then(|line| line.strip_prefix("name = \""));
        name.is_some_and(|name| DEPENDENCIES.iter().any(|prefix| name.starts_with(prefix)))
    });
    packages.map(str::trim_end).collect::<Vec<_>>().join("\n\n")
}

/// The lines of the workspace's Cargo.toml with their features and the edition.
fn declared(manifest: &str) -> String {
    let relevant = manifest.lines().filter(|line| {
        let names = DEPENDENCIES.iter().chain(&CRATES);
        names.chain(&["edition"]).any(|prefix| line.starts_with(prefix))
    });
    relevant.collect::<Vec<_>>().join("\n")
}

/// Adds a name and its contents. The lengths make the boundary between them unambiguous.
fn add(digest: &mut Sha256, name: &[u8], contents: &[u8]) {
    for part in [name, contents] {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn hexadecimal(digest: Sha256) -> String {
    digest.finalize().iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{locked, of_bytes, of_sources};

    #[test]
    fn is_sha_256() {
        let expected = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_bytes(b"abc"), expected);
    }

    #[test]
    fn only_what_determines_the_object_changes_the_digest() {
        let root = std::env::temp_dir().join(format!("xtask-digest-{}", std::process::id()));
        let write = |name: &str, text: &str| {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Cargo.toml", "edition = \"2024\"\naya-ebpf = \"1\"\nclap = \"4\"\n");
        write("Cargo.lock", "\n[[package]]\nname = \"aya-ebpf\"\nversion = \"1\"\n");
        write("tracer-common/src/lib.rs", "");
        write("tracer-ebpf/src/main.rs", "a");
        let original = of_sources(&root).unwrap();

        write("tracer-ebpf/README.md", "b");
        write("Cargo.toml", "edition = \"2024\"\naya-ebpf = \"1\"\nclap = \"5\"\n");
        assert_eq!(of_sources(&root).unwrap(), original);

        write("Cargo.lock", "\n[[package]]\nname = \"aya-ebpf\"\nversion = \"2\"\n");
        let updated = of_sources(&root).unwrap();
        assert_ne!(updated, original);

        write("tracer-ebpf/src/main.rs", "b");
        let edited = of_sources(&root).unwrap();
        assert_ne!(edited, updated);

        fs::rename(root.join("tracer-ebpf/src/main.rs"), root.join("tracer-ebpf/src/b.rs"))
            .unwrap();
        assert_ne!(of_sources(&root).unwrap(), edited);
        fs::remove_dir_all(&root).unwrap();
    }

    #[test]
    fn dependencies_of_user_space_are_left_out() {
        let lock = "version = 4\n\n[[package]]\nname = \"aya\"\n\n[[package]]\nname = \"aya-ebpf\"\n\
                    \n[[package]]\nname = \"aya-log\"\n";
        assert_eq!(locked(lock), "name = \"aya-ebpf\"");
    }
}
