//! tracer itself: one that watches the whole run, and one audit at its end.

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
use crate::privileges::Access;
use crate::{command, workspace};

/// How long the first document may take.
const START: Duration = Duration::from_mins(1);

/// The built tracer, and how to run it.
pub(crate) struct Tracer {
    program: PathBuf,
    access: Access,
    thresholds: Vec<String>,
}

impl Tracer {
    /// Builds it.
    ///
    /// # Errors
    /// If it does not build.
    pub(crate) fn build(access: Access, pace: &Pace) -> Result<Self> {
        command::succeed(
            Command::new(workspace::cargo())
                .args(["build", "--release", "--locked", "--package", "tracer", "--bin", "tracer"])
                .current_dir(workspace::root())
                // It is about the committed object, whatever the caller was trying out.
                .env_remove("TRACER_BPF_OBJECT"),
        )?;
        let program = workspace::target()?.join("release/tracer");
        let help = command::output(Command::new(&program).args(["audit", "--help-all"]))?;
        let thresholds = thresholds(&help, pace);
        Ok(Self { program, access, thresholds })
    }

    /// The command, as one would type it.
    pub(crate) fn describe(&self, first: &str) -> String {
        format!("tracer {first} {}", self.thresholds.join(" "))
    }

    /// `others` are flags with their values, and take the place of thresholds of the same name.
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
    /// If it could not, or not see everything.
    pub(crate) fn audit(&self) -> Result<Record> {
        self.audit_with(&[])
    }

    /// Audits the whole host with other thresholds, which take the place of the scaled ones.
    ///
    /// # Errors
    /// If it could not, or not see everything.
    pub(crate) fn audit_with(&self, flags: &[String]) -> Result<Record> {
        let mut audit = self.command(&["audit", "--for", "3s"], flags);
        let output = audit.stderr(Stdio::inherit()).output().context("cannot start tracer")?;
        let code = output.status.code();
        if !is_verdict(code) {
            bail!("`{}` ended with {}", command::describe(&audit), output.status);
        }
        let mut record = Record::default();
        record.add(&String::from_utf8_lossy(&output.stdout))?;
        Ok(record)
    }
}

/// Whether the exit code says that tracer could look: 0, 1 (leaks) or 3 (not everything was seen).
fn is_verdict(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 1 | 3))
}

fn sudo(program: &Path) -> Command {
    let mut command = Command::new("sudo");
    command.arg("-n").arg("--").arg(program);
    command
}

/// The flags for the thresholds, as far as this tracer has them.
fn thresholds(help: &str, pace: &Pace) -> Vec<String> {
    let flags =
        [("--idle", pace.idle), ("--pool-idle", pace.pool_idle), ("--growth-for", pace.growth)];
    let known = flags.into_iter().filter(|(flag, _)| help.contains(&format!("{flag} <")));
    known.flat_map(|(flag, time)| [flag.to_owned(), format!("{}ms", time.as_millis())]).collect()
}

/// A tracer that watches the host. It ends when this goes.
pub(crate) struct Watch {
    child: Child,
    reader: Option<JoinHandle<Result<Record>>>,
}

impl Watch {
    /// Starts it, and waits until it looks.
    ///
    /// # Errors
    /// If it does not start.
    pub(crate) fn start(tracer: &Tracer) -> Result<Self> {
        let mut command = tracer.command(&[], &[]);
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start tracer")?;
        let output = child.stdout.take().context("it is piped")?;
        let (sender, started): (_, Receiver<()>) = mpsc::channel();
        let reader = thread::spawn(move || {
            let mut record = Record::default();
            for line in BufReader::new(output).lines() {
                record.add(&line?)?;
                // Nobody waits for any but the first.
                let _ = sender.send(());
            }
            Ok(record)
        });
        let watch = Self { child, reader: Some(reader) };
        started.recv_timeout(START).context("tracer does not watch")?;
        Ok(watch)
    }

    /// Whether it still watches.
    ///
    /// # Errors
    /// If it has ended.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the watching tracer ended with {status}"),
        }
    }

    /// Ends it as Ctrl-C does, and gives what it said.
    ///
    /// # Errors
    /// If it had ended before, or did not work.
    pub(crate) fn stop(mut self) -> Result<Record> {
        self.check()?;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("it has a pid")?, Signal::INT).context("cannot stop tracer")?;
        let reader = self.reader.take().context("it is read once")?;
        let record = reader.join().map_err(|_| anyhow!("reading tracer's output panicked"))??;
        let status = self.child.wait()?;
        if !is_verdict(status.code()) {
            bail!("the watching tracer ended with {status}");
        }
        Ok(record)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It is gone already if this fails.
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
