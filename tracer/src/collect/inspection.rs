//! Inspections of processes by a separate worker process ([`tracer_inspect::worker`]).
//!
//! Nothing here waits: requests are queued, and their outcomes are returned as they become known.

mod exchange;
mod launcher;
mod program;
mod scheduling;

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    os::{fd::AsFd as _, unix::net::UnixStream as StdUnixStream},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Signal, set_parent_process_death_signal};
use tokio::{io::Interest, net::UnixStream, time::sleep};
use tracer_core::{Input, NoAnswer, ProcessKey, Question, Subject, Timestamp};
use tracer_inspect::{
    clock,
    process::user_stack::UserStack,
    protocol::{
        Answer, Setup, Task, TaskKind,
        fd_passing::{self, Received},
    },
    worker,
};

use self::exchange::{Exchange, WorkerFailed};
pub(crate) use self::exchange::{Outcome, Unanswered};
use self::launcher::Launcher;
pub(crate) use self::launcher::{LAUNCHER, WORKER, run as run_launcher};
use self::program::identify;
use self::scheduling::ScheduledWorker;

/// If this many bytes have not been sent yet, no further request is encoded.
const UNSENT_MAX: usize = 1 << 20;
/// Maximum number of bytes read from the socket at a time, so that the event loop is not blocked.
const READ_MAX: usize = 4 << 20;
/// Maximum number of workers that were killed and have not exited, because they are in
/// uninterruptible sleep. No other worker is started while there are this many.
const ENDING_MAX: usize = 3;
/// How long a worker that was killed may take to exit before its request counts as one that cannot be
/// interrupted, which is not made again.
const EXIT_MAX_MS: u64 = 1_000;
/// How often the exit of a killed worker is checked.
const EXIT_CHECK: Duration = Duration::from_millis(20);
/// After this many workers that did not become ready, the questions are given up.
const STARTS_MAX: u32 = 3;

/// The inspections of one run.
#[derive(Debug)]
pub(crate) struct Inspections {
    launcher: Launcher,
    /// The first message to each worker.
    setup: Vec<u8>,
    exchange: Exchange,
    worker: Option<Worker>,
    /// Workers that were killed and have not exited.
    ending: Vec<Ending>,
    /// Number of workers started since one was ready.
    starts: u32,
    /// Outcomes that have not been returned yet.
    outcomes: Vec<Outcome>,
}

/// A worker that was killed.
#[derive(Debug)]
struct Ending {
    socket: StdUnixStream,
    /// The process on which the worker failed.
    cause: Option<ProcessKey>,
    killed_at: Timestamp,
}

/// The socket of a worker.
#[derive(Debug)]
struct Worker {
    socket: UnixStream,
    /// Bytes to send; those before `taken` have been sent.
    unsent: Vec<u8>,
    taken: usize,
    /// The worker's state as the kernel schedules it; `None` until the launcher has sent the pid.
    scheduled: Option<ScheduledWorker>,
}

impl Inspections {
    /// Starts the launcher, with the privileges of this process. A worker is started with the first
    /// request.
    ///
    /// # Errors
    /// The process cannot be started, or the frame rules are too long.
    pub(crate) fn start(setup: &Setup, verbose: bool) -> Result<Self> {
        Ok(Self {
            setup: setup.to_frame().context("--call-sites: the file is too large")?,
            launcher: Launcher::start(verbose)?,
            exchange: Exchange::new(identify),
            worker: None,
            ending: Vec::new(),
            starts: 0,
            outcomes: Vec::new(),
        })
    }

    /// Starts a worker before there is a request, so that it is ready when there is one.
    pub(crate) fn start_early(&mut self) {
        self.start_worker();
    }

    /// Makes a request that is not a question of the detector. Its outcome is an
    /// [`Arrived::Outcome`].
    pub(crate) fn request(&mut self, task: Task) {
        self.outcomes.extend(self.exchange.ask(task));
    }

    /// Asks a question. `stack` is the stack that a [`Question::CallSite`] is about.
    pub(crate) fn ask(&mut self, question: &Question, stack: Option<&UserStack>) {
        self.request(Task::of(question, stack));
    }

