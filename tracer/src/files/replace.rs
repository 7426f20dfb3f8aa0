//! Replacing files atomically.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Result, anyhow, bail};

use super::append::cause;

/// Replaces or creates a file, readable by its owner only. The bytes are written to a temporary file
/// in the same directory, which is then renamed: a reader never sees a partial file, and a failure
/// leaves an existing file unchanged.
///
/// # Errors
/// The path is a symbolic link or not a regular file, the directory cannot be written to, or the
/// disk is full.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        // The rename would replace the link and leave its target unchanged.
        Ok(metadata) if metadata.is_symlink() => {
            bail!("cannot write {shown}: it is a symbolic link; give the path of its target")
        }
        Ok(metadata) if !metadata.is_file() => {
            bail!(
                "cannot write {shown}: it is not a regular file; choose another file, or - for stdout"
            )
        }
        _ => {}
    }
    write(path, bytes).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "cannot create {shown}: its directory does not exist; create the directory or choose another file"
        ),
        _ => anyhow!("cannot write {shown}: {}; choose another file", cause(&error)),
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    // The name is random, an existing file is never opened (O_EXCL), and the mode is 0600.
    let mut file = tempfile::NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_replaced_file_is_readable_by_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("page.html");
        fs::write(&path, "an earlier and longer one").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();

        replace(&path, b"new").unwrap();

        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(directory.path()), ["page.html"]);
    }

    #[test]
    fn a_symbolic_link_is_neither_followed_nor_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let (target, link) = (directory.path().join("shadow"), directory.path().join("page.html"));
        fs::write(&target, "precious").unwrap();
        symlink(&target, &link).unwrap();

        let error = replace(&link, b"new").unwrap_err().to_string();

        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(fs::read(&target).unwrap(), b"precious");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_failure_states_the_cause_and_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let error = |path: &Path| replace(path, b"new").unwrap_err().to_string();
        assert!(error(directory.path()).contains("not a regular file"));
        let missing = error(&directory.path().join("no/page.html"));
        assert!(missing.contains("its directory does not exist"), "{missing}");
        assert!(names(directory.path()).is_empty());
    }
}
