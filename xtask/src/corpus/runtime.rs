//! The requirements of the programs of the corpus: found, built, or installed as packages.

mod go;
mod java;
mod node;
pub(super) mod packages;
mod python;
mod rust;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::case::Case;
use super::need::{GoToolchain, Need};
use crate::{privileges, workspace};
use packages::Packages;

/// What a need provides for a program: placeholders and environment variables.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// Values of `{name}` in the command line of a program.
    pub(crate) placeholders: BTreeMap<&'static str, PathBuf>,
    /// Environment variables.
    pub(crate) environment: BTreeMap<&'static str, PathBuf>,
    /// The version, if cases run with several.
    pub(crate) version: Option<String>,
}

impl Tools {
    fn with<const N: usize>(placeholders: [(&'static str, PathBuf); N]) -> Self {
        Self { placeholders: placeholders.into(), ..Self::default() }
    }
}

/// Why a need cannot be met. Cases with it are skipped.
pub(crate) type Missing = String;

/// The needs that were prepared so far, or found to be missing.
pub(crate) struct Runtimes {
    build_env: BuildEnv,
    prepared: BTreeMap<(Need, Option<GoToolchain>), Result<Tools, Missing>>,
}

/// The directories in which programs are built, and the installer of packages.
struct BuildEnv {
    /// Sources: `tracer/tests/corpus`.
    corpus: PathBuf,
    /// Programs and downloads: `target/corpus`.
    built: PathBuf,
    /// Go's compiled packages.
    go_cache: PathBuf,
    packages: Packages,
}

impl Runtimes {
    /// With `may_install`, Debian packages are also installed; without it, only files in the build
    /// directory are created.
    ///
    /// # Errors
    /// If the workspace's build directory cannot be found.
    pub(crate) fn new(may_install: bool) -> Result<Self> {
        let build_env = BuildEnv {
            corpus: corpus(),
            built: workspace::target()?.join("corpus"),
            go_cache: crate::go::cache()?,
            packages: Packages::new(may_install),
        };
        Ok(Self { build_env, prepared: BTreeMap::new() })
    }

    /// What the needs of a case provide; `go` is for a case that requires Go.
    ///
    /// # Errors
    /// If a program of the corpus does not build. A need that cannot be met is a [`Missing`].
    pub(crate) fn of(
        &mut self,
        case: &Case,
        go: Option<GoToolchain>,
    ) -> Result<Result<Tools, Missing>> {
        let mut all = Tools::default();
        for &need in &case.needs {
            let go = if need == Need::Go { go } else { None };
            match self.one(need, go)? {
                // If two needs have the same placeholder, the first one counts.
                Ok(tools) => {
                    for (name, path) in &tools.placeholders {
                        all.placeholders.entry(name).or_insert_with(|| path.clone());
                    }
                    all.environment.extend(tools.environment.clone());
                    all.version = all.version.or_else(|| tools.version.clone());
                }
                Err(missing) => return Ok(Err(missing.clone())),
            }
        }
        Ok(Ok(all))
    }

    /// The server of the corpus, built.
    ///
    /// # Errors
    /// The program does not build.
    pub(crate) fn server(&mut self) -> Result<Result<PathBuf, Missing>> {
        let go = match self.one(Need::Go, Some(GoToolchain::Debian))? {
            Ok(tools) => tools.placeholders.get("go").cloned().context("no program go")?,
            Err(missing) => return Ok(Err(missing.clone())),
        };
        let directory = self.build_env.built.join("bin/server");
        go::build(&go, &self.build_env, &self.build_env.corpus.join("server"), &directory)?;
        Ok(Ok(directory.join("server")))
    }

    fn one(&mut self, need: Need, go: Option<GoToolchain>) -> Result<&Result<Tools, Missing>> {
        if !self.prepared.contains_key(&(need, go)) {
            let tools = prepare(&mut self.build_env, need, go)?;
            self.prepared.insert((need, go), tools);
        }
        self.prepared.get(&(need, go)).context("inserted above")
    }
}

/// The sources of the corpus.
pub(crate) fn corpus() -> PathBuf {
    workspace::root().join("tracer/tests/corpus")
}

fn prepare(
    build_env: &mut BuildEnv,
    need: Need,
    go: Option<GoToolchain>,
) -> Result<Result<Tools, Missing>> {
    match need {
        Need::Go => go::prepare(build_env, go.unwrap_or(GoToolchain::Newest)),
        Need::Python => python::prepare(build_env),
        Need::Node => node::prepare(build_env),
        Need::Java => java::prepare(build_env),
        Need::Rust => rust::prepare(build_env),
        Need::Nginx => Ok(build_env.packages.program("nginx", "nginx-light")),
        Need::Postgres => Ok(postgres(&mut build_env.packages)),
        Need::Redis => Ok(build_env.packages.program("redis-server", "redis-server")),
        Need::Ssh => Ok(build_env
            .packages
            .program("sshd", "openssh-server")
            .and_then(|_| build_env.packages.program("ssh", "openssh-client"))),
        Need::Netns => Ok(as_root().and_then(|_| build_env.packages.program("ip", "iproute2"))),
        Need::Cgroup => Ok(as_root().and_then(|_| cgroup())),
        Need::Root => Ok(as_root()),
    }
}

/// Debian installs its programs in a directory per version, which is not on the search path.
fn postgres(packages: &mut Packages) -> Result<Tools, Missing> {
    let find = || {
        let versions = Path::new("/usr/lib/postgresql").read_dir().ok()?;
        let programs = versions.flatten().map(|version| version.path().join("bin"));
        programs.filter(|directory| directory.join("postgres").is_file()).max()
    };
    let directory = packages.found("postgres", "postgresql", find)?;
    Ok(Tools::with([("bin", directory)]))
}

fn cgroup() -> Result<Tools, Missing> {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        Ok(Tools::default())
    } else {
        Err("no cgroup2 in /sys/fs/cgroup".to_owned())
    }
}

fn as_root() -> Result<Tools, Missing> {
    if privileges::is_root() { Ok(Tools::default()) } else { Err("not run as root".to_owned()) }
}