    /// Whether questions are unanswered.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.exchange.is_idle() || !self.outcomes.is_empty()
    }

    /// Waits until [`arrived`](Self::arrived) may have something to do. May be dropped at any time.
    pub(crate) async fn ready(&self) {
        if !self.outcomes.is_empty() {
            return;
        }
        if self.held_until().is_some() {
            return sleep(EXIT_CHECK).await;
        }
        let Some(worker) = &self.worker else {
            if self.exchange.has_next() {
                return;
            }
            return std::future::pending().await;
        };
        let interest = if worker.has_unsent() || self.exchange.has_next() {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        let deadline = async {
            match self.exchange.deadline() {
                Some(deadline) => sleep(until(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = worker.socket.ready(interest) => {}
            () = deadline => {}
        }
    }

    /// Sends and receives what is possible without waiting, and returns what has arrived.
    pub(crate) fn arrived(&mut self) -> Vec<Arrived> {
        loop {
            if let Some(until) = self.held_until() {
                if clock::now() < until {
                    break;
                }
                self.exchange.next_hangs(&mut self.outcomes);
                continue;
            }
            match self.exchange_messages() {
                Err(WorkerFailed) => {
                    let cause = self.exchange.worker_failed(&mut self.outcomes);
                    self.kill_worker(cause);
                }
                Ok(()) if self.exchange.needs_fresh_worker() => self.kill_worker(None),
                Ok(()) => break,
            }
        }
        std::mem::take(&mut self.outcomes).into_iter().map(arrived).collect()
    }

    /// Gives up the questions about readers that no worker has yet.
    pub(crate) fn give_up_readers(&mut self) {
        let is_readers = |kind| kind == TaskKind::Readers;
        self.exchange.give_up(Unanswered::OutOfTime, is_readers, &mut self.outcomes);
    }

    /// Gives up all questions.
    pub(crate) fn give_up(&mut self) {
        if self.exchange.give_up_all(Unanswered::OutOfTime, &mut self.outcomes).is_err() {
            self.kill_worker(None);
        }
    }

    /// CPU time of all workers, as reported with their replies.
    pub(crate) const fn cpu_time(&self) -> Duration {
        self.exchange.cpu_time()
    }

    /// Sends and receives what is possible without waiting.
    ///
    /// # Errors
    /// The worker has exited, is late, or has sent something that is not a reply.
    fn exchange_messages(&mut self) -> Result<(), WorkerFailed> {
        if self.worker.is_none() {
            if !self.exchange.has_next() {
                return Ok(());
            }
            self.start_worker();
        }
        let Some(worker) = &mut self.worker else { return Ok(()) };
        worker.receive(&mut self.exchange, &mut self.outcomes)?;
        if self.exchange.is_ready() {
            self.starts = 0;
        }
        worker.send(&mut self.exchange, &mut self.outcomes)?;
        if worker.scheduled.is_none() {
            worker.scheduled = self.launcher.worker().map(ScheduledWorker::new);
        }
        self.exchange.check_time(clock::now(), &worker.scheduled)
    }

    /// Starts a worker. If that is impossible, all questions are given up.
    fn start_worker(&mut self) {
        self.ending.retain(Ending::is_running);
        let can_start = self.ending.len() < ENDING_MAX && self.starts < STARTS_MAX;
        match can_start.then(|| self.connect()) {
            Some(Ok(worker)) => {
                self.starts += 1;
                self.worker = Some(worker);
            }
            outcome => {
                log::debug!("no inspection worker can be started: {outcome:?}");
                self.starts = 0;
                let _ = self.exchange.give_up_all(Unanswered::Failed, &mut self.outcomes);
            }
        }
    }

    fn connect(&mut self) -> Result<Worker> {
        let (ours, its) = StdUnixStream::pair()?;
        self.launcher.start_worker(&its)?;
        ours.set_nonblocking(true)?;
        // Sent now if the socket has room, so that the worker can start to get ready.
        let taken = (&ours).write(&self.setup).unwrap_or(0);
        let socket = UnixStream::from_std(ours)?;
        Ok(Worker { socket, unsent: self.setup.clone(), taken, scheduled: None })
    }

    /// Until when the next request waits for the exit of the worker that has failed on it; `None` if
    /// it does not wait.
    fn held_until(&self) -> Option<Timestamp> {
        let process = self.exchange.next_second()?;
        let mut ending = self.ending.iter().rev();
        let ending = ending.find(|ending| ending.cause == Some(process))?;
        ending.is_running().then(|| ending.killed_at.after_ms(EXIT_MAX_MS))
    }

    fn kill_worker(&mut self, cause: Option<ProcessKey>) {
        self.exchange.worker_ended();
        let Some(worker) = self.worker.take() else { return };
        // If the launcher has exited, so have its workers.
        let _ = self.launcher.kill_worker();
        let ending = |socket| Ending { socket, cause, killed_at: clock::now() };
        self.ending.extend(worker.socket.into_std().map(ending));
    }
}

impl Worker {
    fn has_unsent(&self) -> bool {
        self.taken < self.unsent.len()
    }

    /// Sends as much as the socket accepts.
    ///
    /// # Errors
    /// The worker has exited.
    fn send(
        &mut self,
        exchange: &mut Exchange,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), WorkerFailed> {
        loop {
            while self.unsent.len() - self.taken < UNSENT_MAX
                && let Some(frame) = exchange.next_frame(clock::now(), outcomes)
            {
                self.unsent.extend_from_slice(&frame);
            }
            if !self.has_unsent() {
                return Ok(());
            }
            match self.socket.try_write(&self.unsent[self.taken..]) {
                Ok(length) => self.taken += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(WorkerFailed),
            }
            if !self.has_unsent() {
                (self.unsent, self.taken) = (Vec::new(), 0);
            }
        }
    }

    /// Receives what has arrived.
    ///
    /// # Errors
    /// The worker has exited, or has not sent the reply to the oldest request.
    fn receive(
        &self,
        exchange: &mut Exchange,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), WorkerFailed> {
        let mut buffer = [0; 16 << 10];
        let mut total = 0;
        while total < READ_MAX {
            let receive = || Ok(fd_passing::receive(&self.socket, &mut buffer)?);
            match self.socket.try_io(Interest::READABLE, receive) {
                Ok(Received { length: 0, .. }) => return Err(WorkerFailed),
                Ok(Received { length, file }) => {
                    let received = buffer.get(..length).unwrap_or_default();
                    exchange.receive(received, file, clock::now(), outcomes)?;
                    total += length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => return Err(WorkerFailed),
            }
        }
        Ok(())
    }
}

impl Ending {
    /// Whether the worker at the other end is still running: otherwise its socket is closed.
    fn is_running(&self) -> bool {
        let mut socket = &self.socket;
        let mut rest = [0; 4 << 10];
        loop {
            match socket.read(&mut rest) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
        }
    }
}

/// The time from now until `deadline`.
fn until(deadline: Timestamp) -> Duration {
    Duration::from_nanos(deadline.as_ns().saturating_sub(clock::now().as_ns()))
}

/// What has arrived.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// The answer to a question, or why there is none.
    Input(Input),
    /// The outcome of a request that is not a question of the detector.
    Outcome(Outcome),
}

fn arrived(outcome: Outcome) -> Arrived {
    let subject = match &outcome.task {
        Task::Process(process) | Task::ProcessInKernel(process) => Subject::Process(*process),
        Task::Readers { process, .. } => Subject::Readers(*process),
        Task::CallSite { process, stack, .. } => Subject::CallSite(*process, *stack),
        Task::Entries(_) | Task::Resolve { .. } => return Arrived::Outcome(outcome),
    };
    let Outcome { task, result, .. } = outcome;
    Arrived::Input(match result {
        Ok(Answer::Process(facts)) => Input::Process(facts),
        Ok(Answer::ProcessUnreadable) => Input::ProcessUnreadable(task.process()),
        Ok(Answer::Readers(readers)) => Input::Readers(readers),
        Ok(Answer::CallSite(call_site)) => Input::CallSite(call_site),
        // The exchange has checked that the answer belongs to the task.
        Ok(Answer::Ended | Answer::TooLong | Answer::Entries(_) | Answer::Resolved(_)) => {
            Input::NoAnswer(subject, NoAnswer::Ended)
        }
        Err(Unanswered::Failed) => Input::NoAnswer(subject, NoAnswer::Failed),
        Err(Unanswered::OutOfTime) => Input::NoAnswer(subject, NoAnswer::OutOfTime),
    })
}

/// Runs a worker on the socket on standard input.
///
/// # Errors
/// The kernel refuses a limit, or the socket failed.
pub(crate) fn run_worker() -> Result<()> {
    worker::silence_panics();
    worker::limit_resources().context("cannot limit the resources of the inspection worker")?;
    worker::drop_privileges()?;
    // The launcher kills its workers when it exits, unless it was killed itself. This comes after
    // the change of user and capabilities, which would reset it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let socket = io::stdin().as_fd().try_clone_to_owned()?;
    worker::filter_system_calls()?;
    Ok(worker::run(&socket.into())?)
}
