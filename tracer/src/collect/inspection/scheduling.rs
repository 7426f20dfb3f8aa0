//! How the kernel schedules a worker, from `/proc`.

use std::{fs::File, os::unix::fs::FileExt as _};

use tracer_inspect::process::stat::is_runnable;

use super::exchange::{Scheduling, Times};

/// The worker with this pid.
#[derive(Debug)]
pub(super) struct ScheduledWorker {
    pid: u32,
    /// The worker's `/proc/PID/schedstat`; `None` if the kernel was built without
    /// `CONFIG_SCHED_INFO`.
    times: Option<File>,
}

impl ScheduledWorker {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, times: File::open(format!("/proc/{pid}/schedstat")).ok() }
    }
}

/// A worker whose pid may not be known yet.
impl Scheduling for Option<ScheduledWorker> {
    fn times(&self) -> Option<Times> {
        let mut buffer = [0; 128];
        let length = self.as_ref()?.times.as_ref()?.read_at(&mut buffer, 0).ok()?;
        parse(str::from_utf8(buffer.get(..length)?).ok()?)
    }

    fn is_runnable(&self) -> bool {
        self.as_ref().is_some_and(|worker| is_runnable(worker.pid))
    }
}

/// Parses `/proc/PID/schedstat`. It has only zeros if the kernel does not keep the times
/// (`sched_info_on`).
fn parse(text: &str) -> Option<Times> {
    let mut numbers = text.split_whitespace().map(str::parse);
    let mut number = || numbers.next()?.ok();
    let times = Times { ran_ns: number()?, waited_ns: number()? };
    (times != Times::default()).then_some(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_run() {
        let scheduled = ScheduledWorker::new(std::process::id());
        if scheduled.times.is_some() {
            assert!(Some(scheduled).times().unwrap().ran_ns > 0);
        }
        assert_eq!(Some(ScheduledWorker::new(1 << 30)).times(), None);
    }

    #[test]
    fn times_that_are_not_kept_are_not_zero() {
        let times = Times { ran_ns: 12_345, waited_ns: 678 };
        assert_eq!(parse("12345 678 9\n"), Some(times));
        assert_eq!(parse("0 0 0\n"), None);
        assert_eq!(parse("12345\n"), None);
    }
}
