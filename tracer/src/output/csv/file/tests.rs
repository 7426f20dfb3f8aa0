use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::*;

const ROW: &[u8] = b"a row,\"with \"\"quotes\"\" in it\",and three cells\r\n";

/// A temporary directory.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tracer-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn error_of(path: &Path) -> String {
    let error = CsvFile::create(path).err().map(|error| error.to_string());
    error.unwrap_or_default().replace(&path.display().to_string(), "FILE")
}

#[test]
fn a_new_file_is_private_and_a_known_one_is_appended_to() {
    let directory = Directory::new("csv-append");
    let path = directory.file("leaks.csv");
    for _ in 0..2 {
        let mut file = CsvFile::create(&path).unwrap();
        file.append(ROW).unwrap();
        file.finish().unwrap();
    }
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), [HEADER.as_bytes(), ROW, ROW].concat());
}

#[test]
fn an_empty_file_gets_the_header() {
    let directory = Directory::new("csv-empty");
    let path = directory.file("leaks.csv");
    fs::write(&path, "").unwrap();
    CsvFile::create(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), HEADER.as_bytes());
}

#[test]
fn a_file_of_another_kind_is_not_changed() {
    let directory = Directory::new("csv-foreign");
    let path = directory.file("leaks.csv");
    for contents in ["root:x:0:0\n", "SCHEMA,TIME\r\n", &HEADER[..20]] {
        fs::write(&path, contents).unwrap();
        assert_eq!(
            error_of(&path),
            "cannot append to FILE: its first line is not the header of this schema; choose \
             another file"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), contents);
    }
    fs::write(&path, format!("{HEADER}half a r")).unwrap();
    assert_eq!(
        error_of(&path),
        "cannot append to FILE: its last row is incomplete; delete that row or choose another file"
    );
}

#[test]
fn a_link_a_directory_a_pipe_and_a_device_are_refused() {
    let directory = Directory::new("csv-kinds");
    let link = directory.file("link");
    std::os::unix::fs::symlink(directory.file("target"), &link).unwrap();
    assert!(error_of(&link).starts_with("cannot write FILE: it is a symbolic link; "));
    assert!(!directory.file("target").exists());

    let pipe = directory.file("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(
        error_of(&pipe),
        "cannot write FILE: it is not a regular file; use -o csv to write to a pipe"
    );
    assert!(error_of(Path::new("/dev/null")).contains("not a regular file"));
    assert!(error_of(&directory.0).contains("Is a directory"));
    assert!(error_of(&directory.file("missing/leaks.csv")).contains("directory does not exist"));
}

#[test]
fn two_writers_do_not_mix_their_rows() {
    let directory = Directory::new("csv-lock");
    let path = directory.file("leaks.csv");
    let first = CsvFile::create(&path).unwrap();
    assert_eq!(
        error_of(&path),
        "cannot write FILE: another program has locked it; choose another file"
    );
    drop(first);
    CsvFile::create(&path).unwrap();
}

#[cfg(feature = "root-tests")]
mod as_root {
    use super::*;

    /// Unmounts when the test ends, even if it fails.
    struct Mount(Directory);

    impl Drop for Mount {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg(&self.0.0).status();
        }
    }

    #[test]
    fn a_really_full_disk_leaves_whole_rows() {
        let directory = Directory::new("csv-full");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tracer-test"]).arg(&directory.0);
        assert!(mount.status().unwrap().success());
        let mount = Mount(directory);
        let path = mount.0.file("leaks.csv");

        let mut file = CsvFile::create(&path).unwrap();
        let mut written = 0;
        let error = loop {
            match file.append(ROW) {
                Ok(()) => written += 1,
                Err(error) => break error.to_string(),
            }
        };
        assert_eq!(
            error,
            format!(
                "cannot append to {}: disk full after {written} rows were written; free disk space \
                 or choose a file on another disk",
                path.display()
            )
        );
        let contents = fs::read(&path).unwrap();
        assert_eq!(contents, [HEADER.as_bytes(), &ROW.repeat(written)].concat());
        assert!(contents.len() > 60_000);
        drop(file);
        // Once there is room again, a file whose disk was full is like any other.
        fs::write(mount.0.file("ballast"), "").unwrap();
        CsvFile::create(&path).unwrap();
    }
}
