//! How long the worker has worked on the oldest request, and how long it may.
//!
//! On a busy host, a worker may wait for a CPU for longer than a request takes. The process that it
//! reads is not the cause of that, so a deadline is extended by the time that the worker waited.

use std::time::Duration;

use tracer_core::Timestamp;
use tracer_inspect::protocol::TaskKind;

/// How long a worker may take to answer a request while others are waiting.
pub(super) const fn first_time_max(kind: TaskKind) -> Duration {
    Duration::from_secs(match kind {
        TaskKind::Process | TaskKind::ProcessInKernel => 1,
        TaskKind::CallSite
        | TaskKind::CallSiteBySymbols
        | TaskKind::Entries
        | TaskKind::Readers
        | TaskKind::Resolve => 2,
    })
}

/// How long a worker may take for a request that it has alone. Even on a busy host, the slowest
/// one, a scan of 250,000 goroutines, takes less.
pub(super) const ALONE_TIME_MAX: Duration = Duration::from_secs(10);

/// How long a worker may take to start, on a busy host.
pub(super) const START_TIME_MAX: Duration = Duration::from_secs(10);

/// With all extensions, a request takes at most this many times its limit.
const LIMITS_MAX: u64 = 3;
/// How long a worker that may be waiting for a CPU is given to run before it is checked again.
const STEP_NS: u64 = 100_000_000;

/// Times of a worker since it started (`/proc/PID/schedstat`, `proc_pid_schedstat` in
/// `fs/proc/base.c`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::collect::inspection) struct Times {
    /// How long it has run (`se.sum_exec_runtime`), in nanoseconds.
    pub(in crate::collect::inspection) ran_ns: u64,
    /// How long it has waited for a CPU (`sched_info.run_delay`), in nanoseconds, without the
    /// current wait.
    pub(in crate::collect::inspection) waited_ns: u64,
}

/// The kernel's view of the current worker.
pub(in crate::collect::inspection) trait Scheduling {
    /// The times of the worker; `None` if the kernel does not keep them.
    fn times(&self) -> Option<Times>;

    /// Whether the worker is running, or waiting for a CPU.
    fn is_runnable(&self) -> bool;
}

/// The time that the worker has had for the oldest request.
#[derive(Debug, Default)]
pub(super) struct WorkingTime {
    /// When the worker began to work on the request.
    since: Timestamp,
    /// When a part of the reply was received although the deadline had passed.
    late_since: Option<Timestamp>,
    /// The times of the worker at the beginning, if known.
    before: Option<Times>,
    /// The times of the worker at the latest deadline.
    latest: Option<Times>,
    /// By how much the deadline is extended.
    extension_ns: u64,
}

impl WorkingTime {
    /// The worker begins to work on a request at this time. `is_new`: it has just been started.
    pub(super) fn begin(&mut self, now: Timestamp, is_new: bool) {
        *self = Self { since: now, before: is_new.then(Times::default), ..Self::default() };
    }

    /// When the worker began to work on the request.
    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    /// A part of the reply was received at this time, after the deadline. The time for the rest
    /// begins now.
    pub(super) const fn receives_late(&mut self, now: Timestamp) {
        if self.late_since.is_none() {
            self.late_since = Some(now);
        }
    }

    /// When the reply must have arrived.
    pub(super) fn deadline(&self, limit: Duration) -> Timestamp {
        let limit_ns = nanoseconds(limit);
        let time_ns = limit_ns.saturating_add(self.extension_ns);
        self.counted_from(time_ns.min(limit_ns.saturating_mul(LIMITS_MAX)))
    }

    fn counted_from(&self, nanoseconds: u64) -> Timestamp {
        let since = self.late_since.unwrap_or(self.since);
        Timestamp::from_ns(since.as_ns().saturating_add(nanoseconds))
    }

    /// Whether the worker has taken too long. If the deadline has passed, it is extended by the time
    /// that the worker has waited for a CPU.
    pub(super) fn is_over(
        &mut self,
        limit: Duration,
        now: Timestamp,
        scheduling: &impl Scheduling,
    ) -> bool {
        let is_late = self.deadline(limit) < now;
        if !is_late && self.before.is_some() {
            return false;
        }
        let Some(times) = scheduling.times() else { return is_late };
        let before = *self.before.get_or_insert(times);
        if !is_late {
            return false;
        }
        self.extension_ns = times.waited_ns.saturating_sub(before.waited_ns);
        // The kernel adds the current wait when it ends. A worker that has not run since the
        // previous deadline still waits.
        let has_not_run = |latest: Times| latest.ran_ns == times.ran_ns;
        if self.latest.is_none_or(has_not_run) && scheduling.is_runnable() {
            let passed_ns = now.as_ns().saturating_sub(self.counted_from(0).as_ns());
            let step_ns = passed_ns.saturating_add(STEP_NS).saturating_sub(nanoseconds(limit));
            self.extension_ns = self.extension_ns.max(step_ns);
        }
        self.latest = Some(times);
        self.deadline(limit) < now
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
