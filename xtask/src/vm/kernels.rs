//! Which kernels the tests run on, and getting them: Debian's own, as packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::boot::Extent;
use super::packages::{Index, version_key};
use crate::command;

/// The stable series that are tested besides the newest, oldest first; the first is the floor.
pub(super) const SERIES: [&str; 4] = ["5.10", "6.1", "6.12", "6.18"];

/// The one that lies closest to another.
const LEFT_OUT_OF_REDUCED: &str = "6.18";

/// What the newest there is goes by.
pub(super) const NEWEST: &str = "newest";

/// The flavour for virtual machines, which is smaller and has all that the tests need.
const FLAVOUR: &str = "-cloud-amd64";

/// Modules that are loaded before the tests, in order: answers to questions about sockets.
const MODULES: [&str; 2] = ["inet_diag", "tcp_diag"];

/// A kernel that can be booted.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// The release, as `uname -r` says it.
    pub(super) release: String,
    /// The image.
    pub(super) image: PathBuf,
    /// Modules to load, in this order.
    pub(super) modules: Vec<PathBuf>,
}

/// Fetches the newest kernel of a series, unless it has been fetched before.
///
/// # Errors
/// Debian has none any more, or it cannot be fetched.
pub(super) fn fetch(index: &Index, series: &str, cache: &Path) -> Result<Kernel> {
    let release = release(index, series)?;
    let directory = cache.join("kernels").join(&release);
    let complete = directory.join("complete");
    if !complete.exists() {
        println!("fetching {release}");
        // From 6.19 on the package of that name is empty, and the parts are packages of their own.
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
        let is_ours = release.ends_with(FLAVOUR)
            && release.starts_with(|first: char| first.is_ascii_digit())
            // A newer series built for an older Debian, beside that Debian's own.
            && !release.contains("deb11");
        let is_wanted = series == NEWEST || release.starts_with(&format!("{series}."));
        (is_ours && is_wanted).then(|| release.to_owned())
    });
    releases.max_by_key(|release| version_key(release)).with_context(|| {
        format!("Debian has no kernel {series} any more, or its package lists cannot be fetched")
    })
}

fn image_package(release: &str) -> String {
    format!("linux-image-{release}")
}

/// The module, unpacked if it is compressed; `None` if it is part of the kernel or not there.
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

/// The first file below a directory whose name is as asked for.
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

/// The series that the user named, or those that belong to the extent.
///
/// # Errors
/// One of them is none that is tested.
pub(super) fn chosen(names: &[String], extent: Extent) -> Result<Vec<String>> {
    let all = SERIES.into_iter().chain([NEWEST]).map(str::to_owned).collect::<Vec<_>>();
    if names.is_empty() {
        let is_wanted = |name: &String| extent == Extent::Full || name != LEFT_OUT_OF_REDUCED;
        return Ok(all.into_iter().filter(is_wanted).collect());
    }
    if let Some(unknown) = names.iter().find(|name| !all.contains(name)) {
        bail!("there are no tests on kernel `{unknown}`; there are on {}", all.join(", "));
    }
    Ok(names.to_vec())
}
