//! Requests that workers failed to answer, or that are slow.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::ProcessKey;
use tracer_inspect::protocol::{Task, TaskKind};

/// Maximum number of pairs of process and kind that are remembered. The process that started first
/// is forgotten first.
const REMEMBERED_MAX: usize = 4_096;

/// After this many requests about processes of one user during which workers could not be killed,
/// no more requests are made about that user's processes. There may be few such workers at a time,
/// and the rest is for other users: a limit for each kind would let one user reach the limit for
/// all. The kernel's facts are still asked for, because nothing is found in a process that is not
/// identified, and no process can delay them.
const HANGING_MAX: usize = 2;

/// A program that several processes may run, and the user who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::collect::inspection) struct Program {
    pub(in crate::collect::inspection) hash: u64,
    pub(in crate::collect::inspection) user: u32,
}

/// Finds the program that a process runs; `None` if it has exited.
pub(in crate::collect::inspection) type Identify = fn(ProcessKey) -> Option<Program>;

/// Kinds of requests about processes.
#[derive(Debug, Default)]
pub(super) struct Remembered(BTreeSet<(ProcessKey, TaskKind)>);

impl Remembered {
    pub(super) fn contains(&self, task: &Task) -> bool {
        self.0.contains(&(task.process(), task.kind()))
    }

    /// Whether a request of any kind about this process is among them.
    pub(super) fn has_process(&self, process: ProcessKey) -> bool {
        let of_process = (process, TaskKind::Process)..=(process, TaskKind::Resolve);
        self.0.range(of_process).next().is_some()
    }

    pub(super) fn insert(&mut self, task: &Task) {
        self.0.insert((task.process(), task.kind()));
        if self.0.len() > REMEMBERED_MAX {
            self.0.pop_first();
        }
    }
}

/// The part of a task that is still asked for, given what workers failed to answer.
pub(super) enum Possible {
    /// The task, possibly reduced.
    Task(Task),
    /// No part of the task, which is the original one.
    Nothing(Task),
}

/// Kinds of requests that are no longer made, about processes and about programs.
#[derive(Debug, Default)]
pub(super) struct Failed {
    of_processes: Remembered,
    of_programs: BTreeSet<(Program, TaskKind)>,
    /// The number of workers that could not be killed, by the user of the process that they were
    /// reading. There are few such workers, so these are few users.
    hanging: BTreeMap<u32, usize>,
    identify: Option<Identify>,
}

impl Failed {
    pub(super) fn new(identify: Identify) -> Self {
        Self { identify: Some(identify), ..Self::default() }
    }

    /// Notes that two workers failed to answer this task.
    pub(super) fn insert(&mut self, task: &Task) {
        self.of_processes.insert(task);
        let program = self.identify.and_then(|identify| identify(task.process()));
        self.of_programs.extend(program.map(|program| (program, task.kind())));
        if self.of_programs.len() > REMEMBERED_MAX {
            self.of_programs.pop_first();
        }
    }

    /// Notes that a worker that was working on this task cannot be killed.
    pub(super) fn insert_hanging(&mut self, task: &Task) {
        if let Some(program) = self.identify.and_then(|identify| identify(task.process())) {
            *self.hanging.entry(program.user).or_default() += 1;
        }
    }

    /// Whether any kind of request about this process is no longer made.
    pub(super) fn has_process(&self, process: ProcessKey) -> bool {
        self.of_processes.has_process(process)
    }

    /// What remains of the task without the kinds that are no longer made.
    pub(super) fn possible(&self, task: Task) -> Possible {
        let mut task = task;
        while self.contains(&task) {
            if !task.is_reducible() {
                return Possible::Nothing(task);
            }
            task = task.reduced();
        }
        Possible::Task(task)
    }

    fn contains(&self, task: &Task) -> bool {
        if self.of_processes.contains(task) {
            return true;
        }
        // Processes are identified only if that may matter.
        let is_kind = |(_, kind): &(Program, TaskKind)| *kind == task.kind();
        (!self.hanging.is_empty() || self.of_programs.iter().any(is_kind))
            && self.identify.and_then(|identify| identify(task.process())).is_some_and(|program| {
                self.of_programs.contains(&(program, task.kind()))
                    || self.hangs_for(program.user, task.kind())
            })
    }

    fn hangs_for(&self, user: u32, kind: TaskKind) -> bool {
        let hanging = self.hanging.get(&user).copied().unwrap_or(0);
        kind != TaskKind::ProcessInKernel && hanging >= HANGING_MAX
    }
}
