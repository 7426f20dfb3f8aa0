//! The files that people write, as text.

use std::fs;
use std::path::{Path, PathBuf};

/// Extensions of code, settings and prose.
const EXTENSIONS: [&str; 7] = ["json", "md", "py", "rs", "sh", "toml", "yml"];

/// A file of this repository.
pub(crate) struct SourceFile {
    /// Relative to the workspace.
    pub(crate) name: PathBuf,
    pub(crate) text: String,
}

impl SourceFile {
    /// Whether it is a Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.name.extension().is_some_and(|extension| extension == "rs")
    }

    /// Lines with their numbers, from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// A violation with its position.
    pub(crate) fn at(&self, line: usize, offence: &str) -> String {
        format!("{}:{line}: {offence}", self.name.display())
    }
}

/// Every file below `root` that is code, settings or prose, by name. Build products are excluded.
pub(crate) fn all_below(root: &Path) -> Vec<SourceFile> {
    let mut directories = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in directory.read_dir().unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !path.is_symlink() {
                // A checkout may have several target directories.
                if !name.starts_with("target") && name != ".git" {
                    directories.push(path);
                }
            } else if is_written(&path) {
                let text = fs::read_to_string(&path).unwrap();
                files.push(SourceFile { name: path.strip_prefix(root).unwrap().into(), text });
            }
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}

fn is_written(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    EXTENSIONS.iter().any(|written| extension == *written) || path.ends_with(".ci/run")
}
