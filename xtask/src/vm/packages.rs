//! Packages of several Debian releases, independent of the release that the host runs: downloaded
//! with apt from the host's own mirror, with package lists in a separate directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command;

/// The suites that have the kernels. Security archives have the stable series.
const SUITES: [(&str, Archive); 3] = [
    ("bullseye-security", Archive::Security),
    ("bookworm-security", Archive::Security),
    ("trixie-backports", Archive::Main),
];

/// Debian's keyring, by its names in different releases.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Archive {
    Main,
    Security,
}

/// The package lists.
pub(super) struct Index {
    options: Vec<String>,
    names: Vec<String>,
    downloads: PathBuf,
}

impl Index {
    /// Downloads the lists. If that fails, lists of an earlier run are used.
    ///
    /// # Errors
    /// If the host is not Debian, or the directory cannot be written.
    pub(super) fn fetch(cache: &Path) -> Result<Self> {
        let apt = cache.join("apt");
        let downloads = cache.join("packages");
        for directory in
            [apt.join("lists/partial"), apt.join("cache/archives/partial"), downloads.clone()]
        {
            fs::create_dir_all(&directory)
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        fs::write(apt.join("status"), "")?;
        fs::write(apt.join("sources.list"), sources()?)?;
        let options = options(&apt);
        let update = Command::new("apt-get").args(&options).args(["--quiet=2", "update"]).status();
        if !update.is_ok_and(|status| status.success()) {
            println!("some package lists could not be downloaded; earlier ones are used");
        }
        let names =
            command::output(Command::new("apt-cache").args(&options).args(["pkgnames", "linux-"]))?;
        let names = names.lines().map(str::to_owned).collect();
        Ok(Self { options, names, downloads })
    }

    /// Whether there is a package of this name.
    pub(super) fn has(&self, package: &str) -> bool {
        self.names.iter().any(|name| name == package)
    }

    /// The names with this prefix.
    pub(super) fn starting_with(&self, start: &str) -> Vec<&str> {
        self.names.iter().map(String::as_str).filter(|name| name.starts_with(start)).collect()
    }

    /// Downloads packages and unpacks them into a directory, without running their scripts.
    ///
    /// # Errors
    /// If they cannot be downloaded or unpacked.
    pub(super) fn unpack(&self, packages: &[String], directory: &Path) -> Result<()> {
        // Files left over from an interrupted run would also be unpacked.
        let downloads = self.downloads.join(directory.file_name().unwrap_or_default());
        let _ = fs::remove_dir_all(&downloads);
        fs::create_dir_all(&downloads)?;
        fs::create_dir_all(directory)?;
        command::succeed(
            Command::new("apt-get")
                .args(&self.options)
                .args(["--quiet=2", "download"])
                .args(packages)
                .current_dir(&downloads),
        )?;
        for entry in downloads.read_dir()? {
            let path = entry?.path();
            command::succeed(Command::new("dpkg-deb").arg("--extract").arg(path).arg(directory))?;
        }
        fs::remove_dir_all(&downloads).context("cannot remove the downloaded packages")
    }
}

fn options(apt: &Path) -> Vec<String> {
    let apt = apt.display();
    let settings = [
        format!("Dir::Etc::sourcelist={apt}/sources.list"),
        "Dir::Etc::sourceparts=/dev/null".to_owned(),
        "Dir::Etc::preferences=/dev/null".to_owned(),
        "Dir::Etc::preferencesparts=/dev/null".to_owned(),
        format!("Dir::State::lists={apt}/lists"),
        format!("Dir::State::status={apt}/status"),
        format!("Dir::Cache={apt}/cache"),
        "Acquire::Languages=none".to_owned(),
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
        "APT::Sandbox::User=root".to_owned(),
    ];
    settings.into_iter().flat_map(|setting| ["-o".to_owned(), setting]).collect()
}

/// The text of a `sources.list`, with the addresses that the host's apt uses.
fn sources() -> Result<String> {
    let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).is_file());
    let keyring = keyring.context("this host is not Debian: Debian's keyring is missing")?;
    let targets = command::output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        "$(CODENAME) $(REPO_URI)",
        "Created-By: Packages",
    ]))?;
    let sources: String = SUITES
        .into_iter()
        .filter_map(|(suite, archive)| {
            let address = address(&targets, archive)?;
            Some(format!("deb [signed-by={keyring}] {address} {suite} main\n"))
        })
        .collect();
    if sources.is_empty() {
        bail!("apt has no sources that have Debian's kernels");
    }
    Ok(sources)
}

/// The address of an archive. Each line of `targets` is a codename and an address.
fn address(targets: &str, wanted: Archive) -> Option<&str> {
    targets.lines().find_map(|line| {
        let (codename, address) = line.split_once(' ')?;
        let archive =
            if codename.ends_with("-security") { Archive::Security } else { Archive::Main };
        (archive == wanted).then(|| address.trim())
    })
}

/// The numbers in a version, by which versions of kernels are ordered.
pub(super) fn version_key(version: &str) -> Vec<u64> {
    let numbers = version.split(|it: char| !it.is_ascii_digit()).filter(|it| !it.is_empty());
    numbers.map(|number| number.parse().unwrap_or(u64::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let versions = ["5.10.0-9", "5.10.0-46", "6.1.0-5", "6.12.9+deb13", "6.12.117+deb12"];
        assert!(versions.is_sorted_by_key(|version| version_key(version)));
    }

    #[test]
    fn each_archive_has_its_own_address() {
        let targets = "some-security one://security\nsome two://main\nsome-updates three://x\n";
        assert_eq!(address(targets, Archive::Security), Some("one://security"));
        assert_eq!(address(targets, Archive::Main), Some("two://main"));
        assert_eq!(address("some two://main", Archive::Security), None);
    }
}
