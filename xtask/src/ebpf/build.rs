//! Compiles tracer-ebpf reproducibly: the same sources and compiler give the same object
//! everywhere.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::linker;
use super::toolchain::Toolchain;
use crate::{command, workspace};

/// Compiler flags that determine the object.
///
/// Its BTF is made from full debug information. The architecture matters only to bindings for
/// registers, which no program uses: the offsets of registers are set when it is loaded. So one
/// object serves every little-endian host.
pub(crate) const FLAGS: [&str; 4] = [
    "-Clinker=bpf-linker",
    "-Cdebuginfo=2",
    "-Clink-arg=--btf",
    "--cfg=bpf_target_arch=\"x86_64\"",
];

/// The release profile, repeated here so that a change to it for user space does not change the
/// object.
pub(crate) const PROFILE: [(&str, &str); 6] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "2"),
    ("CARGO_PROFILE_RELEASE_STRIP", "none"),
    ("CARGO_PROFILE_RELEASE_LTO", "false"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "false"),
];

const TARGET: &str = "bpfel-unknown-none";

/// Builds the object and returns its path.
///
/// # Errors
/// If the build fails.
pub(crate) fn build(toolchain: &Toolchain) -> Result<PathBuf> {
    command::succeed(cargo(toolchain, "build")?.arg("--locked"))?;
    Ok(directory()?.join(TARGET).join("release/tracer"))
}

/// `cargo SUBCOMMAND` for tracer-ebpf with `toolchain`.
///
/// # Errors
/// If the linker is missing or the directory for the build cannot be prepared.
pub(crate) fn cargo(toolchain: &Toolchain, subcommand: &str) -> Result<Command> {
    let directory = directory()?;
    let mut flags: Vec<_> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    flags.extend(path_remappings(toolchain));

    let mut command = Command::new(&toolchain.cargo);
    command
        .arg(subcommand)
        .args(["--release", "--package", "tracer-ebpf", "--target", TARGET, "-Zbuild-std=core"])
        .arg("--target-dir")
        .arg(&directory)
        .current_dir(workspace::root())
        .envs(PROFILE)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"))
        .env("RUSTC", &toolchain.rustc)
        .env("PATH", path_with_linker()?)
        .env("LD_LIBRARY_PATH", only_llvm(toolchain, &directory)?);
    match toolchain.rustup_name {
        Some(name) => command.env("RUSTUP_TOOLCHAIN", name),
        // Debian's rustc is a stable release, and building `core` is an unstable feature.
        None => command.env("RUSTC_BOOTSTRAP", "1").env_remove("RUSTUP_TOOLCHAIN"),
    };
    Ok(command)
}

/// A separate directory, because the flags differ from those of other builds.
fn directory() -> Result<PathBuf> {
    Ok(workspace::target()?.join("ebpf"))
}

/// The search path with the linker's directory first, because the flags name the linker without a
/// directory.
fn path_with_linker() -> Result<OsString> {
    let linker = linker::find()?;
    let directories = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&directories).collect::<Vec<_>>();
    let linker = linker.parent().map(Path::to_path_buf);
    env::join_paths(linker.into_iter().chain(directories)).context("cannot extend PATH")
}

/// A directory that contains only the compiler's LLVM: the linker loads the first library of that
/// name, and hosts often have several.
fn only_llvm(toolchain: &Toolchain, directory: &Path) -> Result<PathBuf> {
    let only = directory.join("llvm");
    let link = only.join("libLLVM.so");
    fs::create_dir_all(&only)
        .and_then(|()| if link.is_symlink() { fs::remove_file(&link) } else { Ok(()) })
        .and_then(|()| symlink(&toolchain.llvm, &link))
        .with_context(|| format!("cannot write {}", link.display()))?;
    Ok(only)
}

/// Flags that replace absolute paths: otherwise debug information and BTF would contain the paths of
/// this checkout, the home directory and the package registry.
fn path_remappings(toolchain: &Toolchain) -> Vec<String> {
    let mut names = vec![
        // With ".", the linker finds the sources, so verifier logs contain source lines.
        (workspace::root(), "."),
        (toolchain.sources.clone(), "rust"),
    ];
    names.extend(toolchain.sources.canonicalize().map(|path| (path, "rust")));
    let registries = workspace::cargo_home().join("registry/src");
    for entry in registries.read_dir().into_iter().flatten().flatten() {
        names.push((entry.path(), "registry"));
    }
    let remap = |(path, name): (PathBuf, &str)| {
        format!("--remap-path-prefix={}={name}", path.to_string_lossy())
    };
    names.into_iter().map(remap).collect()
}
