//! A running exhibit.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::exhibit::{self, Exhibit};
use super::pace::Round;
use super::processes::{self, Tree};
use crate::workspace;

/// Longest wait for `start` and `load`.
const STARTING: Duration = Duration::from_mins(2);
/// Longest wait for a function that only prints or cleans up.
const BRIEF: Duration = Duration::from_secs(10);
/// Longest wait for a `disturb` that has not returned.
const DISTURBING: Duration = Duration::from_mins(1);
/// Number of lines of the exhibit's output that are shown after a failure.
const SHOWN: usize = 15;

/// The processes of an exhibit. They are killed when this is dropped.
pub(crate) struct Running {
    supervisor: Child,
    commands: Option<ChildStdin>,
    replies: Receiver<String>,
    /// Whether `disturb` was called and has not returned.
    is_disturbed: bool,
    directory: PathBuf,
}

impl Running {
    /// Starts the supervisor of the exhibit, which waits for commands. `port` is the first port that
    /// the exhibit may use.
    ///
    /// # Errors
    /// The directory of the exhibit cannot be made, or the supervisor cannot be started.
    pub(crate) fn new(
        exhibit: &Exhibit,
        port: u16,
        round: &Round,
        python: &Path,
        scratch: &Path,
    ) -> Result<Self> {
        let directory = scratch.join(&exhibit.name);
        fs::create_dir_all(&directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        // Servers that drop root also write there.
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777))?;
        let mut command = Command::new(workspace::xtask()?);
        command
            .args(["zoo", "--supervise"])
            .arg(&exhibit.file)
            .env("PORT", port.to_string())
            .env("DIR", &directory)
            .env("HOME", &directory)
            .env("IDLE", round.idle.as_secs().to_string())
            .env("ROUND", round.length.as_secs().to_string())
            .env("PYTHON", python)
            .env("PROGRAMS", exhibit::directory().join("programs"))
            .env("PATH", crate::corpus::search_path())
            .env("LC_ALL", "C")
            .env_remove("http_proxy")
            .env_remove("HTTP_PROXY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C ends only the harness. That closes the supervisor's standard input, which
            // makes it clean up.
            .process_group(0);
        let mut supervisor = command.spawn().context("cannot start xtask")?;
        let commands = supervisor.stdin.take();
        let output = supervisor.stdout.take().context("the output is piped")?;
        let (sender, replies) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { supervisor, commands, replies, is_disturbed: false, directory })
    }

    /// The pid of the supervisor.
    pub(crate) fn supervisor(&self) -> u32 {
        self.supervisor.id()
    }

    /// Calls `start` and `load`.
    ///
    /// # Errors
    /// If one fails or does not return.
    pub(crate) fn begin(&mut self) -> Result<()> {
        self.call("start", STARTING)?;
        self.call("load", STARTING)
    }

    /// Starts a call of `disturb`.
    ///
    /// # Errors
    /// If the exhibit has exited, or the last call has not returned.
    pub(crate) fn disturb(&mut self) -> Result<()> {
        self.finish_disturb(Duration::ZERO)?;
        self.send("disturb")?;
        self.is_disturbed = true;
        Ok(())
    }

    /// Checks that the supervisor has not exited.
    ///
    /// # Errors
    /// The supervisor has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.supervisor.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("it exited with {status}; {}", self.output_tail()),
        }
    }

    /// What `expect` or `accept` prints.
    ///
    /// # Errors
    /// The function fails.
    pub(crate) fn ask(&mut self, function: &str) -> Result<String> {
        self.finish_disturb(DISTURBING)?;
        self.call(function, BRIEF)?;
        let answer = self.directory.join(function);
        fs::read_to_string(&answer).with_context(|| format!("cannot read {}", answer.display()))
    }

    /// When the last event of a twin happened, in seconds since the epoch.
    ///
    /// # Errors
    /// The twin has written no time, or something that is not a number.
    pub(crate) fn last_event(&self) -> Result<f64> {
        let text = fs::read_to_string(self.directory.join("last-event"));
        let text = text.context("the twin has not written the time of its last event")?;
        text.trim().parse().context("`last-event` is not a number of seconds")
    }

    /// Calls `stop` and kills all processes.
    ///
    /// # Errors
    /// If `stop` fails, or a process remains.
    pub(crate) fn end(&mut self) -> Result<()> {
        let stopped = self.finish_disturb(DISTURBING).and_then(|()| self.call("stop", BRIEF));
        self.kill().and(stopped)
    }

    fn finish_disturb(&mut self, longest: Duration) -> Result<()> {
        if std::mem::take(&mut self.is_disturbed) {
            return self.reply("disturb", longest);
        }
        Ok(())
    }

    fn call(&mut self, function: &str, longest: Duration) -> Result<()> {
        self.send(function)?;
        self.reply(function, longest)
    }

    fn send(&mut self, function: &str) -> Result<()> {
        let commands = self.commands.as_mut().context("it was killed")?;
        if writeln!(commands, "{function}").is_err() {
            bail!("it exited before `{function}`; {}", self.output_tail());
        }
        Ok(())
    }

    fn reply(&self, function: &str, longest: Duration) -> Result<()> {
        match self.replies.recv_timeout(longest) {
            Ok(reply) if reply == function => Ok(()),
            Ok(reply) => bail!("called `{function}`, and got the reply `{reply}`"),
            Err(RecvTimeoutError::Timeout) => {
                bail!("`{function}` has not returned; {}", self.output_tail())
            }
            Err(RecvTimeoutError::Disconnected) => {
                bail!("it exited in `{function}`; {}", self.output_tail())
            }
        }
    }

    /// Closes the input of the supervisor, which then kills all processes, and waits for it.
    fn kill(&mut self) -> Result<()> {
        self.commands = None;
        let deadline = Instant::now() + BRIEF;
        while self.supervisor.try_wait()?.is_none() {
            if Instant::now() > deadline {
                // Ends a function that does not return.
                Tree::read().descendants(self.supervisor()).into_iter().for_each(processes::kill);
            }
            thread::sleep(Duration::from_millis(20));
        }
        let status = self.supervisor.wait()?;
        if !status.success() {
            bail!("its supervisor exited with {status}");
        }
        Ok(())
    }

    fn output_tail(&self) -> String {
        let log = fs::read(self.directory.join("output.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
        format!("its output ends with\n    {}", end.join("\n    "))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Needed only after an error, which has been reported.
        let _ = self.kill();
    }
}
