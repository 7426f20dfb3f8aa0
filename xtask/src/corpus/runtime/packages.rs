//! Debian's packages: installed where a program is missing, each command shown first.

use std::env;
use std::path::PathBuf;

use super::{Lack, Tools};
use crate::{command, setup};

/// Where administration programs are, which an ordinary user's search path leaves out.
const ADMINISTRATION: [&str; 2] = ["/usr/sbin", "/sbin"];

/// Installs packages, or only says that they are missing.
pub(super) struct Packages {
    may_install: bool,
    updated: bool,
}

impl Packages {
    pub(super) fn new(may_install: bool) -> Self {
        Self { may_install, updated: false }
    }

    /// The program, from this package if it is missing.
    pub(super) fn program(&mut self, name: &str, package: &str) -> Result<Tools, Lack> {
        self.path_of(name, package).map(|_| Tools::default())
    }

    /// Where the program is, from this package if it is missing.
    pub(super) fn path_of(&mut self, name: &str, package: &str) -> Result<PathBuf, Lack> {
        self.found(name, package, || find(name))
    }

    /// What `find` gives, from this package if that is nothing.
    pub(super) fn found(
        &mut self,
        name: &str,
        package: &str,
        find: impl Fn() -> Option<PathBuf>,
    ) -> Result<PathBuf, Lack> {
        if let Some(path) = find() {
            return Ok(path);
        }
        self.install(name, package)?;
        find().ok_or_else(|| format!("no {name}, although {package} is installed"))
    }

    /// Installs `package`, because `name` is missing.
    pub(super) fn install(&mut self, name: &str, package: &str) -> Result<(), Lack> {
        if !self.may_install {
            return Err(format!("no {name}; `cargo xtask corpus` installs {package}"));
        }
        if !self.updated {
            // A list of packages that is a little old does as well, so this may fail.
            let _ = command::announce(setup::as_root("apt-get").arg("update"));
            self.updated = true;
        }
        let mut install = setup::as_root("apt-get");
        install.args(["install", "-y", "--no-install-recommends", package]);
        // Services that packages start by themselves would be listed among the leaks of others.
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

/// The caller's search path, and where administration programs are.
pub(crate) fn search_path() -> std::ffi::OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(ADMINISTRATION.map(PathBuf::from));
    env::join_paths(directories).unwrap_or(path)
}
