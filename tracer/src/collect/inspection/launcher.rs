//! The launcher: a process that starts and kills inspection workers, so that `tracer` itself does
//! not have to keep the privileges that a new worker starts with.
//!
//! It is started before anything is read from a watched process, and parses nothing: a message to
//! it is one byte, and carries a socket if a worker is to be started. It replies with the pid of each
//! worker that it has started. The launcher exits with `tracer`, and its workers exit with it.

use std::{
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, Result};
use rustix::{
    io::retry_on_intr,
    net::{RecvFlags, SendFlags, recv},
    process::setsid,
};
use tracer_inspect::protocol::fd_passing;

/// The program of this process, even if its file has been replaced.
const PROGRAM: &str = "/proc/self/exe";
/// The hidden command that runs the launcher.
pub(crate) const LAUNCHER: &str = "__launch-inspection";
/// The hidden command that runs a worker.
pub(crate) const WORKER: &str = "__inspect";
/// The content of a message. Its meaning depends on whether it carries a socket.
const MESSAGE: [u8; 1] = [0];
/// The reply if a worker was not started.
const PID_UNKNOWN: [u8; 4] = [0; 4];

/// The launcher of this run.
#[derive(Debug)]
pub(crate) struct Launcher {
    socket: UnixStream,
    /// Number of workers that were requested and whose pid has not been received yet.
    unknown: u32,
    #[expect(dead_code, reason = "shows which process it is")]
    process: Child,
}

impl Launcher {
    /// Starts the launcher, with the privileges of this process. With `verbose`, the log of workers
    /// is on standard error.
    ///
    /// # Errors
    /// The process cannot be started.
    pub(crate) fn start(verbose: bool) -> Result<Self> {
        let (socket, its) = UnixStream::pair().context("cannot start inspections")?;
        let process = command(LAUNCHER, its.into(), verbose).spawn();
        let process = process.context("cannot start inspections")?;
        Ok(Self { socket, unknown: 0, process })
    }

    /// Kills the current worker, and starts one that serves `socket`.
    ///
    /// # Errors
    /// The launcher has exited.
    pub(super) fn start_worker(&mut self, socket: &UnixStream) -> io::Result<()> {
        self.send(Some(socket.as_fd()))?;
        self.unknown += 1;
        Ok(())
    }

    /// The pid of the worker that was started last, if it is known already. The launcher does not
    /// wait for a worker before it is asked to kill it, so no other process has this pid.
    pub(super) fn worker(&mut self) -> Option<u32> {
        let mut pid = PID_UNKNOWN;
        while self.unknown > 0 {
            let (length, _) = recv(&self.socket, &mut pid, RecvFlags::DONTWAIT).ok()?;
            if length < pid.len() {
                return None;
            }
            self.unknown -= 1;
        }
        (pid != PID_UNKNOWN).then(|| u32::from_le_bytes(pid))
    }

    /// Kills the current worker.
    ///
    /// # Errors
    /// The launcher has exited.
    pub(super) fn kill_worker(&self) -> io::Result<()> {
        self.send(None)
    }

    fn send(&self, socket: Option<BorrowedFd<'_>>) -> io::Result<()> {
        fd_passing::send(&self.socket, &MESSAGE, socket, SendFlags::DONTWAIT)?;
        Ok(())
    }
}

/// One of the hidden commands, with a socket as its standard input and without environment
/// variables, which may contain secrets.
fn command(name: &str, socket: OwnedFd, verbose: bool) -> Command {
    let mut command = Command::new(PROGRAM);
    let log = || if verbose { Stdio::inherit() } else { Stdio::null() };
    command.arg0("tracer").arg(name).args(verbose.then_some("--verbose"));
    command.env_clear().stdin(socket).stdout(Stdio::null()).stderr(log());
    command
}

/// Runs the launcher until the other end of the socket on standard input is closed.
///
/// # Errors
/// The socket failed.
pub(crate) fn run(verbose: bool) -> Result<()> {
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    // Ctrl-C and Ctrl-Z are meant for tracer only.
    let _ = setsid();
    let mut workers: Vec<Child> = Vec::new();
    loop {
        let mut message = MESSAGE;
        let received = retry_on_intr(|| fd_passing::receive(&socket, &mut message))?;
        end(&mut workers);
        if received.length == 0 {
            return Ok(());
        }
        if let Some(its) = received.file {
            let mut pid = PID_UNKNOWN;
            match command(WORKER, its, verbose).spawn() {
                Ok(worker) => {
                    pid = worker.id().to_le_bytes();
                    workers.push(worker);
                }
                // Its socket is closed, so tracer sees that it does not exist.
                Err(error) => log::warn!("cannot start an inspection worker: {error}"),
            }
            // Without its pid, tracer does not know how long it waits for a CPU.
            let _ = fd_passing::send(&socket, &pid, None, SendFlags::DONTWAIT);
        }
    }
}

/// Kills these workers, and forgets those that have exited. A worker in uninterruptible sleep
/// exits later.
fn end(workers: &mut Vec<Child>) {
    for worker in &mut *workers {
        let _ = worker.kill();
    }
    workers.retain_mut(|worker| matches!(worker.try_wait(), Ok(None)));
}
