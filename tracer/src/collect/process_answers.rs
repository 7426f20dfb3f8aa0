//! Answers questions about processes from the latest pass over file tables, without reading `/proc`
//! for each snapshot.
//!
//! The worker is asked once. Afterwards, the pass shows what changes often (whether the process is
//! stopped, its number of file descriptors, its limit) and whether anything else may have changed:
//! then the worker is asked again.

use foldhash::HashMap;
use tracer_common::RawProcess;
use tracer_core::{ProcessFacts, ProcessKey, Timestamp};

/// `__TASK_STOPPED`, `__TASK_TRACED` and `TASK_FROZEN` of `include/linux/sched.h`. The last one is
/// set by the freezer of cgroup v1.
const STOPPED_STATES: u32 = 0x4 | 0x8 | 0x8000;
/// `PF_FROZEN` of `include/linux/sched.h`, which means the same before Linux 6.1. Later it is
/// `PF_KCOMPACTD`, a kernel thread without sockets.
const FROZEN: u32 = 0x1_0000;
/// `JOBCTL_TRAP_FREEZE` of `include/linux/sched/jobctl.h`: the freezer of cgroup v2.
const TRAP_FREEZE: u64 = 1 << 23;

/// Maximum number of processes whose facts are kept.
const PROCESSES_MAX: usize = 8_192;
/// How long facts are used again: a process can change its command line without notice, and an
/// address can be reused for other credentials or cgroups.
const LASTS_MS: u64 = 300_000;
/// Facts are used for up to this much longer, depending on the process, so that not all expire at the
/// same snapshot.
const LASTS_SPREAD_MS: u64 = 300_000;

/// The facts about processes that are known without asking the worker.
#[derive(Debug, Default)]
pub(crate) struct ProcessAnswers {
    /// The processes in the latest pass.
    latest: HashMap<ProcessKey, RawProcess>,
    facts: HashMap<ProcessKey, Known>,
    /// The processes about which the worker was asked, as they were when it was asked.
    asked: HashMap<ProcessKey, Marks>,
}

/// An answer of the worker.
#[derive(Debug)]
struct Known {
    facts: ProcessFacts,
    /// The process before the worker read it.
    marks: Marks,
    read_at: Timestamp,
}

/// Values of a process. As long as they have not changed, its program, user and container have not
/// changed either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Marks {
    exec_number: u64,
    credentials: u64,
    cgroups: u64,
}

impl Marks {
    const fn of(process: &RawProcess) -> Self {
        let RawProcess { exec_number, credentials, cgroups, .. } = *process;
        Self { exec_number, credentials, cgroups }
    }
}

impl ProcessAnswers {
    /// Replaces the state of all processes with what the latest pass has shown.
    pub(crate) fn observe(&mut self, processes: &[RawProcess]) {
        self.latest.clear();
        self.latest.extend(processes.iter().map(|process| {
            let RawProcess { start_time_ns, pid, .. } = *process;
            (ProcessKey { start_time_ns, pid }, *process)
        }));
        // A pass over files shows no states.
        if !processes.is_empty() {
            self.facts.retain(|key, _| self.latest.contains_key(key));
            self.asked.retain(|key, _| self.latest.contains_key(key));
        }
    }

    /// The answer, if the worker need not be asked.
    pub(crate) fn answer(&mut self, key: ProcessKey, now: Timestamp) -> Option<ProcessFacts> {
        let process = self.latest.get(&key)?;
        let marks = Marks::of(process);
        let is_valid = |known: &&Known| {
            known.marks == marks && now.ms_since(known.read_at) < lasts_ms(key.pid)
        };
        let Some(known) = self.facts.get(&key).filter(is_valid) else {
            self.asked.insert(key, marks);
            return None;
        };
        Some(ProcessFacts {
            stopped: is_stopped(process),
            open_fds: Some(process.open_fds.into()),
            fd_limit: (process.fd_limit != u64::MAX).then_some(process.fd_limit),
            ..known.facts.clone()
        })
    }

