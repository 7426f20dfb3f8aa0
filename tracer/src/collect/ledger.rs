//! The ledger: the HTTP responses in flight in Go programs. They were requested, and have neither
//! been read to EOF nor closed.
//!
//! Uprobes maintain it in a BPF map ([`kernel::uprobes`](super::kernel::uprobes)), so no request
//! causes an event. The map is read after each snapshot, and each response that has been in flight
//! for a while is assigned to its connection by reading the program's memory
//! ([`tracer_inspect::go`]).
//!
//! Responses that were in flight before the uprobes were attached are not in it.

mod followed;
mod responses_in_flight;

use std::{
    collections::BTreeMap,
    fs, io,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracer_common::{LedgerKey, LedgerKind, LedgerRecord, StackKey};
use tracer_core::{Input, Ledger, Limit, Note, ProcessKey, Timestamp};
use tracer_inspect::{
    clock,
    go::HttpObject,
    inspector::Inspector,
    process::{file_key::FileKey, identity::TICK_NS},
};

use self::{followed::Followed, responses_in_flight::Entry};
use super::{
    kernel::{load::Kernel, uprobes::LedgerLinks},
    stacks::Stacks,
};

/// Maximum number of processes with uprobes at a time.
const FOLLOWED_MAX: usize = 256;
/// Time limit for attaching uprobes to further processes after one snapshot.
const ATTACH_TIME_MAX: Duration = Duration::from_millis(250);
/// An HTTP/2 request gets its stream at once. After this long without one, it never will.
const PENDING_MAX_MS: u64 = 10_000;

/// The ledgers of a run.
#[derive(Debug)]
pub(crate) struct Ledgers {
    /// The minimum age of a response that is assigned to its connection, in milliseconds.
    age_min_ms: u64,
    known: BTreeMap<Process, ProcessState>,
    /// Whether more than [`FOLLOWED_MAX`] processes were wanted.
    is_full: bool,
}

/// A process, identified as in `/proc`: the start time distinguishes it from a later process with the
/// same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

/// Whether a process has uprobes.
#[derive(Debug)]
enum ProcessState {
    /// It has.
    Followed(Box<Followed>),
    /// It has none, and will not get any while it runs this program. `reason` is `None` for a
    /// program without Go's HTTP client.
    NotFollowed { program: FileKey, reason: Option<Limit> },
}

impl From<ProcessKey> for Process {
    fn from(key: ProcessKey) -> Self {
        Self { pid: key.pid, started: key.start_time_ns / TICK_NS }
    }
}

impl Ledgers {
    /// Ledgers that report only responses that have been in flight for `age_min_ms`.
    pub(crate) fn new(age_min_ms: u64) -> Self {
        raise_open_files_limit();
        Self { age_min_ms, known: BTreeMap::new(), is_full: false }
    }

    /// Attaches uprobes to the wanted processes that have none, detaches them from processes that
    /// have exited or called `execve`, and returns the ledger of each process that is among the
    /// `holders` of sockets. `wanted` has the start time of each process, in clock ticks since
    /// boot, by pid.
    pub(crate) fn update(
        &mut self,
        kernel: &mut Kernel,
        inspector: &mut Inspector,
        stacks: &mut Stacks,
        wanted: &BTreeMap<u32, u64>,
        holders: &[ProcessKey],
    ) -> Vec<Input> {
        self.forget_ended(wanted);
        self.follow_new(kernel, inspector, wanted);
        self.read(kernel, inspector, stacks, holders)
    }

    /// Detaches one uprobe, to measure how long that takes, and leaves the others attached. Returns
    /// their number and that time; `None` if there are none.
    pub(crate) fn leave_attached(mut self) -> Option<(usize, Duration)> {
        let links = |state| match state {
            ProcessState::Followed(followed) => Some(followed.links),
            ProcessState::NotFollowed { .. } => None,
        };
        let mut links: Vec<_> =
            std::mem::take(&mut self.known).into_values().filter_map(links).collect();
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
        self.known.retain(|process, state| match state {
            ProcessState::Followed(followed) => followed.is_current(),
            ProcessState::NotFollowed { program, .. } => {
                wanted.get(&process.pid) == Some(&process.started)
                    && program_file(process.pid).is_ok_and(|now| now == *program)
            }
        });
    }

    /// Attaches uprobes to wanted processes that are not known yet.
    fn follow_new(
        &mut self,
        kernel: &mut Kernel,
        inspector: &mut Inspector,
        wanted: &BTreeMap<u32, u64>,
    ) {
        let started_at = Instant::now();
        let is_followed = |state: &&ProcessState| matches!(state, ProcessState::Followed(_));
        let mut followed = self.known.values().filter(is_followed).count();
        for (&pid, &started) in wanted {
            let process = Process { pid, started };
            if self.known.contains_key(&process) {
                continue;
            }
            if followed >= FOLLOWED_MAX {
                self.is_full = true;
                return;
            }
            // The remaining processes get theirs after the next snapshot.
            if started_at.elapsed() > ATTACH_TIME_MAX {
                return;
            }
            let Ok(program) = program_file(pid) else { continue };
            let key = ProcessKey { pid, start_time_ns: started * TICK_NS };
            let state = match Followed::attach(kernel, inspector, key) {
                Some(Ok(new)) => {
                    followed += 1;
                    ProcessState::Followed(Box::new(new))
                }
                Some(Err(reason)) => ProcessState::NotFollowed { program, reason: Some(reason) },
                None => ProcessState::NotFollowed { program, reason: None },
            };
            self.known.insert(process, state);
        }
    }

    /// Reads the kernel map, which has the responses of all processes.
    fn read(
        &mut self,
        kernel: &mut Kernel,
        inspector: &mut Inspector,
        stacks: &mut Stacks,
        holders: &[ProcessKey],
    ) -> Vec<Input> {
        let mut inputs = Vec::new();
        if self.is_full {
            let note = Note::FollowedProcessesFull { processes_max: FOLLOWED_MAX };
            inputs.push(Input::Note(note));
        }
        let at = clock::now();
        let records = match kernel.ledger() {
            Ok(records) => records,
            Err(error) => {
                log::warn!("{error:#}");
                return inputs;
            }
        };
        let mut in_flight = self.by_process(kernel, stacks, &records, at);
        let exact: BTreeMap<Process, ProcessKey> =
            holders.iter().map(|key| (Process::from(*key), *key)).collect();
        for (process, state) in &mut self.known {
            // A process without sockets has no responses in flight.
            let Some(&key) = exact.get(process) else { continue };
            let responses = match state {
                ProcessState::Followed(followed) => followed.responses(
                    inspector,
                    key,
                    in_flight.remove(process).unwrap_or_default(),
                ),
                ProcessState::NotFollowed { reason, .. } => {
                    reason.clone().map(|it| (Vec::new(), vec![it]))
                }
            };
            let ledger = |(open, limits)| Input::Ledger(Ledger { process: key, at, open, limits });
            inputs.extend(responses.map(ledger));
        }
        inputs
    }

    /// The responses that are old enough, by process. Entries of processes that no longer have
    /// uprobes are removed from the BPF map.
    fn by_process(
        &self,
        kernel: &mut Kernel,
        stacks: &mut Stacks,
        records: &[(LedgerKey, LedgerRecord)],
        at: Timestamp,
    ) -> BTreeMap<Process, Vec<Entry>> {
        let mut entries: BTreeMap<Process, Vec<Entry>> = BTreeMap::new();
        for (key, record) in records {
            let owner = ProcessKey { pid: record.pid, start_time_ns: record.start_time_ns };
            let owner = Process::from(owner);
            let since = Timestamp::from_ns(record.at_ns);
            let age_ms = at.ms_since(since);
            match (self.known.get(&owner), object(key)) {
                // An entry from before `since` is that of a program that called execve.
                (Some(ProcessState::Followed(followed)), Some(object))
                    if followed.since <= since =>
                {
                    let stack = StackKey::new(record.pid, record.stack);
                    let stack = stack.and_then(|stack| stacks.number(stack, at));
                    if age_ms >= self.age_min_ms {
                        entries.entry(owner).or_default().push(Entry { object, since, stack });
                    }
                }
                (Some(ProcessState::Followed(_)), None) if age_ms < PENDING_MAX_MS => {}
                _ => kernel.remove_from_ledger(*key),
            }
        }
        entries
    }
}

/// The object in the program that identifies a response: its HTTP/1 connection or HTTP/2 stream.
/// `None` for an HTTP/2 request that has no stream yet.
fn object(key: &LedgerKey) -> Option<HttpObject> {
    let kinds = [LedgerKind::Connection, LedgerKind::Stream];
    let kind = kinds.into_iter().find(|kind| *kind as u32 == key.kind)?;
    Some(HttpObject { kind, address: key.object })
}

/// Device and inode number of the executable of a process.
fn program_file(pid: u32) -> io::Result<FileKey> {
    Ok(FileKey::of(&fs::metadata(format!("/proc/{pid}/exe"))?))
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
