//! A program that reads commands line by line and answers each with a line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};

use crate::command;

/// A running program. It is killed when this is dropped.
pub(super) struct Helper {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Helper {
    /// Starts it.
    ///
    /// # Errors
    /// If it does not start.
    pub(super) fn start(program: &mut Command) -> Result<Self> {
        let mut child = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", command::describe(program)))?;
        let commands = child.stdin.take().context("no pipe")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Self { child, commands, answers })
    }

    /// The process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Sends a command, and returns the numbers of the answer.
    ///
    /// # Errors
    /// If the answer is not `ok` and numbers.
    pub(super) fn ask(&mut self, command: &str) -> Result<Vec<u64>> {
        writeln!(self.commands, "{command}")?;
        let answer = self.line()?;
        let numbers = answer.strip_prefix("ok");
        let numbers = numbers.with_context(|| format!("`{command}`: {answer}"))?;
        let parse = |word: &str| word.parse().with_context(|| format!("`{command}`: {answer}"));
        numbers.split_whitespace().map(parse).collect()
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
