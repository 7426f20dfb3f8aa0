//! The ledger: the open HTTP responses in Go programs. They were requested, and have neither
//! been read to EOF nor closed.
//!
//! Uprobes maintain it in a BPF map ([`kernel::uprobes`](super::kernel::uprobes)), so no request
//! causes an event. The map is read after each snapshot, and each response that has been open
//! for a while is assigned to its connection by reading the program's memory. That, and the search
//! for the functions to which uprobes are attached, is done by an inspection worker
//! ([`inspection`](super::inspection)): nothing here waits for it.
//!
//! Responses that were open before the uprobes were attached are not in it.

mod followed;
mod lists;
mod program_file;
mod reread;
mod response_list;

use std::{
    collections::BTreeMap,
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracer_core::{AccessError, Input, Limit, ProcessKey};
use tracer_inspect::{
    process::{identity::TICK_NS, image::Image},
    protocol::{Answer, Task},
};

use self::{
    followed::{Followed, Found},
    reread::Reread,
};
use super::{
    inspection::{Outcome, Unanswered},
    kernel::{load::Kernel, uprobes::LedgerLinks},
    stacks::Stacks,
};

/// Maximum number of processes with uprobes at a time.
const FOLLOWED_MAX: usize = 256;
/// Time limit for attaching uprobes to further processes after one snapshot.
const ATTACH_TIME_MAX: Duration = Duration::from_millis(250);

/// Time limit for detaching uprobes of processes that have ended, after one snapshot. At least one
/// is detached.
const DETACH_TIME_MAX: Duration = Duration::from_millis(100);

/// The ledgers of a run.
#[derive(Debug)]
pub(crate) struct Ledgers {
    /// The minimum age of a response that is assigned to its connection, in milliseconds.
    age_min_ms: u64,
    known: BTreeMap<Process, ProcessState>,
    /// Whether more than [`FOLLOWED_MAX`] processes were wanted.
    is_full: bool,
    /// Time spent on attaching uprobes since the latest snapshot.
    attaching: Duration,
    /// The uprobes of processes that have exited or called `execve`. The kernel is slow to remove
    /// them.
    ended: Vec<LedgerLinks>,
    /// Processes that have exited or called `execve` since the latest snapshot.
    unlisted: Vec<Process>,
    reread: Reread,
}

/// A process, identified as in `/proc`: the start time distinguishes it from a later process with
/// the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

/// Whether uprobes are attached in a process.
#[derive(Debug)]
enum ProcessState {
    /// A worker is looking for the functions to probe.
    Asked { image: Option<Image> },
    /// The functions were found; uprobes are attached after the next snapshot.
    Found(Box<Found>),
    /// Uprobes are attached.
    Followed(Box<Followed>),
    /// No uprobes are attached, and none will be while the process runs this program.
    NotFollowed { image: Option<Image>, reason: Untracked },
}

impl ProcessState {
    /// The uprobes, if the process has some.
    fn into_links(self) -> Option<LedgerLinks> {
        match self {
            Self::Followed(followed) => Some(followed.links),
            Self::Asked { .. } | Self::Found(_) | Self::NotFollowed { .. } => None,
        }
    }
}

/// Why the responses of a process are not tracked.
#[derive(Debug)]
enum Untracked {
    /// The program of the process does not contain Go's HTTP client.
    NoClient,
    Limit(Limit),
    /// Two inspection workers failed.
    InspectionFailed,
}

impl From<ProcessKey> for Process {
    fn from(key: ProcessKey) -> Self {
        Self { pid: key.pid, started: key.start_time_ns / TICK_NS }
    }
}

impl Process {
    /// The key for a question, whose start time only has to be exact to the clock tick.
    const fn key(self) -> ProcessKey {
        ProcessKey { pid: self.pid, start_time_ns: self.started * TICK_NS }
    }
}

/// Passes on a request to an inspection worker.
pub(crate) type Ask<'a> = &'a mut dyn FnMut(Task);

impl Ledgers {
    /// Ledgers that report only responses that have been open for `age_min_ms`.
    pub(crate) fn new(age_min_ms: u64) -> Self {
        raise_open_files_limit();
        Self {
            age_min_ms,
            known: BTreeMap::new(),
            is_full: false,
            attaching: Duration::ZERO,
            ended: Vec::new(),
            unlisted: Vec::new(),
            reread: Reread::default(),
        }
    }

    /// Attaches uprobes to the wanted processes that have none, detaches them from processes that
    /// have exited or called `execve`, and reads the open responses. Returns the ledger of each
    /// process that is among the `holders` of sockets, or a notice that it is being read, in which
    /// case [`take`](Self::take) returns it later. `wanted` has the start time of each process, in
    /// clock ticks since boot, by pid.
    pub(crate) fn update(
        &mut self,
        kernel: &mut Kernel,
        stacks: &mut Stacks,
        wanted: &BTreeMap<u32, u64>,
        holders: &[ProcessKey],
        ask: Ask<'_>,
    ) -> Vec<Input> {
        self.attaching = Duration::ZERO;
        self.forget_ended(wanted);
        self.detach_ended();
        self.attach_found(kernel);
        self.find_new(wanted, ask);
        self.read(kernel, stacks, holders, ask)
    }

    /// Whether some uprobes or ledgers wait for an inspection.
    pub(crate) fn is_waiting(&self) -> bool {
        self.known.values().any(|state| match state {
            ProcessState::Asked { .. } => true,
            ProcessState::Followed(followed) => followed.is_pending(),
            ProcessState::Found(_) | ProcessState::NotFollowed { .. } => false,
        })
    }

    /// The outcomes of further requests have arrived.
    pub(crate) fn outcomes_arrived(&mut self) {
        self.reread.forget();
    }

    /// Takes the outcome of a request. Returns the ledger, if that completes one.
    pub(crate) fn take(
        &mut self,
        kernel: &mut Kernel,
        outcome: Outcome,
        ask: Ask<'_>,
    ) -> Option<Input> {
        let Outcome { task, result, program } = outcome;
        match task {
            Task::Entries(key) => {
                self.take_entries(kernel, key, result, program);
                None
            }
            Task::Resolve { process, objects } => {
                self.take_resolved(kernel, process, &objects, result, ask)
            }
            Task::Process(_)
            | Task::ProcessInKernel(_)
            | Task::CallSite { .. }
            | Task::Readers { .. } => None,
        }
    }

    /// Detaches one uprobe, to measure how long that takes, and leaves the others attached. Returns
    /// their number and that time; `None` if there are none.
    pub(crate) fn leave_attached(mut self) -> Option<(usize, Duration)> {
        let known =
            std::mem::take(&mut self.known).into_values().filter_map(ProcessState::into_links);
        let mut links: Vec<_> = known.chain(self.ended).collect();
        let started_at = Instant::now();
        let is_detached = links.iter_mut().any(LedgerLinks::detach_one);
        let took = started_at.elapsed();
        let count = links.iter().map(LedgerLinks::count).sum();
        std::mem::forget(links);
        (is_detached && count > 0).then_some((count, took))
    }

    /// Forgets processes that have exited or called `execve`. A process without sockets keeps its
    /// uprobes.
    fn forget_ended(&mut self, wanted: &BTreeMap<u32, u64>) {
        let is_current = |process: &Process, state: &ProcessState| match state {
            // The functions have not been found yet.
            ProcessState::Asked { .. } => true,
            ProcessState::Found(found) => found.image.is_current(),
            ProcessState::Followed(followed) => followed.is_current(),
            ProcessState::NotFollowed { image, .. } => {
                wanted.get(&process.pid) == Some(&process.started)
                    && Image::of(process.pid) == *image
            }
        };
        for (process, state) in
            self.known.extract_if(.., |process, state| !is_current(process, state))
        {
            self.unlisted.push(process);
            self.ended.extend(state.into_links());
        }
    }

    /// Detaches uprobes of processes that have ended, for a limited time.
    fn detach_ended(&mut self) {
        let started_at = Instant::now();
        while let Some(links) = self.ended.last_mut() {
            if !links.detach_one() {
                self.ended.pop();
            } else if started_at.elapsed() > DETACH_TIME_MAX {
                return;
            }
        }
    }

    /// Attaches uprobes to processes for which there was no time before.
    fn attach_found(&mut self, kernel: &mut Kernel) {
        let is_found = |state: &ProcessState| matches!(state, ProcessState::Found(_));
        let found = self.known.iter().filter(|(_, state)| is_found(state));
        for process in found.map(|(process, _)| *process).collect::<Vec<_>>() {
            if self.attaching > ATTACH_TIME_MAX {
                return;
            }
            if let Some(ProcessState::Found(found)) = self.known.remove(&process) {
                self.attach(kernel, process.key(), *found);
            }
        }
    }

    /// Asks for the functions of wanted processes that are not known yet.
    fn find_new(&mut self, wanted: &BTreeMap<u32, u64>, ask: Ask<'_>) {
        let is_asked = |state: &&ProcessState| matches!(state, ProcessState::Asked { .. });
        let has_none = |state: &&ProcessState| matches!(state, ProcessState::NotFollowed { .. });
        let mut asked = self.known.values().filter(is_asked).count();
        let followed = self.known.values().filter(|state| !has_none(state)).count() - asked;
        for (&pid, &started) in wanted {
            let process = Process { pid, started };
            if self.known.contains_key(&process) {
                continue;
            }
            self.is_full |= followed >= FOLLOWED_MAX;
            // The remaining processes come after the next snapshot.
            if followed + asked >= FOLLOWED_MAX {
                return;
            }
            // Read first, so that it shows whether what is read afterwards is still true.
            self.known.insert(process, ProcessState::Asked { image: Image::of(pid) });
            ask(Task::Entries(process.key()));
            asked += 1;
        }
    }

    fn take_entries(
        &mut self,
        kernel: &mut Kernel,
        key: ProcessKey,
        result: Result<Answer, Unanswered>,
        file: Option<OwnedFd>,
    ) {
        let process = Process::from(key);
        let Some(ProcessState::Asked { image }) = self.known.remove(&process) else { return };
        let reason = match (result, file, &image) {
            (Ok(Answer::Entries(Some(Ok(entries)))), Some(file), Some(image)) => {
                let found = Found { image: image.clone(), entries, file };
                if self.attaching > ATTACH_TIME_MAX {
                    self.known.insert(process, ProcessState::Found(Box::new(found)));
                } else {
                    self.attach(kernel, key, found);
                }
                return;
            }
            (Ok(Answer::Entries(Some(Ok(_)))), Some(_), None) => {
                let error = AccessError::PermissionDenied { detail: None };
                Untracked::Limit(Limit::MemoryUnreadable { error })
            }
            (Ok(Answer::Entries(Some(Err(limit)))), ..) => Untracked::Limit(limit),
            (Ok(Answer::Entries(_)), ..) => Untracked::NoClient,
            (Err(Unanswered::Failed), ..) => Untracked::InspectionFailed,
            // The process has exited, or is asked for again.
            (Ok(_) | Err(Unanswered::OutOfTime), ..) => return,
        };
        self.known.insert(process, ProcessState::NotFollowed { image, reason });
    }

    fn attach(&mut self, kernel: &mut Kernel, key: ProcessKey, found: Found) {
        let (started_at, image) = (Instant::now(), found.image.clone());
        let state = match Followed::attach(kernel, key, found) {
            Some(Ok(followed)) => Some(ProcessState::Followed(Box::new(followed))),
            Some(Err(limit)) => Some(ProcessState::NotFollowed {
                image: Some(image),
                reason: Untracked::Limit(limit),
            }),
            None => None,
        };
        self.attaching += started_at.elapsed();
        self.known.extend(state.map(|state| (key.into(), state)));
    }
}

/// Raises the soft limit of open files to the hard limit: each uprobe requires a file descriptor,
/// and the usual soft limit of 1,024 is too low.
fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(test)]
#[cfg(feature = "root-tests")]
mod as_root;
