//! A tracer, ours or another, that runs beside what is measured.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::measure;
use crate::{command, workspace};

/// What `bpftrace` runs to do what tcplife does, with the one tracepoint that every host has. It
/// prints a line when everything is attached.
const LIFE: &str = r#"BEGIN { printf("ready\n"); }
tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 1/
{ @birth[args->skaddr] = nsecs; }
tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 7/
{ if (@birth[args->skaddr]) {
    printf("%d %s %d %d %d\n", pid, comm, args->sport, args->dport,
           (nsecs - @birth[args->skaddr]) / 1000);
    delete(@birth[args->skaddr]); } }"#;

/// A running one. It is killed with this.
pub(super) struct Watcher {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    /// From its start until everything was attached.
    pub(super) start: Duration,
}

impl Watcher {
    /// Starts tracer and waits until it has looked for the first time: everything is attached then.
    ///
    /// # Errors
    /// If it ends at once.
    pub(super) fn tracer(arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(workspace::target()?.join("release/tracer"));
        Self::begin(command.args(["-o", "json"]).args(arguments))
    }

    /// Starts bpftrace with a script like tcplife; `None` if there is no bpftrace.
    ///
    /// # Errors
    /// If it ends at once.
    pub(super) fn life() -> Result<Option<Self>> {
        if command::find("bpftrace").is_none() {
            return Ok(None);
        }
        // Not every host has tracefs mounted, so it is, for bpftrace alone.
        let script = "mount -t tracefs tracefs /sys/kernel/tracing; exec bpftrace -e \"$1\"";
        let mut command = Command::new("unshare");
        Self::begin(command.args(["--mount", "sh", "-c", script, "sh", LIFE])).map(Some)
    }

    fn begin(command: &mut Command) -> Result<Self> {
        let started = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", command::describe(command)))?;
        let mut lines = BufReader::new(child.stdout.take().context("it is piped")?);
        let ready = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                break false;
            }
            // bpftrace says first what it is about to do.
            if line.starts_with('{') || line.trim() == "ready" {
                break true;
            }
        };
        let watcher = Self { child, lines: Some(lines), start: started.elapsed() };
        if !ready {
            bail!("`{}` ended at once", command::describe(command));
        }
        Ok(watcher)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next document that tracer prints.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn document(&mut self) -> Result<Value> {
        let lines = self.lines.as_mut().context("its output is thrown away")?;
        let mut line = String::new();
        lines.read_line(&mut line)?;
        serde_json::from_str(&line).context("tracer has ended")
    }

    /// Throws away what it prints from here on, so that it does not have to wait.
    pub(super) fn mute(&mut self) {
        if let Some(mut lines) = self.lines.take() {
            thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        }
    }

    /// Time that it has had on processors.
    ///
    /// # Errors
    /// If it has ended.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        measure::processor_time(self.pid())
    }

    /// Ends tracer in order, and gives the document that it ends with.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn end(mut self) -> Result<Value> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("it has a pid")?;
        kill_process(pid, Signal::INT)?;
        let mut last = None;
        while let Ok(document) = self.document() {
            last = Some(document);
        }
        last.context("tracer ended without a document")
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It is gone already if this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
