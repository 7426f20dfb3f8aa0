//! A running program of the corpus, and what it says.

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

/// How long a program may take to end by itself.
const ENDING: Duration = Duration::from_secs(5);
/// How long the kernel may take to end what is killed.
const KILLING: Duration = Duration::from_secs(2);
/// How much of its standard error is shown when it did not work, in lines.
const SHOWN: usize = 20;

/// Puts what they stand for in place of `{name}`.
///
/// # Errors
/// If a word is not known.
pub(crate) fn fill_in(words: &BTreeMap<&str, String>, argument: &str) -> Result<String> {
    let mut filled = String::new();
    let mut rest = argument;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').context("a `{` without `}`")?;
        let value = words.get(name).with_context(|| format!("`{{{name}}}` stands for nothing"))?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// A program in a session of its own. It ends when this goes.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    log: PathBuf,
    /// The only processes that are judged, if there are any.
    judged: BTreeSet<u32>,
    /// How many connections leak, where only the program can know.
    pub(crate) count: Option<u64>,
    ready: bool,
}

impl Program {
    /// Starts `command` in the directory `work`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub(crate) fn start(command: &mut Command, work: &Path) -> Result<Self> {
        let log = work.join("stderr.log");
        let errors =
            File::create(&log).with_context(|| format!("cannot make {}", log.display()))?;
        // It is no leader of a process group, so setsid does not fork and the pid is its own.
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
        let output = child.stdout.take().context("it is piped")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            // Ends when the output does, or when nobody listens any more.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let judged = BTreeSet::new();
        Ok(Self { child, input, lines, log, judged, count: None, ready: false })
    }

    /// Takes in what the program has said so far; whether it is ready.
    ///
    /// # Errors
    /// If it says something that is not in the protocol, or has ended.
    pub(crate) fn poll(&mut self) -> Result<bool> {
        while let Ok(line) = self.lines.try_recv() {
            self.take(line.trim()).with_context(|| self.last_words())?;
        }
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended with {status}; {}", self.last_words());
        }
        Ok(self.ready)
    }

    fn take(&mut self, line: &str) -> Result<()> {
        match line.split_once(' ') {
            None if line == "ready" => self.ready = true,
            Some(("judge", pid)) => {
                self.judged.insert(pid.trim().parse().context("`judge` takes a pid")?);
            }
            Some(("count", count)) => {
                self.count = Some(count.trim().parse().context("`count` takes a number")?);
            }
            _ => bail!("it said `{line}`, which is not in the protocol"),
        }
        Ok(())
    }

    /// The processes to judge: those that it named, or all of its session.
    pub(crate) fn processes(&self, sessions: &BTreeMap<u32, BTreeSet<u32>>) -> BTreeSet<u32> {
        if self.judged.is_empty() {
            sessions.get(&self.child.id()).cloned().unwrap_or_default()
        } else {
            self.judged.clone()
        }
    }

    /// The end of its standard error.
    pub(crate) fn last_words(&self) -> String {
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

    /// Asks it to end; [`Program::finish`] waits for that.
    pub(crate) fn ask_to_end(&mut self) {
        self.input = None;
    }

    /// Waits until it has ended, and ends what is left of its session then.
    ///
    /// # Errors
    /// If something of it cannot be ended.
    pub(crate) fn finish(&mut self, asked: Instant) -> Result<()> {
        self.ask_to_end();
        self.wait_until(asked + ENDING)?;
        for pid in self.left().iter().chain(&self.judged) {
            end(*pid);
        }
        self.wait_until(Instant::now() + KILLING)?;
        let left = self.left();
        ensure!(left.is_empty(), "processes of its session do not end: {left:?}");
        Ok(())
    }

    /// What is left of its session.
    fn left(&self) -> BTreeSet<u32> {
        session::all().remove(&self.child.id()).unwrap_or_default()
    }

    /// Waits until the session is empty, but not longer than this.
    fn wait_until(&mut self, deadline: Instant) -> Result<()> {
        while (self.child.try_wait()?.is_none() || !self.left().is_empty())
            && Instant::now() < deadline
        {
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

fn end(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It is gone already if this fails.
        let _ = kill_process(pid, Signal::KILL);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Only after an error, where nothing better can be done than to end it.
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
    fn fills_in_what_stands_for_something() {
        let words = BTreeMap::from([("server", "127.0.0.1:80".to_owned())]);
        assert_eq!(fill_in(&words, "http://{server}/x").unwrap(), "http://127.0.0.1:80/x");
        assert_eq!(fill_in(&words, "plain").unwrap(), "plain");
        assert!(fill_in(&words, "{sever}").is_err());
        assert!(fill_in(&words, "{server").is_err());
    }

    #[test]
    fn a_program_says_when_it_is_ready_and_ends_with_its_session() {
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
    fn a_program_that_ends_too_early_is_an_error_with_its_last_words() {
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
    fn what_is_not_in_the_protocol_is_an_error() {
        let mut program = shell("three", "echo hello; read line");
        let deadline = Instant::now() + Duration::from_secs(10);
        while program.poll().is_ok() {
            assert!(Instant::now() < deadline, "it goes unnoticed");
        }
    }

    fn shell(name: &str, script: &str) -> Program {
        let work = env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&work).unwrap();
        Program::start(Command::new("sh").args(["-c", script]), &work).unwrap()
    }
}
