//! Workers that wait for a CPU.

use super::*;

/// A worker that has run and waited for so long, in milliseconds.
#[derive(Clone, Copy)]
struct Scheduled {
    ran_ms: u64,
    waited_ms: u64,
    is_runnable: bool,
}

impl Scheduling for Scheduled {
    fn times(&self) -> Option<Times> {
        let ns = |ms| ms * 1_000_000;
        Some(Times { ran_ns: ns(self.ran_ms), waited_ns: ns(self.waited_ms) })
    }

    fn is_runnable(&self) -> bool {
        self.is_runnable
    }
}

/// A kernel that does not keep the times.
struct Unknown;

impl Scheduling for Unknown {
    fn times(&self) -> Option<Times> {
        None
    }

    fn is_runnable(&self) -> bool {
        true
    }
}

/// An exchange whose worker, which has waited before, works on a request from 1s on.
fn working() -> Play {
    let mut play = Play::asking([1]);
    play.now_ms = 1_000;
    play.start();
    play.send();
    play
}

const BEFORE: Scheduled = Scheduled { ran_ms: 50, waited_ms: 5_000, is_runnable: true };

impl Play {
    /// Checks the worker at this time.
    fn check(&mut self, now_ms: u64, scheduling: &impl Scheduling) -> Result<(), WorkerFailed> {
        self.now_ms = now_ms;
        self.exchange.check_time(self.now(), scheduling)
    }

    fn deadline_ms(&self) -> u64 {
        self.exchange.deadline().unwrap().as_ns() / 1_000_000
    }
}

#[test]
fn a_deadline_does_not_include_the_time_without_a_cpu() {
    let mut play = working();
    assert_eq!(play.check(1_000, &BEFORE), Ok(()));
    assert_eq!(play.deadline_ms(), 2_000);
    let asleep = Scheduled { ran_ms: 60, waited_ms: 5_700, is_runnable: false };
    assert_eq!(play.check(2_001, &asleep), Ok(()), "it has waited for 700 ms since then");
    assert_eq!(play.deadline_ms(), 2_700);
    assert_eq!(play.check(2_701, &asleep), Err(WorkerFailed));
}

#[test]
fn a_worker_that_has_not_run_since_the_previous_deadline_is_still_waiting() {
    let mut play = working();
    play.check(1_000, &BEFORE).unwrap();
    let mut now_ms = 2_000;
    while now_ms < 3_500 {
        assert_eq!(play.check(now_ms + 1, &BEFORE), Ok(()), "{now_ms}");
        now_ms = play.deadline_ms();
    }
    // Then the kernel adds its wait.
    let after = Scheduled { ran_ms: 55, waited_ms: 7_500, is_runnable: true };
    assert_eq!(play.check(now_ms + 1, &after), Ok(()));
    assert_eq!(play.deadline_ms(), 4_000, "at most three times the limit");
    assert_eq!(play.check(4_001, &after), Err(WorkerFailed));
}

#[test]
fn a_worker_that_runs_or_sleeps_is_late() {
    for (is_runnable, late_ms) in [(true, 101), (false, 0)] {
        let mut play = working();
        play.check(1_000, &BEFORE).unwrap();
        let at = |now_ms| Scheduled { ran_ms: now_ms, is_runnable, ..BEFORE };
        if is_runnable {
            assert_eq!(play.check(2_001, &at(2_001)), Ok(()), "it may be waiting");
            assert_eq!(play.deadline_ms(), 2_101);
        }
        assert_eq!(play.check(2_001 + late_ms, &at(2_001 + late_ms)), Err(WorkerFailed));
    }
}

#[test]
fn a_worker_that_starts_has_waited_only_for_its_start() {
    let mut play = Play::asking([1]);
    play.send();
    let starting = Scheduled { ran_ms: 5, waited_ms: 9_000, is_runnable: false };
    assert_eq!(play.check(10_001, &starting), Ok(()));
    assert_eq!(play.deadline_ms(), 19_000);
    let requests = std::mem::take(&mut play.requests);
    play.start();
    play.requests = requests;
    assert_eq!(play.check(10_002, &starting), Ok(()));
    assert_eq!(play.check(11_002, &starting), Err(WorkerFailed));
}

#[test]
fn a_kernel_without_the_times_extends_nothing() {
    let mut play = working();
    assert_eq!(play.check(2_000, &Unknown), Ok(()));
    assert_eq!(play.check(2_001, &Unknown), Err(WorkerFailed));
}
