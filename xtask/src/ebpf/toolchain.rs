//! The compilers that can build BPF programs: rustup's nightly, or Debian's rustc.
//!
//! Both need the sources of the standard library, because there is no compiled `core` for BPF, and
//! the LLVM version for which the linker is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use super::linker;
use crate::{command, workspace};

/// The nightly that `cargo xtask setup` installs. Later ones have an LLVM whose output bpf-linker
/// cannot read.
pub(crate) const NIGHTLY: &str = "nightly-2026-05-20";

/// The LLVM version for which [`linker::VERSION`] is built.
const LLVM_MAJOR: &str = "22";

/// A compiler that can build BPF programs.
#[derive(Clone, Debug)]
pub(crate) struct Toolchain {
    /// The name of the toolchain for people.
    pub(crate) name: String,
    /// The version output of its rustc.
    pub(crate) version: String,
    /// The name of the toolchain in rustup, if it comes from rustup.
    pub(crate) rustup_name: Option<&'static str>,
    /// The cargo that belongs to it.
    pub(crate) cargo: PathBuf,
    /// The compiler of the toolchain.
    pub(crate) rustc: PathBuf,
    /// The directory of the compiler's sources, with `library` in it.
    pub(crate) sources: PathBuf,
    /// The LLVM shared library, which the linker loads.
    pub(crate) llvm: PathBuf,
}

/// The first complete toolchain, of rustup's nightly and Debian's rustc, if the linker is also
/// installed.
///
/// # Errors
/// What is missing in each of them.
pub(crate) fn find() -> Result<Toolchain> {
    let compiler = find_compiler();
    match (compiler, linker::find()) {
        (Ok(toolchain), Ok(_)) => Ok(toolchain),
        (compiler, linker) => {
            let missing = [compiler.err(), linker.err()].into_iter().flatten();
            let missing: Vec<_> = missing.map(|error| format!("{error:#}")).collect();
            bail!("{}; `cargo xtask setup` installs what is missing", missing.join("; "))
        }
    }
}

/// The first complete compiler, whether or not the linker is installed.
///
/// # Errors
/// What is missing in each of them.
pub(crate) fn find_compiler() -> Result<Toolchain> {
    let mut missing = Vec::new();
    for candidate in [from_rustup(NIGHTLY), from_rustup("nightly"), from_debian()] {
        match candidate {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => missing.push(format!("{error:#}")),
        }
    }
    Err(anyhow!("no compiler for BPF programs: {}", missing.join("; ")))
}

fn from_rustup(name: &'static str) -> Result<Toolchain> {
    let rustc = command::output(
        Command::new("rustup")
            .args(["which", "--toolchain", name, "rustc"])
            // Rustup must not install a toolchain just because it is asked whether one exists.
            .env("RUSTUP_AUTO_INSTALL", "0"),
    )
    .map_err(|_| anyhow!("rustup has no {name}"))?;
    let rustc = PathBuf::from(rustc);
    let version = version_with_right_llvm(&rustc).with_context(|| format!("rustup's {name}"))?;
    let sysroot = rustc.ancestors().nth(2).context("rustc is not in a toolchain")?;
    let sources = library_sources(sysroot)
        .with_context(|| format!("rustup's {name} has no component rust-src"))?;
    let llvm = llvm_library(&sysroot.join("lib"))
        .with_context(|| format!("rustup's {name} has no shared LLVM"))?;
    Ok(Toolchain {
        name: format!("rustup's {name}"),
        version,
        rustup_name: Some(name),
        cargo: sysroot.join("bin/cargo"),
        rustc: rustc.clone(),
        sources,
        llvm,
    })
}

fn from_debian() -> Result<Toolchain> {
    let rustc = PathBuf::from("/usr/bin/rustc");
    if !rustc.exists() {
        bail!("Debian's packages rustc-web and rust-web-src are not installed");
    }
    let version = version_with_right_llvm(&rustc).context("Debian's /usr/bin/rustc")?;
    let sysroot = command::output(Command::new(&rustc).args(["--print", "sysroot"]))?;
    let sources = library_sources(Path::new(&sysroot))
        .context("Debian's package rust-web-src is not installed")?;
    let directories = Path::new("/usr/lib").read_dir().into_iter().flatten().flatten();
    let llvm = directories
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with("-linux-gnu"))
        .find_map(|path| llvm_library(&path))
        .with_context(|| format!("Debian's package libllvm{LLVM_MAJOR} is not installed"))?;
    Ok(Toolchain {
        name: "Debian's rustc-web".to_owned(),
        version,
        rustup_name: None,
        cargo: workspace::cargo().into(),
        rustc,
        sources,
        llvm,
    })
}

/// The version of rustc.
///
/// # Errors
/// The LLVM of the toolchain is not the one that the linker requires.
fn version_with_right_llvm(rustc: &Path) -> Result<String> {
    let verbose = command::output(Command::new(rustc).arg("-vV"))?;
    let llvm = verbose.lines().find_map(|line| line.strip_prefix("LLVM version: "));
    let llvm = llvm.unwrap_or("unknown");
    if llvm.split('.').next() != Some(LLVM_MAJOR) {
        bail!("has LLVM {llvm}, and bpf-linker {} needs {LLVM_MAJOR}", linker::VERSION);
    }
    Ok(verbose.lines().next().unwrap_or_default().to_owned())
}

/// The compiler's sources below `sysroot`, if they are installed.
fn library_sources(sysroot: &Path) -> Option<PathBuf> {
    let sources = sysroot.join("lib/rustlib/src/rust");
    sources.join("library/core/src/lib.rs").exists().then_some(sources)
}

/// The shared LLVM in `directory`, as rustup (`libLLVM.so.22.1-rust-…`) and Debian
/// (`libLLVM.so.22.1`) name it.
fn llvm_library(directory: &Path) -> Option<PathBuf> {
    let prefix = format!("libLLVM.so.{LLVM_MAJOR}.");
    let entries = directory.read_dir().ok()?.flatten();
    let mut libraries: Vec<_> = entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .collect();
    libraries.sort();
    libraries.pop()
}
