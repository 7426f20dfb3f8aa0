//! Files that are there whole or not at all.

use std::{
    fs,
    io::{self, ErrorKind, Write as _},
    path::Path,
};

use anyhow::{Result, anyhow, bail};

use super::append::cause;

/// Puts a file with these bytes in the place of one of that name, for its owner only. It is written
/// beside and renamed, so that nobody sees half of it, and a failure leaves what was there.
///
/// # Errors
/// There is a link or something else than a regular file, the directory cannot be written to, or
/// the disk is full.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let shown = path.display();
    match fs::symlink_metadata(path) {
        // Renaming would not follow it, and would not write what it leads to either.
        Ok(metadata) if metadata.is_symlink() => {
            bail!("cannot write {shown}: it is a symbolic link; name the file that it leads to")
        }
        Ok(metadata) if !metadata.is_file() => {
            bail!("cannot write {shown}: it is not a regular file; name another, or - for stdout")
        }
        _ => {}
    }
    write(path, bytes).map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow!(
            "cannot create {shown}: its directory does not exist; create that or name another file"
        ),
        _ => anyhow!("cannot write {shown}: {}; name another file", cause(&error)),
    })
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
    // Its name cannot be foreseen, it is not opened if it is there already, and its mode is 0600.
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
    fn a_file_is_replaced_for_its_owner_only() {
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
    fn a_link_is_neither_followed_nor_replaced() {
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
    fn what_cannot_be_written_says_why_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let complaint = |path: &Path| replace(path, b"new").unwrap_err().to_string();
        assert!(complaint(directory.path()).contains("not a regular file"));
        let nowhere = complaint(&directory.path().join("no/page.html"));
        assert!(nowhere.contains("its directory does not exist"), "{nowhere}");
        assert!(names(directory.path()).is_empty());
    }
}
