//! Debian packages, installed for programs that are missing. Each command is shown first.

use std::env;
use std::path::PathBuf;

use super::{Missing, Tools};
use crate::{command, setup};

/// Directories of administration programs, which are not on an ordinary user's search path.
const ADMINISTRATION: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Installs packages if that is allowed.
pub(super) struct Packages {
    may_install: bool,
    updated: bool,
}

impl Packages {
    pub(super) fn new(may_install: bool) -> Self {
        Self { may_install, updated: false }
    }

    /// Ensures that the program exists; installs the package if it is missing.
    pub(super) fn program(&mut self, name: &str, package: &str) -> Result<Tools, Missing> {
        self.path_of(name, package).map(|_| Tools::default())
    }

    /// The path of the program; installs the package if it is missing.
    pub(super) fn path_of(&mut self, name: &str, package: &str) -> Result<PathBuf, Missing> {
        self.found(name, package, || find(name))
    }

    /// The result of `find`; installs the package if there is none.
    pub(super) fn found(
        &mut self,
        name: &str,
        package: &str,
        find: impl Fn() -> Option<PathBuf>,
    ) -> Result<PathBuf, Missing> {
        if let Some(path) = find() {
            return Ok(path);
        }
        self.install(name, package)?;
        find().ok_or_else(|| format!("{package} is installed and has no {name}"))
    }

    /// Installs `package`, because `name` is missing.
    pub(super) fn install(&mut self, name: &str, package: &str) -> Result<(), Missing> {
        if !self.may_install {
            return Err(format!("no {name}; `cargo xtask corpus` installs {package}"));
        }
        if !self.updated {
            // If this fails, older package lists may be sufficient.
            let _ = command::announce(setup::as_root("apt-get").arg("update"));
            self.updated = true;
        }
        let mut install = setup::as_root("apt-get");
        install.args(["install", "-y", "--no-install-recommends", package]);
        // Disables questions, because there is no terminal.
        install.env("DEBIAN_FRONTEND", "noninteractive");
        command::announce(&mut install).map_err(|error| format!("no {name}: {error:#}"))
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let elsewhere = || {
        let paths = ADMINISTRATION.iter().map(|directory| PathBuf::from(directory).join(program));
        paths.into_iter().find(|path| path.is_file())
    };
    command::find(program).or_else(elsewhere)
}

/// The caller's search path, plus the directories of administration programs.
pub(crate) fn search_path() -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(ADMINISTRATION.map(PathBuf::from));
    env::join_paths(directories).unwrap_or(path)
}