    /// Stores an answer of the worker for later questions.
    pub(crate) fn keep(&mut self, facts: &ProcessFacts, now: Timestamp) {
        let Some(marks) = self.asked.remove(&facts.key) else { return };
        if self.facts.len() >= PROCESSES_MAX && !self.facts.contains_key(&facts.key) {
            return;
        }
        // For a process whose main thread has exited, or that may not be read, the worker knows
        // less. That may change.
        if facts.open_fds.is_some() && facts.exe.is_some() {
            let known = Known { facts: facts.clone(), marks, read_at: now };
            self.facts.insert(facts.key, known);
        }
    }
}

/// Whether a signal, a debugger or the freezer of a cgroup has stopped the process.
const fn is_stopped(process: &RawProcess) -> bool {
    process.state & STOPPED_STATES != 0
        || process.flags & FROZEN != 0
        || process.job_control & TRAP_FREEZE != 0
}

fn lasts_ms(pid: u32) -> u64 {
    // Pids of related processes are close together, so any multiplier spreads them.
    LASTS_MS + u64::from(pid).wrapping_mul(7_919) % LASTS_SPREAD_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ProcessKey = ProcessKey { start_time_ns: 5, pid: 7 };
    const PROCESS: RawProcess = RawProcess {
        start_time_ns: 5,
        exec_number: 1,
        credentials: 2,
        cgroups: 3,
        fd_limit: 1_024,
        job_control: 0,
        state: 1,
        flags: 0,
        pid: 7,
        open_fds: 12,
    };

    fn facts() -> ProcessFacts {
        ProcessFacts {
            key: KEY,
            exe: Some("/bin/a".to_owned()),
            cmdline: None,
            script: None,
            uid: Some(0),
            container: None,
            inner_pid: None,
            open_fds: Some(10),
            fd_limit: Some(1_024),
            stopped: false,
            has_executed: Some(true),
        }
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    /// Answers that include the process.
    fn known() -> ProcessAnswers {
        let mut answers = ProcessAnswers::default();
        answers.observe(&[PROCESS]);
        assert_eq!(answers.answer(KEY, at(1)), None, "the worker is asked once");
        answers.keep(&facts(), at(1));
        answers
    }

    #[test]
    fn what_changes_often_is_from_the_latest_pass() {
        let mut answers = known();
        let expected = ProcessFacts { open_fds: Some(12), ..facts() };
        assert_eq!(answers.answer(KEY, at(2)), Some(expected));
        answers.observe(&[RawProcess { state: 4, open_fds: 13, fd_limit: u64::MAX, ..PROCESS }]);
        let expected =
            ProcessFacts { open_fds: Some(13), fd_limit: None, stopped: true, ..facts() };
        assert_eq!(answers.answer(KEY, at(3)), Some(expected));
        for stopped in [
            RawProcess { state: 8, ..PROCESS },
            RawProcess { state: 0x8000, ..PROCESS },
            RawProcess { flags: 0x1_0000, ..PROCESS },
            RawProcess { job_control: 1 << 23, ..PROCESS },
        ] {
            answers.observe(&[stopped]);
            assert!(answers.answer(KEY, at(4)).unwrap().stopped, "{stopped:?}");
        }
    }

    #[test]
    fn what_may_have_changed_is_read_again() {
        for other in [
            RawProcess { exec_number: 2, ..PROCESS },
            RawProcess { credentials: 9, ..PROCESS },
            RawProcess { cgroups: 9, ..PROCESS },
        ] {
            let mut answers = known();
            answers.observe(&[other]);
            assert_eq!(answers.answer(KEY, at(2)), None, "{other:?}");
            // It changed again while the worker read it.
            answers.observe(&[PROCESS]);
            answers.keep(&facts(), at(3));
            assert_eq!(answers.answer(KEY, at(4)), None);
            answers.keep(&facts(), at(5));
            assert!(answers.answer(KEY, at(6)).is_some());
        }
        assert_eq!(known().answer(KEY, at(1 + lasts_ms(KEY.pid))), None, "it is old");
        let mut answers = known();
        answers.observe(&[]);
        assert_eq!(answers.answer(KEY, at(2)), None, "a pass over files");
        answers.observe(&[PROCESS]);
        assert!(answers.answer(KEY, at(2)).is_some());
        answers.observe(&[RawProcess { start_time_ns: 6, ..PROCESS }]);
        assert_eq!(answers.answer(KEY, at(2)), None, "another process");
    }
}
