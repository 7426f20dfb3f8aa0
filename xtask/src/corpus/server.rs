//! The server of the corpus. It runs in two variants, and is itself a healthy program.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::pace::Pace;

/// How the server treats idle connections.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServerName {
    /// The server keeps idle connections open.
    Keep,
    /// The server closes idle connections after 5s.
    Close5,
}

impl ServerName {
    pub(crate) const ALL: [Self; 2] = [Self::Keep, Self::Close5];

    /// The name of the server in the case files.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Close5 => "close5",
        }
    }

    const fn idle_timeout(self) -> &'static str {
        match self {
            Self::Keep => "0s",
            Self::Close5 => "5s",
        }
    }
}

/// A running server; it is killed when this is dropped.
pub(crate) struct Server {
    pub(crate) name: ServerName,
    /// `host:port` without TLS.
    pub(crate) plain: String,
    /// `host:port`, with TLS.
    pub(crate) tls: String,
    /// The certificate to trust, as a PEM file.
    pub(crate) ca: PathBuf,
    child: Child,
    /// The server runs until this is closed.
    _input: ChildStdin,
}

impl Server {
    /// Starts the program; its files go to `directory`.
    ///
    /// # Errors
    /// The server does not start, or does not report its addresses.
    pub(crate) fn start(
        program: &Path,
        name: ServerName,
        directory: &Path,
        pace: &Pace,
    ) -> Result<Self> {
        let ca = directory.join(format!("{}-ca.pem", name.word()));
        let mut command = Command::new(program);
        command.args(["--idle-timeout", name.idle_timeout(), "--ca"]).arg(&ca);
        pace.set_environment(&mut command);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let input = child.stdin.take().context("the output is piped")?;
        let output = child.stdout.take().context("the output is piped")?;
        let mut server =
            Self { name, plain: String::new(), tls: String::new(), ca, child, _input: input };
        for line in BufReader::new(output).lines() {
            match line?.split_once(' ') {
                Some(("plain", address)) => address.clone_into(&mut server.plain),
                Some(("tls", address)) => {
                    address.clone_into(&mut server.tls);
                    return Ok(server);
                }
                _ => break,
            }
        }
        bail!("the server {} does not report its addresses", name.word())
    }

    /// Checks that it is still running.
    ///
    /// # Errors
    /// The server has exited. The results of programs that use it are then meaningless.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the server {} exited with {status}", self.name.word()),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
