//! The tracers: one that watches the host during a round, and audits.

use std::io::Read;
use std::path::{Path, PathBuf};
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

/// Longest wait for the header of the tracer's output.
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
    /// `scope`: observes only these processes and their descendants. As on the whole host, without
    /// uprobes.
    pub(crate) fn new(program: PathBuf, round: &Round, scope: Option<&[u32]>) -> Self {
        let mut options = round.options.clone();
        if let Some(pids) = scope {
            let pids: Vec<String> = pids.iter().map(u32::to_string).collect();
            let scope = ["--no-uprobes", "--children", "--pid"].map(str::to_owned);
            options.extend(scope.into_iter().chain([pids.join(",")]));
        }
        Self { program, options }
    }

    /// The command line for people.
    pub(crate) fn describe(&self) -> String {
        ["tracer"]
            .into_iter()
            .chain(self.options.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }

    fn command(&self, arguments: &[&str], output: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--output", output]).args(&self.options);
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
            let mut audit = self.command(arguments, "json");
            let output = audit.stderr(Stdio::inherit()).output().context("cannot start tracer")?;
            if !has_run(output.status.code()) {
                bail!("`{}` ended with {}", command::describe(&audit), output.status);
            }
            let document = Document::parse(&String::from_utf8_lossy(&output.stdout))?;
            lock(record).add_audit(source, document);
        }
        Ok(())
    }

    /// What a recorded run had found when it ended.
    fn replay(&self, recording: &Path) -> Result<Document> {
        let mut replay = Command::new(&self.program);
        replay.arg("replay").arg(recording).args(["--output", "json"]);
        let output = replay.stderr(Stdio::inherit()).output().context("cannot start tracer")?;
        if !has_run(output.status.code()) {
            bail!("`{}` ended with {}", command::describe(&replay), output.status);
        }
        Document::parse(&String::from_utf8_lossy(&output.stdout))
    }
}

/// Whether tracer ran: 0 (no leak), 1 (leaks) or 3 (incomplete data).
fn has_run(code: Option<i32>) -> bool {
    matches!(code, Some(0 | 1 | 3))
}

/// A tracer that watches the host, writes a row for each verdict, and records what it observes. It
/// is killed when this is dropped.
pub(crate) struct Watch {
    tracer: Tracer,
    recording: PathBuf,
    record: Shared,
    child: Child,
    reader: Option<JoinHandle<Result<()>>>,
}

impl Watch {
    /// Starts a tracer, and waits until it has loaded its programs. Its rows are added to the record
    /// immediately, because the record must see the processes while they exist.
    ///
    /// # Errors
    /// The tracer does not start.
    pub(crate) fn start(tracer: Tracer, recording: PathBuf, record: &Shared) -> Result<Self> {
        let mut command = tracer.command(&[], "csv");
        command.arg("--record").arg(&recording);
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start tracer")?;
        let output = child.stdout.take().context("the output is piped")?;
        let (sender, started) = mpsc::channel();
        let to = Arc::clone(record);
        let reader = thread::spawn(move || read(output, &to, &sender));
        let record = Arc::clone(record);
        let watch = Self { tracer, recording, record, child, reader: Some(reader) };
        started.recv_timeout(START).context("tracer wrote nothing")?;
        Ok(watch)
    }

    /// Checks that the tracer is still running.
    ///
    /// # Errors
    /// The tracer has exited.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("the watching tracer ended with {status}"),
        }
    }

    /// Ends the tracer as Ctrl-C does, and adds what it had found to the record.
    ///
    /// # Errors
    /// The tracer had already exited, or it failed.
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
        let end = self.tracer.replay(&self.recording)?;
        lock(&self.record).add_end(end);
        Ok(())
    }
}

fn read(output: impl Read, record: &Shared, started: &Sender<()>) -> Result<()> {
    let mut rows = csv::Reader::from_reader(output);
    // The header is written before the first snapshot.
    rows.headers().context("tracer wrote no header")?;
    // Only the start is waited for.
    let _ = started.send(());
    for row in rows.deserialize() {
        lock(record).add_row(row.context("tracer wrote something that is not a row")?);
    }
    lock(record).add_verdicts();
    Ok(())
}

impl Drop for Watch {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
