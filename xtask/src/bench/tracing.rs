//! A tracer that runs while something is measured: tracer itself, or bpftrace.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use std::{io, thread};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::measure;
use crate::command;

/// A bpftrace script equivalent to tcplife, with a tracepoint that every host has. It prints
/// `ready` when everything is attached.
const LIFE: &str = r#"BEGIN { printf("ready\n"); }
tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 1/
{ @birth[args->skaddr] = nsecs; }
tracepoint:sock:inet_sock_set_state /args->protocol == 6 && args->newstate == 7/
{ if (@birth[args->skaddr]) {
    printf("%d %s %d %d %d\n", pid, comm, args->sport, args->dport,
           (nsecs - @birth[args->skaddr]) / 1000);
    delete(@birth[args->skaddr]); } }"#;

/// A running program. It is killed when this is dropped.
pub(super) struct Tracing {
    child: Child,
    lines: Option<BufReader<ChildStdout>>,
    /// All of its output, if that is kept.
    pages: Option<JoinHandle<io::Result<String>>>,
    /// The time from its start until everything was attached.
    pub(super) start: Duration,
}

impl Tracing {
    /// Starts tracer and waits for its first snapshot, by when everything is attached.
    ///
    /// # Errors
    /// The tracer exits immediately.
    pub(super) fn tracer(program: &Path, arguments: &[String]) -> Result<Self> {
        let mut command = Command::new(program);
        Self::begin(command.args(["-o", "json"]).args(arguments))
    }

    /// Starts tracer with the live table, for [`last_page`](Self::last_page).
    ///
    /// # Errors
    /// The tracer does not start.
    pub(super) fn table(program: &Path) -> Result<Self> {
        let started = Instant::now();
        let mut child = Command::new(program)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut pages = child.stdout.take().context("no pipe")?;
        let read = move || {
            let mut text = String::new();
            pages.read_to_string(&mut text).map(|_| text)
        };
        let pages = Some(thread::spawn(read));
        Ok(Self { child, lines: None, pages, start: started.elapsed() })
    }

    /// Ends tracer as Ctrl-C does, and returns everything that it has printed.
    ///
    /// # Errors
    /// The tracer was not started with [`table`](Self::table).
    pub(super) fn last_page(mut self) -> Result<String> {
        self.interrupt()?;
        let pages = self.pages.take().context("its output was not kept")?;
        Ok(pages.join().map_err(|_| anyhow!("reading failed"))??)
    }

    fn interrupt(&self) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("no pid")?;
        Ok(kill_process(pid, Signal::INT)?)
    }

    /// Starts bpftrace with a script like tcplife; `None` if there is no bpftrace.
    ///
    /// # Errors
    /// The tracer exits immediately.
    pub(super) fn life() -> Result<Option<Self>> {
        if command::find("bpftrace").is_none() {
            return Ok(None);
        }
        // tracefs is mounted for bpftrace only, because not every host has it mounted.
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
        let mut lines = BufReader::new(child.stdout.take().context("no pipe")?);
        let ready = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                break false;
            }
            // bpftrace begins with other lines.
            if line.starts_with('{') || line.trim() == "ready" {
                break true;
            }
        };
        let tracing = Self { child, lines: Some(lines), pages: None, start: started.elapsed() };
        if !ready {
            bail!("`{}` exited immediately", command::describe(command));
        }
        Ok(tracing)
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next document that tracer prints.
    ///
    /// # Errors
    /// The tracer has exited.
    pub(super) fn document(&mut self) -> Result<Value> {
        let lines = self.lines.as_mut().context("its output is discarded")?;
        let mut line = String::new();
        lines.read_line(&mut line)?;
        serde_json::from_str(&line).context("tracer has exited")
    }

    /// Discards its output from now on, so that it does not block on a full pipe.
    pub(super) fn mute(&mut self) {
        if let Some(mut lines) = self.lines.take() {
            thread::spawn(move || io::copy(&mut lines, &mut io::sink()));
        }
    }

    /// The CPU time of the tracer, including the process that inspects others.
    ///
    /// # Errors
    /// The tracer has exited.
    pub(super) fn cpu_time(&self) -> Result<Duration> {
        measure::cpu_time_with_descendants(self.pid())
    }

    /// Ends tracer as Ctrl-C does, and returns its last document.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn end(mut self) -> Result<Value> {
        self.interrupt()?;
        let mut last = None;
        while let Ok(document) = self.document() {
            last = Some(document);
        }
        last.context("tracer exited without a document")
    }
}

impl Drop for Tracing {
    fn drop(&mut self) {
        // This fails only if it has exited.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
