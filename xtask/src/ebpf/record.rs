//! The text file next to the BPF object: the sources, compiler and linker with which it was built.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

/// Name of the file.
pub(crate) const FILE_NAME: &str = "SOURCES";

const HEADING: &str = "# What tracer.bpf.o was built from; `cargo xtask ebpf` writes this file.";

/// The contents of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// Digest of the sources.
    pub(crate) sources: String,
    /// Digest of the object.
    pub(crate) object: String,
    /// The compiler's own name and version.
    pub(crate) compiler: String,
    /// The linker's own name and version.
    pub(crate) linker: String,
}

impl Record {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, or a line is missing.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).map_err(|error| {
            anyhow!("cannot read {}: {error}; run `cargo xtask ebpf`", path.display())
        })?;
        Self::parse(&text).with_context(|| format!("in {}", path.display()))
    }

    /// Writes the file at `path`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        fs::write(path, self.to_text()).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Compares it with the current digests of the sources and the object.
    ///
    /// # Errors
    /// Which of them has changed, and how to fix it.
    pub(crate) fn compare(&self, sources: &str, object: &str) -> Result<()> {
        if self.object != object {
            bail!(
                "tracer.bpf.o does not belong to the {FILE_NAME} next to it; run `cargo xtask ebpf`"
            );
        }
        if self.sources != sources {
            bail!(
                "the BPF programs have changed since tracer.bpf.o was built; \
                 run `cargo xtask ebpf`"
            );
        }
        Ok(())
    }

    fn parse(text: &str) -> Result<Self> {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            line.map(str::to_owned)
                .with_context(|| format!("no line `{key}: …`; run `cargo xtask ebpf`"))
        };
        Ok(Self {
            sources: value("sources")?,
            object: value("object")?,
            compiler: value("compiler")?,
            linker: value("linker")?,
        })
    }

    fn to_text(&self) -> String {
        let Self { sources, object, compiler, linker } = self;
        format!(
            "{HEADING}\nsources: {sources}\nobject: {object}\n\
             compiler: {compiler}\nlinker: {linker}\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Record;

    fn example() -> Record {
        Record {
            sources: "sha256:1".to_owned(),
            object: "sha256:2".to_owned(),
            compiler: "rustc 1.97.0".to_owned(),
            linker: "bpf-linker 0.10.3".to_owned(),
        }
    }

    #[test]
    fn survives_writing_and_reading() {
        assert_eq!(Record::parse(&example().to_text()).unwrap(), example());
    }

    #[test]
    fn a_missing_line_is_named() {
        let error = Record::parse("sources: sha256:1\n").unwrap_err();
        assert_eq!(error.to_string(), "no line `object: …`; run `cargo xtask ebpf`");
    }

    #[test]
    fn distinguishes_a_changed_source_from_a_changed_object() {
        assert!(example().compare("sha256:1", "sha256:2").is_ok());
        let changed_source = example().compare("sha256:3", "sha256:2").unwrap_err();
        assert!(changed_source.to_string().starts_with("the BPF programs have changed"));
        let changed_object = example().compare("sha256:1", "sha256:3").unwrap_err();
        assert!(changed_object.to_string().starts_with("tracer.bpf.o does not"));
    }
}
