//! What the programs of the corpus need, installed by package name where it is missing.

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

/// What a program can use of one need: placeholders and variables of the environment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tools {
    /// What `{name}` in the command of a program stands for.
    pub(crate) words: BTreeMap<&'static str, PathBuf>,
    /// Variables of the environment.
    pub(crate) environment: BTreeMap<&'static str, PathBuf>,
    /// The version, where cases run with several.
    pub(crate) version: Option<String>,
}

impl Tools {
    fn words<const N: usize>(words: [(&'static str, PathBuf); N]) -> Self {
        Self { words: words.into(), ..Self::default() }
    }
}

/// Why something cannot be had. Cases that need it are skipped.
pub(crate) type Lack = String;

/// Everything that was prepared, or found to be impossible, so far.
pub(crate) struct Runtimes {
    shop: Workshop,
    prepared: BTreeMap<(Need, Option<GoToolchain>), Result<Tools, Lack>>,
}

/// Where programs are built and what installs packages.
struct Workshop {
    /// The sources: `tracer/tests/corpus`.
    corpus: PathBuf,
    /// What is built and downloaded: `target/corpus`.
    built: PathBuf,
    packages: Packages,
}

impl Runtimes {
    /// `may_install`: Debian packages too, not only what stays in the build directory.
    ///
    /// # Errors
    /// If the workspace's build directory cannot be told.
    pub(crate) fn new(may_install: bool) -> Result<Self> {
        let shop = Workshop {
            corpus: corpus(),
            built: workspace::target()?.join("corpus"),
            packages: Packages::new(may_install),
        };
        Ok(Self { shop, prepared: BTreeMap::new() })
    }

    /// What the case can use, run with this Go.
    ///
    /// # Errors
    /// If a program of the corpus does not build. That something cannot be had is a [`Lack`].
    pub(crate) fn of(
        &mut self,
        case: &Case,
        go: Option<GoToolchain>,
    ) -> Result<Result<Tools, Lack>> {
        let mut all = Tools::default();
        for &need in &case.needs {
            let go = if need == Need::Go { go } else { None };
            match self.one(need, go)? {
                // The first need that has a word says what it stands for.
                Ok(tools) => {
                    for (word, path) in &tools.words {
                        all.words.entry(word).or_insert_with(|| path.clone());
                    }
                    all.environment.extend(tools.environment.clone());
                    all.version = all.version.or_else(|| tools.version.clone());
                }
                Err(lack) => return Ok(Err(lack.clone())),
            }
        }
        Ok(Ok(all))
    }

    /// The server of the corpus, built.
    ///
    /// # Errors
    /// If it does not build.
    pub(crate) fn server(&mut self) -> Result<Result<PathBuf, Lack>> {
        let go = match self.one(Need::Go, Some(GoToolchain::Debian))? {
            Ok(tools) => tools.words.get("go").cloned().context("the Go tools have no go")?,
            Err(lack) => return Ok(Err(lack.clone())),
        };
        let directory = self.shop.built.join("bin/server");
        go::build(&go, &self.shop, &self.shop.corpus.join("server"), &directory)?;
        Ok(Ok(directory.join("server")))
    }

    fn one(&mut self, need: Need, go: Option<GoToolchain>) -> Result<&Result<Tools, Lack>> {
        if !self.prepared.contains_key(&(need, go)) {
            let tools = prepare(&mut self.shop, need, go)?;
            self.prepared.insert((need, go), tools);
        }
        self.prepared.get(&(need, go)).context("it was just put there")
    }
}

/// The sources of the corpus.
pub(crate) fn corpus() -> PathBuf {
    workspace::root().join("tracer/tests/corpus")
}

fn prepare(
    shop: &mut Workshop,
    need: Need,
    go: Option<GoToolchain>,
) -> Result<Result<Tools, Lack>> {
    match need {
        Need::Go => go::prepare(shop, go.unwrap_or(GoToolchain::Newest)),
        Need::Python => python::prepare(shop),
        Need::Node => node::prepare(shop),
        Need::Java => java::prepare(shop),
        Need::Rust => rust::prepare(shop),
        Need::Nginx => Ok(shop.packages.program("nginx", "nginx-light")),
        Need::Postgres => Ok(postgres(&mut shop.packages)),
        Need::Redis => Ok(shop.packages.program("redis-server", "redis-server")),
        Need::Ssh => Ok(shop
            .packages
            .program("sshd", "openssh-server")
            .and_then(|_| shop.packages.program("ssh", "openssh-client"))),
        Need::Netns => Ok(as_root().and_then(|_| shop.packages.program("ip", "iproute2"))),
        Need::Cgroup => Ok(as_root().and_then(|_| cgroup())),
        Need::Root => Ok(as_root()),
    }
}

/// Its programs are in a directory of their version, and not on the search path.
fn postgres(packages: &mut Packages) -> Result<Tools, Lack> {
    let find = || {
        let versions = Path::new("/usr/lib/postgresql").read_dir().ok()?;
        let programs = versions.flatten().map(|version| version.path().join("bin"));
        programs.filter(|directory| directory.join("postgres").is_file()).max()
    };
    let directory = packages.found("postgres", "postgresql", find)?;
    Ok(Tools::words([("bin", directory)]))
}

fn cgroup() -> Result<Tools, Lack> {
    if Path::new("/sys/fs/cgroup/cgroup.controllers").exists() {
        Ok(Tools::default())
    } else {
        Err("no cgroup2 in /sys/fs/cgroup".to_owned())
    }
}

fn as_root() -> Result<Tools, Lack> {
    if privileges::is_root() { Ok(Tools::default()) } else { Err("not run as root".to_owned()) }
}
