//! When each request is sent to a worker, and what happens if the worker fails. Pure: time and
//! bytes are passed in.
//!
//! A worker answers one request at a time, in order. So it works on the oldest one that was sent,
//! and if the worker fails (it exits, takes too long, or sends something that is not an answer),
//! that request is treated as the cause. It is sent once more, alone, to a fresh worker, after all
//! others and with more time. If that fails too, no request of this kind is made again about any
//! process of the same user that runs the same program; a call site is asked for without debug
//! information, and a process without its command line.

mod outcome;
mod received;
mod remembered;
mod working_time;

use std::{collections::VecDeque, os::fd::OwnedFd, time::Duration};

pub(crate) use outcome::{Outcome, Unanswered};
use received::Received;
use remembered::{Failed, Possible, Remembered};
pub(super) use remembered::{Identify, Program};
use tracer_core::{ProcessKey, Timestamp};
use tracer_inspect::protocol::{Answer, Reply, Request, Task, TaskKind};
use working_time::{ALONE_TIME_MAX, START_TIME_MAX, WorkingTime, first_time_max};
pub(super) use working_time::{Scheduling, Times};

/// Maximum number of requests that a worker has at a time: enough that it does not wait for the
/// next one, and few enough that little is lost with it.
const SENT_MAX: usize = 16;

/// The worker has to be killed and replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WorkerFailed;

/// How a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// The request is sent among others.
    First,
    /// The request is sent alone and after others, because it is known to be slow, or because
    /// workers have failed on the process.
    Slow,
    /// The request is sent alone, to a fresh worker, because one has failed on it.
    Second,
}

/// A request that has not been sent yet.
#[derive(Debug)]
struct Waiting {
    task: Task,
    attempt: Attempt,
}

/// A request that was sent and has not been answered yet.
#[derive(Debug)]
struct Sent {
    request: Request,
    asked_at: Timestamp,
    attempt: Attempt,
}

/// The requests of a run.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    waiting: VecDeque<Waiting>,
    /// Requests that the current worker has, oldest first.
    sent: VecDeque<Sent>,
    /// The time that the worker has had for the oldest request.
    time: WorkingTime,
    received: Received,
    /// Whether the current worker has said that it is ready. If it fails before, no request is the
    /// cause.
    is_ready: bool,
    /// Whether the current worker has been sent a request.
    is_used: bool,
    /// The requests that are not made again.
    failed: Failed,
    /// The requests that take longer than [`first_time_max`].
    slow: Remembered,
    /// The number of the latest request.
    sequence: u64,
    /// CPU time of workers, in nanoseconds, as they report it.
    cpu_ns: u64,
}

/// Maximum length in bytes of the message that says that a worker is ready.
const READY_MAX: usize = 64;

impl Exchange {
    /// An exchange without requests.
    pub(super) fn new(identify: Identify) -> Self {
        Self { failed: Failed::new(identify), ..Self::default() }
    }

    /// Adds a request; returns its outcome if it will not be sent.
    pub(super) fn ask(&mut self, task: Task) -> Option<Outcome> {
        let task = match self.failed.possible(task) {
            Possible::Task(task) => task,
            Possible::Nothing(task) => return Some(Outcome::unanswered(task, Unanswered::Failed)),
        };
        // Workers have failed on another kind of request about the process.
        let is_suspect = self.failed.has_process(task.process());
        let is_slow = is_suspect || self.slow.contains(&task);
        let attempt = if is_slow { Attempt::Slow } else { Attempt::First };
        // What is sent alone comes last.
        let is_alone = |waiting: &Waiting| waiting.attempt != Attempt::First;
        let place = match attempt {
            Attempt::First => self.waiting.iter().position(is_alone),
            Attempt::Slow | Attempt::Second => None,
        };
        let place = place.unwrap_or(self.waiting.len());
        self.waiting.insert(place, Waiting { task, attempt });
        None
    }

