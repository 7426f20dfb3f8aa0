//! A running program of the corpus, and the protocol of its output.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::session;

/// Longest wait for a program to exit after its input was closed.
const ENDING: Duration = Duration::from_secs(5);
/// Longest wait for processes that were killed.
const KILLING: Duration = Duration::from_secs(2);
/// Number of lines of the program's standard error that are shown after a failure.
const SHOWN: usize = 20;

/// Replaces each `{name}` by its value.
///
/// # Errors
/// If a name is not known.
pub(crate) fn fill_in(placeholders: &BTreeMap<&str, String>, argument: &str) -> Result<String> {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').context("a `{` without `}`")?;
        let value =
            placeholders.get(name).with_context(|| format!("`{{{name}}}` is not a placeholder"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A program in its own session. It is ended when this is dropped.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
    /// The processes that the program named as the subject of its label.
    judged: BTreeSet<u32>,
    /// How many connections leak, if the program reported it.
    pub(crate) count: Option<u64>,
    ready: bool,
}

impl Program {
    /// Starts `command` in the directory `work`.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(crate) fn start(command: &mut Command, work: &Path) -> Result<Self> {
        let log = work.join("stderr.log");
        let errors =
            File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        // The child does not lead a process group, so setsid does not fork and the pid stays the
        // same.
        let mut session = Command::new("setsid");
        session.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        let session = session.current_dir(work).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = session.stderr(errors).spawn().context("cannot start setsid")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("the output is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Ends at EOF, or when the receiver was dropped.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let judged = BTreeSet::new();
        Ok(Self { child, input, lines, log, judged, count: None, ready: false })
    }

    /// Reads what the program has written so far, and returns whether it is ready.
    ///
    /// # Errors
    /// If a line is not part of the protocol, or the program has exited.
    pub(crate) fn poll(&mut self) -> Result<bool> {
        while let Ok(line) = self.lines.try_recv() {
            self.read_line(line.trim()).with_context(|| self.stderr_tail())?;
        }
        if let Some(status) = self.child.try_wait()? {
            bail!("it exited with {status}; {}", self.stderr_tail());
        }
        Ok(self.ready)
    }

    fn read_line(&mut self, line: &str) -> Result<()> {
        match line.split_once(' ') {
            None if line == "ready" => self.ready = true,
            Some(("judge", pid)) => {
                self.judged.insert(pid.trim().parse().context("`judge` takes a pid")?);
            }
            Some(("count", count)) => {
                self.count = Some(count.trim().parse().context("`count` takes a number")?);
            }
            _ => bail!("it wrote `{line}`, which is not in the protocol"),
        }
        Ok(())
    }

    /// The processes whose findings are compared with the label: those that the program named, else
    /// all of its session.
    pub(crate) fn processes(&self, sessions: &BTreeMap<u32, BTreeSet<u32>>) -> BTreeSet<u32> {
        if self.judged.is_empty() {
            sessions.get(&self.child.id()).cloned().unwrap_or_default()
        } else {
            self.judged.clone()
        }
    }

    /// The last lines of the program's standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().collect();
        let end = lines.get(lines.len().saturating_sub(SHOWN)..).unwrap_or_default();
        if end.is_empty() {
            "it wrote nothing to its standard error".to_owned()
        } else {
            format!("its standard error ends with\n    {}", end.join("\n    "))
        }
    }

    /// Closes the program's input, which makes it exit; [`Program::finish`] waits for that.
    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// Waits until the program has exited, and then kills the remaining processes of its session.
    ///
    /// # Errors
    /// If a process does not exit.
    pub(crate) fn finish(&mut self, input_closed: Instant) -> Result<()> {
        self.close_input();
        self.wait_until(input_closed + ENDING)?;
        for pid in self.remaining().iter().chain(&self.judged) {
            kill(*pid);
        }
        self.wait_until(Instant::now() + KILLING)?;
        let remaining = self.remaining();
        ensure!(remaining.is_empty(), "processes of its session do not end: {remaining:?}");
        Ok(())
    }

    /// The processes of the program's session.
    fn remaining(&self) -> BTreeSet<u32> {
        session::all().remove(&self.child.id()).unwrap_or_default()
    }

    /// Waits until the session is empty, at most until the deadline.
    fn wait_until(&mut self, deadline: Instant) -> Result<()> {
        while (self.child.try_wait()?.is_none() || !self.remaining().is_empty())
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // This fails only if it has exited.
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Needed only after an error, which has been reported.
        let _ = self.finish(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::env;
    use std::fs;
    use std::process::Command;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Program, fill_in};
    use crate::corpus::session;

    #[test]
    fn placeholders_are_replaced() {
        let placeholders = BTreeMap::from([("server", "127.0.0.1:80".to_owned())]);
        assert_eq!(fill_in(&placeholders, "http://{server}/x").unwrap(), "http://127.0.0.1:80/x");
        assert_eq!(fill_in(&placeholders, "plain").unwrap(), "plain");
        assert!(fill_in(&placeholders, "{sever}").is_err());
        assert!(fill_in(&placeholders, "{server").is_err());
    }

    #[test]
    fn a_program_reports_that_it_is_ready_and_ends_with_its_session() {
        let mut program = shell("one", "sleep 600 & echo count 7; echo ready; read line");
        let deadline = Instant::now() + Duration::from_secs(10);
        while !program.poll().unwrap() {
            assert!(Instant::now() < deadline, "it is not ready");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(program.count, Some(7));
        assert_eq!(program.processes(&session::all()).len(), 2, "the shell and sleep");
        program.finish(Instant::now()).unwrap();
        assert!(program.processes(&session::all()).is_empty());
    }

    #[test]
    fn a_program_that_ends_early_is_an_error_with_its_last_lines() {
        let mut program = shell("two", "echo it is broken >&2; exit 3");
        let deadline = Instant::now() + Duration::from_secs(10);
        let error = loop {
            match program.poll() {
                Ok(ready) => assert!(!ready && Instant::now() < deadline),
                Err(error) => break format!("{error:#}"),
            }
        };
        assert!(error.contains("it is broken"), "{error}");
    }

    #[test]
    fn other_output_is_an_error() {
        let mut program = shell("three", "echo hello; read line");
        let deadline = Instant::now() + Duration::from_secs(10);
        while program.poll().is_ok() {
            assert!(Instant::now() < deadline, "no error");
        }
    }

    fn shell(name: &str, script: &str) -> Program {
        let work = env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&work).unwrap();
        Program::start(Command::new("sh").args(["-c", script]), &work).unwrap()
    }
}
