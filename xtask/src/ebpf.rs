//! `cargo xtask ebpf`: the committed BPF object and its sources.

pub(crate) mod build;
pub(crate) mod digest;
pub(crate) mod linker;
pub(crate) mod record;
mod strip;
pub(crate) mod toolchain;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Args;

use crate::workspace;
use record::Record;
use toolchain::Toolchain;

#[derive(Args)]
pub(crate) struct Arguments {
    /// Build nothing; only check that the committed object matches the sources.
    #[arg(long, conflicts_with = "out")]
    check: bool,
    /// Write the object to this directory instead of replacing the committed one.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Rebuilds the object, or checks the committed one.
///
/// # Errors
/// If the object does not match the sources, or it cannot be built here.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    if arguments.check {
        check()?;
        println!("the committed BPF object matches the sources");
        return Ok(());
    }
    let toolchain = toolchain::find()?;
    println!("building with {} ({})", toolchain.name, toolchain.version);
    let committed = workspace::root().join("tracer/bpf");
    let object = rebuild(&toolchain, arguments.out.as_deref().unwrap_or(&committed))?;
    println!("wrote {}", object.display());
    Ok(())
}

/// Compares the committed digests with the object and the sources.
///
/// # Errors
/// What differs, and how to fix it.
pub(crate) fn check() -> Result<()> {
    let object = workspace::object();
    let bytes = fs::read(&object).map_err(|error| {
        anyhow!("cannot read {}: {error}; run `cargo xtask ebpf`", object.display())
    })?;
    let record = Record::read(&object.with_file_name(record::FILE_NAME))?;
    record.compare(&digest::of_sources(&workspace::root())?, &digest::of_bytes(&bytes))
}

/// Builds the object into `directory`, with a record of its sources and tools.
///
/// # Errors
/// If the build fails or `directory` cannot be written.
pub(crate) fn rebuild(toolchain: &Toolchain, directory: &Path) -> Result<PathBuf> {
    // Computed before the build, so that a source that changes during the build counts as changed.
    let sources = digest::of_sources(&workspace::root())?;
    let built = build::build(toolchain)?;

    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let bytes = strip::without_dwarf(&bytes)?;
    let record = Record {
        sources,
        object: digest::of_bytes(&bytes),
        compiler: toolchain.version.clone(),
        linker: linker::NAME_AND_VERSION.to_owned(),
    };
    let object = directory.join("tracer.bpf.o");
    fs::create_dir_all(directory)
        .and_then(|()| fs::write(&object, &bytes))
        .with_context(|| format!("cannot write {}", object.display()))?;
    record.write(&directory.join(record::FILE_NAME))?;
    Ok(object)
}
