//! The tracer: a live run during the whole run of the corpus, and one audit at its end.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::observed::Record;
use super::pace::Pace;
use crate::command;
use crate::privileges::Access;

/// Longest wait for the first document.
const START: Duration = Duration::from_mins(1);

/// The built tracer, and how to run it.
pub(crate) struct Tracer {
    program: PathBuf,
    access: Access,
    thresholds: Vec<String>,
}

impl Tracer {
    /// Determines which thresholds the program has.
    ///
    /// # Errors
    /// The tracer does not print its help.
    pub(crate) fn new(program: PathBuf, access: Access, pace: &Pace) -> Result<Self> {
        let help = command::output(Command::new(&program).args(["audit", "--help-all"]))?;
        let thresholds = thresholds(&help, pace);
        Ok(Self { program, access, thresholds })
    }

    /// The command line for people.
    pub(crate) fn describe(&self, first: &str) -> String {
        format!("tracer {first} {}", self.thresholds.join(" "))
    }

    /// `others` is a flag and its value, which replace the threshold of that name.
    fn command(&self, arguments: &[&str], others: &[String]) -> Command {
        let mut command = match self.access {
            Access::Direct => Command::new(&self.program),
            Access::Sudo => sudo(&self.program),
        };
        let scaled = self.thresholds.chunks(2).filter(|flag| flag.first() != others.first());
        command.args(arguments).args(["--output", "json"]).args(scaled.flatten()).args(others);
        command
    }

    /// Audits the whole host.
    ///
    /// # Errors
    /// If the audit fails.
    pub(crate) fn audit(&self) -> Result<Record> {
        self.audit_with(&[])
    }

    /// Audits the whole host with a threshold that replaces the scaled one.
    ///
    /// # Errors
    /// If the audit fails.
    pub(crate) fn audit_with(&self, flags: &[String]) -> Result<Record> {
        let mut audit = self.command(&["audit", "--for", "3s"], flags);
        let output = audit.stderr(Stdio::inherit()).output().context("cannot start tracer")?;
        let code = output.status.code();
        if !has_run(code) {
            bail!("`{}` exited with {}", command::describe(&audit), output.status);
        }
        let mut record = Record::default();
        record.add(&String::from_utf8_lossy(&output.stdout))?;
        Ok(record)
    }
}

/// Whether tracer ran: 0 (no leak), 1 (leaks) or 3 (incomplete data).
fn has_run(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 1 | 3))
}

fn sudo(program: &Path) -> Command {
    let mut command = Command::new("sudo");
    command.arg("-n").arg("--").arg(program);
    command
}

/// The flags and values of the thresholds that are in `help`.
fn thresholds(help: &str, pace: &Pace) -> Vec<String> {
    let flags =
        [("--idle", pace.idle), ("--pool-idle", pace.pool_idle), ("--growth-for", pace.growth)];
    let known = flags.into_iter().filter(|(flag, _)| help.contains(&format!("{flag} <")));
    known.flat_map(|(flag, time)| [flag.to_owned(), format!("{}ms", time.as_millis())]).collect()
}

/// A tracer that watches the host. It is killed when this is dropped.
pub(crate) struct Watch {
    child: Child,
    reader: Option<JoinHandle<Result<Record>>>,
}

impl Watch {
    /// Starts a tracer, and waits for its first snapshot.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn start(tracer: &Tracer) -> Result<Self> {
        let mut command = tracer.command(&[], &[]);
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start tracer")?;
        let output = child.stdout.take().context("the output is piped")?;
        let (sender, started): (_, Receiver<()>) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut record = Record::default();
            for line in BufReader::new(output).lines() {
                record.add(&line?)?;
                // Only the first document is waited for.
                let _ = sender.send(());
            }
            Ok(record)
        });
        let watch = Self { child, reader: Some(reader) };
        started.recv_timeout(START).context("tracer wrote no document")?;
        Ok(watch)
    }

    /// Checks that it is still running.
    ///
    /// # Errors
    /// The tracer has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the watching tracer exited with {status}"),
        }
    }

    /// Ends it as Ctrl-C does, and returns what it reported.
    ///
    /// # Errors
    /// The tracer had already exited, or it failed.
    pub(crate) fn stop(mut self) -> Result<Record> {
        self.check()?;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no pid")?, Signal::INT).context("cannot stop tracer")?;
        let reader = self.reader.take().context("its output has been read")?;
        let record = reader.join().map_err(|_| anyhow!("reading tracer's output panicked"))??;
        let status = self.child.wait()?;
        if !has_run(status.code()) {
            bail!("the watching tracer exited with {status}");
        }
        Ok(record)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::thresholds;
    use crate::corpus::pace::Pace;

    #[test]
    fn passes_the_thresholds_that_tracer_has() {
        let pace = Pace::scaled(6.0).unwrap();
        let help = "--idle <DURATION>\n--min-count <N>";
        assert_eq!(thresholds(help, &pace), ["--idle", "10000ms"]);
        let help = "--idle <DURATION>\n --pool-idle <DURATION> --growth-for <DURATION>";
        assert_eq!(thresholds(help, &pace).len(), 6);
    }
}