    /// Whether every request has its outcome.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sent.is_empty()
    }

    /// Whether there is a request to send now.
    pub(super) fn has_next(&self) -> bool {
        let Some(next) = self.waiting.front() else { return false };
        let mut attempts = self.sent.iter().map(|sent| sent.attempt).chain([next.attempt]);
        let is_alone = attempts.any(|attempt| attempt != Attempt::First);
        self.sent.len() < if is_alone { 1 } else { SENT_MAX }
    }

    /// Whether the next request needs a fresh worker, and the current one is not fresh.
    pub(super) fn needs_fresh_worker(&self) -> bool {
        let is_second = |next: &Waiting| next.attempt == Attempt::Second;
        self.is_used && self.sent.is_empty() && self.waiting.front().is_some_and(is_second)
    }

    /// The next request to send, as a frame; `None` if there is none now. A request that is too
    /// long is given up, and its outcome is added to `outcomes`.
    pub(super) fn next_frame(
        &mut self,
        now: Timestamp,
        outcomes: &mut Vec<Outcome>,
    ) -> Option<Vec<u8>> {
        while self.has_next() && !self.needs_fresh_worker() {
            let Waiting { task, attempt } = self.waiting.pop_front()?;
            self.sequence += 1;
            let request = Request { sequence: self.sequence, task };
            if let Some(frame) = request.to_frame() {
                if self.sent.is_empty() {
                    self.begin(now);
                }
                self.sent.push_back(Sent { request, asked_at: now, attempt });
                self.is_used = true;
                return Some(frame);
            }
            outcomes.push(Outcome::unanswered(request.task, Unanswered::Failed));
        }
        None
    }

    /// Takes bytes that the worker has sent, and the file descriptor that came with them.
    ///
    /// # Errors
    /// The bytes are not the reply to the oldest request.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        file: Option<OwnedFd>,
        now: Timestamp,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), WorkerFailed> {
        self.received.extend(bytes, file)?;
        let is_late = self.deadline().is_some_and(|deadline| deadline < now);
        self.take_replies(now, outcomes)?;
        // The worker cannot send a long reply at once. The rest may be late because this process
        // was: until now, it has read nothing.
        if is_late && !self.received.is_empty() {
            self.time.receives_late(now);
        }
        Ok(())
    }

    /// Takes the replies that are complete.
    fn take_replies(
        &mut self,
        now: Timestamp,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), WorkerFailed> {
        while !self.received.is_empty() {
            if !self.is_ready {
                let Some((message, _)) = self.received.next_message(READY_MAX)? else {
                    return Ok(());
                };
                let ready = Reply::read(&message, READY_MAX).ok().filter(Reply::is_ready);
                self.is_ready = true;
                self.spend(ready.ok_or(WorkerFailed)?.cpu_ns, now);
                continue;
            }
            let oldest = self.sent.front().ok_or(WorkerFailed)?;
            let reply_max = oldest.request.reply_max();
            let next = self.received.next_message(reply_max)?;
            let Some((message, file)) = next else { return Ok(()) };
            let oldest = self.sent.front().ok_or(WorkerFailed)?;
            let reply = Reply::read(&message, reply_max).map_err(|_| WorkerFailed)?;
            reply.check(&oldest.request, oldest.asked_at, now).map_err(|_| WorkerFailed)?;
            self.spend(reply.cpu_ns, now);
            let Some(answered) = self.sent.pop_front() else { return Err(WorkerFailed) };
            if answered.attempt == Attempt::Second {
                self.slow.insert(&answered.request.task);
            }
            let result = match reply.answer {
                Answer::TooLong => Err(Unanswered::Failed),
                answer => Ok(answer),
            };
            let program = match &result {
                Ok(Answer::Entries(Some(Ok(entries)))) if !entries.hooks.is_empty() => file,
                _ => None,
            };
            outcomes.push(Outcome { task: answered.request.task, result, program });
        }
        Ok(())
    }

    /// Adds the CPU time that the worker reports: at most the time since its previous reply,
    /// because it has one thread.
    fn spend(&mut self, cpu_ns: u64, now: Timestamp) {
        let most_ns = now.as_ns().saturating_sub(self.time.since().as_ns());
        self.cpu_ns = self.cpu_ns.saturating_add(cpu_ns.min(most_ns));
        self.begin(now);
    }

    /// The worker begins to work on the oldest request.
    fn begin(&mut self, now: Timestamp) {
        self.time.begin(now, !self.is_ready);
    }

    /// How long the worker may take for the oldest request; `None` if it has none.
    fn time_max(&self) -> Option<Duration> {
        let oldest = self.sent.front()?;
        Some(match oldest.attempt {
            _ if !self.is_ready => START_TIME_MAX,
            Attempt::First => first_time_max(oldest.request.task.kind()),
            Attempt::Slow | Attempt::Second => ALONE_TIME_MAX,
        })
    }

    /// When the next reply must have arrived, or the worker is checked again; `None` if the worker
    /// has no request.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        Some(self.time.deadline(self.time_max()?))
    }

    /// Checks whether the worker has taken too long for the oldest request, without the time for
    /// which it waited for a CPU.
    ///
    /// # Errors
    /// It has.
    pub(super) fn check_time(
        &mut self,
        now: Timestamp,
        scheduling: &impl Scheduling,
    ) -> Result<(), WorkerFailed> {
        let Some(limit) = self.time_max() else { return Ok(()) };
        if self.time.is_over(limit, now, scheduling) { Err(WorkerFailed) } else { Ok(()) }
    }

    /// The worker has been killed or has exited. The next one is fresh.
    pub(super) fn worker_ended(&mut self) {
        self.received = Received::default();
        (self.is_ready, self.is_used) = (false, false);
    }

    /// Whether the current worker is ready.
    pub(super) const fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// The worker has failed. All its requests are sent again; the oldest one, which is treated as
    /// the cause, is sent alone. Returns the process that the cause is about.
    pub(super) fn worker_failed(&mut self, outcomes: &mut Vec<Outcome>) -> Option<ProcessKey> {
        let cause = if self.is_ready { self.sent.pop_front() } else { None };
        self.worker_ended();
        while let Some(Sent { request, attempt, .. }) = self.sent.pop_back() {
            self.waiting.push_front(Waiting { task: request.task, attempt });
        }
        let Sent { request: Request { task, .. }, attempt, .. } = cause?;
        let process = task.process();
        if attempt == Attempt::Second {
            self.failed_twice(task, outcomes);
        } else {
            self.postpone(process);
            self.waiting.push_back(Waiting { task, attempt: Attempt::Second });
        }
        Some(process)
    }

    /// The process of the next request, if this is the second attempt at the request.
    pub(super) fn next_second(&self) -> Option<ProcessKey> {
        let next = self.waiting.front().filter(|_| self.sent.is_empty())?;
        (next.attempt == Attempt::Second).then(|| next.task.process())
    }

    /// The worker that has failed on the next request cannot be killed, so the request is not made
    /// again: it is treated as if two workers had failed on it.
    pub(super) fn next_hangs(&mut self, outcomes: &mut Vec<Outcome>) {
        if let Some(Waiting { task, .. }) = self.waiting.pop_front() {
            self.failed.insert_hanging(&task);
            self.failed_twice(task, outcomes);
        }
    }

    /// The request is given up, and so are others that would fail as well.
    fn failed_twice(&mut self, task: Task, outcomes: &mut Vec<Outcome>) {
        log::debug!("workers failed at {:?} of process {}", task.kind(), task.process().pid);
        self.failed.insert(&task);
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let cause = Waiting { task, attempt: Attempt::Slow };
        for Waiting { task, attempt } in waiting.chain([cause]) {
            match self.failed.possible(task) {
                Possible::Task(task) => self.waiting.push_back(Waiting { task, attempt }),
                Possible::Nothing(task) => {
                    outcomes.push(Outcome::unanswered(task, Unanswered::Failed));
                }
            }
        }
    }

    /// The requests about this process come after all others, so that a process on which workers
    /// fail delays others only once.
    fn postpone(&mut self, process: ProcessKey) {
        let is_first = |waiting: &Waiting| {
            waiting.task.process() == process && waiting.attempt == Attempt::First
        };
        let (first, rest): (VecDeque<_>, _) =
            std::mem::take(&mut self.waiting).into_iter().partition(is_first);
        self.waiting = rest;
        let first = first.into_iter().map(|Waiting { task, .. }| task);
        self.waiting.extend(first.map(|task| Waiting { task, attempt: Attempt::Slow }));
    }

    /// Gives up the requests of some kinds that have not been sent.
    pub(super) fn give_up(
        &mut self,
        why: Unanswered,
        is_given_up: impl Fn(TaskKind) -> bool,
        outcomes: &mut Vec<Outcome>,
    ) {
        let given_up = self.take_waiting(|task| is_given_up(task.kind()));
        outcomes.extend(given_up.into_iter().map(|task| Outcome::unanswered(task, why)));
    }

    /// Removes some of the tasks that have not been sent.
    fn take_waiting(&mut self, is_taken: impl Fn(&Task) -> bool) -> Vec<Task> {
        let waiting = std::mem::take(&mut self.waiting);
        let (taken, rest): (VecDeque<_>, _) =
            waiting.into_iter().partition(|waiting| is_taken(&waiting.task));
        self.waiting = rest;
        taken.into_iter().map(|waiting| waiting.task).collect()
    }

    /// Gives up all requests.
    ///
    /// # Errors
    /// The worker has some of them and could still reply, so it cannot be used again.
    pub(super) fn give_up_all(
        &mut self,
        why: Unanswered,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<(), WorkerFailed> {
        let sent = std::mem::take(&mut self.sent);
        let is_busy = !sent.is_empty();
        let tasks = sent.into_iter().map(|sent| sent.request.task);
        outcomes.extend(tasks.map(|task| Outcome::unanswered(task, why)));
        self.give_up(why, |_| true, outcomes);
        if is_busy { Err(WorkerFailed) } else { Ok(()) }
    }

    /// CPU time of workers.
    pub(super) const fn cpu_time(&self) -> Duration {
        Duration::from_nanos(self.cpu_ns)
    }
}

#[cfg(test)]
mod tests;
