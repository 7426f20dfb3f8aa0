//! The kernels for the tests: Debian's packages, downloaded and unpacked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::packages::{Index, version_key};
use crate::command;
use crate::extent::Extent;

/// The stable series that are tested in addition to the newest kernel, oldest first. The first is
/// the oldest supported kernel.
pub(super) const SERIES: [&str; 4] = ["5.10", "6.1", "6.12", "6.18"];

/// The reduced set excludes the series that differs least from its neighbors.
const LEFT_OUT_OF_REDUCED: &str = "6.18";

/// The name of the newest kernel that Debian has.
pub(super) const NEWEST: &str = "newest";

/// Debian's flavor for virtual machines, which is smaller and sufficient for the tests.
const FLAVOR: &str = "-cloud-amd64";

/// Modules that are loaded before the tests, in this order: sock_diag for TCP.
const MODULES: [&str; 2] = ["inet_diag", "tcp_diag"];

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// The release, as `uname -r` prints it.
    pub(super) release: String,
    /// The kernel image.
    pub(super) image: PathBuf,
    /// Modules to load, in this order.
    pub(super) modules: Vec<PathBuf>,
}

/// Downloads the newest kernel of a series, unless it has been downloaded before.
///
/// # Errors
/// If Debian no longer has one, or it cannot be downloaded.
pub(super) fn fetch(index: &Index, series: &str, cache: &Path) -> Result<Kernel> {
    let release = release(index, series)?;
    let directory = cache.join("kernels").join(&release);
    let complete = directory.join("complete");
    if !complete.exists() {
        println!("downloading {release}");
        // Since 6.19, the package of that name is empty and its parts are separate packages.
        let parts = ["binary", "modules", "base"].map(|part| format!("linux-{part}-{release}"));
        let is_split = index.has(&parts[0]);
        let packages = if is_split { parts.to_vec() } else { vec![image_package(&release)] };
        index.unpack(&packages, &directory)?;
        fs::write(&complete, "")?;
    }
    let image = find(&directory, &|name| name.starts_with("vmlinuz"))
        .with_context(|| format!("no kernel image in {}", directory.display()))?;
    let module = |name: &&str| module(&directory, name);
    let modules = MODULES.iter().filter_map(|name| module(name).transpose());
    Ok(Kernel { release, image, modules: modules.collect::<Result<_>>()? })
}

/// The newest release of a series.
fn release(index: &Index, series: &str) -> Result<String> {
    let releases = index.starting_with("linux-image-").into_iter().filter_map(|package| {
        let release = package.strip_prefix("linux-image-")?;
        let is_ours = release.ends_with(FLAVOR)
            && release.starts_with(|first: char| first.is_ascii_digit())
            // Excludes newer series that are built for an older Debian release.
            && !release.contains("deb11");
        let is_wanted = series == NEWEST || release.starts_with(&format!("{series}."));
        (is_ours && is_wanted).then(|| release.to_owned())
    });
    releases
        .max_by_key(|release| version_key(release))
        .context("Debian no longer has it, or its package lists cannot be downloaded")
}

fn image_package(release: &str) -> String {
    format!("linux-image-{release}")
}

/// The module, decompressed; `None` if it is built into the kernel or missing.
fn module(directory: &Path, name: &str) -> Result<Option<PathBuf>> {
    let plain = format!("{name}.ko");
    if let Some(path) = find(directory, &|it| it == plain) {
        return Ok(Some(path));
    }
    let compressed = format!("{plain}.xz");
    let Some(path) = find(directory, &|it| it == compressed) else { return Ok(None) };
    command::succeed(Command::new("xz").args(["--decompress", "--force"]).arg(&path))?;
    Ok(Some(path.with_extension("")))
}

/// The first file below a directory whose name matches.
fn find(directory: &Path, matches: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries: Vec<_> = directory.read_dir().ok()?.flatten().collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.into_iter().find_map(|entry| {
        let path = entry.path();
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            return find(&path, matches);
        }
        matches(&entry.file_name().to_string_lossy()).then_some(path)
    })
}

/// The series that the user named, or those of the extent.
///
/// # Errors
/// If one of the names is not known.
pub(super) fn chosen(names: &[String], extent: Extent) -> Result<Vec<String>> {
    let all = SERIES.into_iter().chain([NEWEST]).map(str::to_owned).collect::<Vec<_>>();
    if names.is_empty() {
        let is_wanted = |name: &String| extent == Extent::Whole || name != LEFT_OUT_OF_REDUCED;
        return Ok(all.into_iter().filter(is_wanted).collect());
    }
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("kernel `{unknown}` is not tested; these are: {}", all.join(", "));
    }
    Ok(names.to_vec())
}
