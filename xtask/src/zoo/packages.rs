//! Packages of exhibits, installed if they are missing. Each command is shown first.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::exhibit::Exhibit;
use crate::{command, python, workspace};

/// The script that Debian's packages run before they start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// A script that forbids starting any service.
const NO_SERVICES: &str =
    "#!/bin/sh\n# Written by `cargo xtask zoo`, and removed by it.\nexit 101\n";
/// Packages that every exhibit may use.
const ALWAYS: [&str; 2] = ["curl", "python3"];

/// The installed packages.
pub(crate) struct Packages {
    /// The interpreter of a virtual environment with the Python packages.
    pub(crate) python: PathBuf,
    /// Names of packages that cannot be installed, with the reason.
    missing: BTreeMap<String, String>,
}

impl Packages {
    /// Installs the packages that these exhibits require and the host does not have.
    ///
    /// # Errors
    /// If the directory for builds cannot be found.
    pub(crate) fn prepare(exhibits: &[Exhibit]) -> Result<Self> {
        let mut missing = BTreeMap::new();
        install_debian(exhibits, &mut missing)?;
        let python = install_python(exhibits, &mut missing)?;
        Ok(Self { python, missing })
    }

    /// Why the exhibit cannot run; `None` if it can.
    pub(crate) fn reason(&self, exhibit: &Exhibit) -> Option<String> {
        let needed = exhibit.packages.iter().chain(&exhibit.pip);
        let reasons =
            needed.filter_map(|name| Some(format!("{name}: {}", self.missing.get(name)?)));
        let reasons: Vec<_> = reasons.collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

fn install_debian(exhibits: &[Exhibit], missing: &mut BTreeMap<String, String>) -> Result<()> {
    let named = exhibits.iter().flat_map(|exhibit| &exhibit.packages).map(String::as_str);
    let wanted: BTreeSet<&str> = named.chain(ALWAYS).filter(|name| !is_installed(name)).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    if command::find("apt-get").is_none() {
        let reason = "this host has no apt-get".to_owned();
        missing.extend(wanted.into_iter().map(|name| (name.to_owned(), reason.clone())));
        return Ok(());
    }
    let policy = Policy::set()?;
    // If this fails, older package lists may be sufficient.
    let _ = command::announce(Command::new("apt-get").args(["--quiet", "update"]));
    let all: Vec<&str> = wanted.iter().copied().collect();
    if install(&all).is_err() {
        // Installed one by one, so that one that fails does not affect the others.
        for name in all {
            if let Err(error) = install(&[name]) {
                missing.insert(name.to_owned(), format!("{error:#}"));
            }
        }
    }
    drop(policy);
    Ok(())
}

fn install(names: &[&str]) -> Result<()> {
    let mut install = Command::new("apt-get");
    install.args(["--quiet", "install", "--yes", "--no-install-recommends"]).args(names);
    // Disables questions, because there is no terminal.
    install.env("DEBIAN_FRONTEND", "noninteractive").env("NEEDRESTART_MODE", "l");
    command::announce(&mut install)
}

fn is_installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status}", package]);
    command::output(&mut query).is_ok_and(|status| status == "installed")
}

/// Prevents services of packages from being started until it is dropped.
struct Policy {
    /// Whether the host has no such script of its own, so that ours is removed when this is
    /// dropped.
    is_ours: bool,
}

impl Policy {
    fn set() -> Result<Self> {
        // A script left by an interrupted run is also ours.
        if fs::read_to_string(POLICY).is_ok_and(|text| text != NO_SERVICES) {
            return Ok(Self { is_ours: false });
        }
        let policy = Self { is_ours: true };
        fs::write(POLICY, NO_SERVICES).with_context(|| format!("cannot write {POLICY}"))?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.is_ours {
            // If this fails, the next run removes it.
            let _ = fs::remove_file(POLICY);
        }
    }
}

fn install_python(exhibits: &[Exhibit], missing: &mut BTreeMap<String, String>) -> Result<PathBuf> {
    let environment = workspace::target()?.join("zoo/python");
    let names: BTreeSet<&str> =
        exhibits.iter().flat_map(|exhibit| &exhibit.pip).map(String::as_str).collect();
    let base = python::debian_interpreter().unwrap_or_else(|| PathBuf::from("python3"));
    if names.is_empty() && !environment.join("bin/python").is_file() {
        return Ok(base);
    }
    if !environment.join("bin/pip").is_file()
        && let Err(error) = make_environment(&base, &environment)
    {
        missing.extend(names.into_iter().map(|name| (name.to_owned(), format!("{error:#}"))));
        return Ok(base);
    }
    for name in names {
        // The index is queried only for packages that are not installed yet.
        let marker = environment.join("installed").join(name);
        if marker.is_file() {
            continue;
        }
        match python::install(&environment, &[OsStr::new(name)]) {
            Ok(()) => {
                fs::create_dir_all(environment.join("installed"))?;
                fs::write(&marker, "")?;
            }
            Err(_) => {
                missing.insert(name.to_owned(), "pip could not install it".to_owned());
            }
        }
    }
    Ok(environment.join("bin/python"))
}

fn make_environment(base: &Path, environment: &Path) -> Result<()> {
    if !command::succeeds(Command::new(base).args(["-c", "import ensurepip"])) {
        install(&["python3-venv"])?;
    }
    python::make_environment(base, environment)
}
