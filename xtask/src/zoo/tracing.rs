//! The tracers: one that watches the host during a round, and audits.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::finding::Document;
use super::pace::Round;
use super::record::{Record, Source};
use crate::command;

/// Longest wait for the first document.
const START: Duration = Duration::from_mins(1);

/// The reports so far of tracers that are still running.
pub(crate) type Shared = Arc<Mutex<Record>>;

/// Locks the record. A thread that panicked has left it consistent.
pub(crate) fn lock(record: &Shared) -> MutexGuard<'_, Record> {
    record.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program, with the thresholds of a round.
#[derive(Clone, Debug)]
pub(crate) struct Tracer {
    program: PathBuf,
    options: Vec<String>,
}

impl Tracer {
    pub(crate) fn new(program: PathBuf, round: &Round) -> Self {
        Self { program, options: round.options.clone() }
    }

    /// The command line for people.
    pub(crate) fn describe(&self) -> String {
        ["tracer"]
            .into_iter()
            .chain(self.options.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--output", "json"]).args(&self.options);
        command
    }

    /// Audits the host twice: with the default options, and with a single snapshot.
    ///
    /// # Errors
    /// If an audit fails.
    pub(crate) fn audit(&self, record: &Shared) -> Result<()> {
        for (source, arguments) in
            [(Source::Audit, &["audit"][..]), (Source::Snapshot, &["audit", "--for", "0s"])]
        {
            let mut audit = self.command(arguments);
            let output = audit.stderr(Stdio::inherit()).output().context("cannot start tracer")?;
            if !has_run(output.status.code()) {
                bail!("`{}` ended with {}", command::describe(&audit), output.status);
            }
            let document = Document::parse(&String::from_utf8_lossy(&output.stdout))?;
            lock(record).add(source, document);
        }
        Ok(())
    }
}

/// Whether tracer ran: 0 (no leak), 1 (leaks) or 3 (incomplete data).
fn has_run(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 1 | 3))
}

/// A tracer that watches the host. It is killed when this is dropped.
pub(crate) struct Watch {
    child: Child,
    reader: Option<JoinHandle<Result<()>>>,
}

impl Watch {
    /// Starts it, and waits for its first snapshot. Its reports are added to the record
    /// immediately, because the record must see the processes while they exist.
    ///
    /// # Errors
    /// If there is no snapshot.
    pub(crate) fn start(tracer: &Tracer, record: &Shared) -> Result<Self> {
        let mut command = tracer.command(&[]);
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start tracer")?;
        let output = child.stdout.take().context("the output is piped")?;
        let (sender, started) = mpsc::channel();
        let record = Arc::clone(record);
        let reader = thread::spawn(move || read(BufReader::new(output), &record, &sender));
        let watch = Self { child, reader: Some(reader) };
        started.recv_timeout(START).context("tracer wrote no document")?;
        Ok(watch)
    }

    /// Checks that it is still running.
    ///
    /// # Errors
    /// If it has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the watching tracer ended with {status}"),
        }
    }

    /// Ends it as Ctrl-C does.
    ///
    /// # Errors
    /// If it had already exited, or failed.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.check()?;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no pid")?, Signal::INT).context("cannot stop tracer")?;
        let reader = self.reader.take().context("its output has been read")?;
        reader.join().map_err(|_| anyhow!("reading tracer's output panicked"))??;
        let status = self.child.wait()?;
        if !has_run(status.code()) {
            bail!("the watching tracer ended with {status}");
        }
        Ok(())
    }
}

fn read(output: impl BufRead, record: &Shared, started: &Sender<()>) -> Result<()> {
    for line in output.lines() {
        let document = Document::parse(&line?)?;
        lock(record).add(Source::Live, document);
        // Only the first document is waited for.
        let _ = started.send(());
    }
    Ok(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
