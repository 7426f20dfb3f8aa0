//! The ledger of Go programs: which responses their HTTP clients have handed out and not got back.
//!
//! Hooks in the programs keep it in the kernel ([`kernel::uprobes`](super::kernel::uprobes)); nobody is told of a
//! single request. At each look it is read as a whole, and what has been out for a while is joined
//! to the connection that carries it, by reading the program's memory ([`tracer_inspect::go`]).
//!
//! What was handed out before the hooks were there is not on it.

mod followed;
mod responses_in_flight;

use std::{
    collections::BTreeMap,
    fs, io,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracer_common::{LedgerKey, LedgerKind, LedgerRecord};
use tracer_core::{Input, Ledger, Limit, Note, ProcessKey, StackId, Timestamp};
use tracer_inspect::{
    clock,
    go::{GoPrograms, HttpObject},
    process::{file_key::FileKey, identity::TICK_NS},
};

use self::{followed::Followed, responses_in_flight::Entry};
use super::kernel::load::Kernel;

/// Most processes that have hooks at a time.
const FOLLOWED_MAX: usize = 256;
/// After this long no further process is given hooks at one look.
const NEWCOMERS_MAX: Duration = Duration::from_millis(250);
/// A request of HTTP/2 gets its stream at once. One that has none after this long never will.
const PENDING_MAX_MS: u64 = 10_000;

/// The ledgers of a run.
#[derive(Debug)]
pub(crate) struct Ledgers {
    /// What is younger is not joined to its connection yet.
    age_min_ms: u64,
    known: BTreeMap<Process, Standing>,
    /// Some process found no place.
    is_full: bool,
}

/// A process as `/proc` tells it apart from a later one with the same pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: u32,
    /// In clock ticks since boot.
    started: u64,
}

/// How it stands with a process.
#[derive(Debug)]
enum Standing {
    /// It has hooks.
    Followed(Box<Followed>),
    /// It has none, for as long as it runs this program.
    Left { program: FileKey, reason: Option<Limit> },
}

impl From<ProcessKey> for Process {
    fn from(key: ProcessKey) -> Self {
        Self { pid: key.pid, started: key.start_time_ns / TICK_NS }
    }
}

impl Ledgers {
    /// Only responses are told of that have been out for so many milliseconds.
    pub(crate) fn new(age_min_ms: u64) -> Self {
        raise_open_files_limit();
        Self { age_min_ms, known: BTreeMap::new(), is_full: false }
    }

    /// Gives hooks to those of the wanted processes that have none yet, takes them back from those
    /// that have become another program, and says what is on the ledger of each whose exact key is
    /// among the `holders` of sockets. The wanted ones are told by pid and when they started, in
    /// clock ticks since boot.
    pub(crate) fn look(
        &mut self,
        kernel: &mut Kernel,
        programs: &mut GoPrograms,
        wanted: &BTreeMap<u32, u64>,
        holders: &[ProcessKey],
    ) -> Vec<Input> {
        self.let_go(wanted);
        self.welcome(kernel, programs, wanted);
        self.tell(kernel, programs, holders)
    }

    /// Whoever has hooks keeps them until it ends, whatever sockets it holds meanwhile.
    fn let_go(&mut self, wanted: &BTreeMap<u32, u64>) {
        self.known.retain(|process, standing| match standing {
            Standing::Followed(followed) => followed.runs_on(),
            Standing::Left { program, .. } => {
                wanted.get(&process.pid) == Some(&process.started)
                    && program_file(process.pid).is_ok_and(|now| now == *program)
            }
        });
    }

    fn welcome(
        &mut self,
        kernel: &mut Kernel,
        programs: &mut GoPrograms,
        wanted: &BTreeMap<u32, u64>,
    ) {
        let begin = Instant::now();
        let is_followed = |standing: &&Standing| matches!(standing, Standing::Followed(_));
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
            // What is left over has its turn at the next look.
            if begin.elapsed() > NEWCOMERS_MAX {
                return;
            }
            let Ok(program) = program_file(pid) else { continue };
            let key = ProcessKey { pid, start_time_ns: started * TICK_NS };
            let standing = match Followed::begin(kernel, programs, key) {
                Some(Ok(new)) => {
                    followed += 1;
                    Standing::Followed(Box::new(new))
                }
                Some(Err(reason)) => Standing::Left { program, reason: Some(reason) },
                None => Standing::Left { program, reason: None },
            };
            self.known.insert(process, standing);
        }
    }

    /// Reads the ledger, once for all.
    fn tell(
        &mut self,
        kernel: &mut Kernel,
        programs: &mut GoPrograms,
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
        let mut out = self.sort(kernel, &records, at);
        let exact: BTreeMap<Process, ProcessKey> =
            holders.iter().map(|key| (Process::from(*key), *key)).collect();
        for (process, standing) in &mut self.known {
            // Of a process without a socket, nothing can be out.
            let Some(&key) = exact.get(process) else { continue };
            let page = match standing {
                Standing::Followed(followed) => {
                    followed.tell(programs, key, out.remove(process).unwrap_or_default())
                }
                Standing::Left { reason, .. } => reason.clone().map(|it| (Vec::new(), vec![it])),
            };
            let ledger = |(open, limits)| Input::Ledger(Ledger { process: key, at, open, limits });
            inputs.extend(page.map(ledger));
        }
        inputs
    }

    /// Whose is what, of what is old enough. What is nobody's any more is taken off the ledger.
    fn sort(
        &self,
        kernel: &mut Kernel,
        records: &[(LedgerKey, LedgerRecord)],
        at: Timestamp,
    ) -> BTreeMap<Process, Vec<Entry>> {
        let mut out: BTreeMap<Process, Vec<Entry>> = BTreeMap::new();
        for (key, record) in records {
            let owner = ProcessKey { pid: record.pid, start_time_ns: record.start_time_ns };
            let owner = Process::from(owner);
            let since = Timestamp::from_ns(record.at_ns);
            let age_ms = at.ms_since(since);
            match (self.known.get(&owner), object(key)) {
                // A process that has become another program has new hooks.
                (Some(Standing::Followed(followed)), Some(object)) if followed.since <= since => {
                    if age_ms >= self.age_min_ms {
                        let stack = u32::try_from(record.stack).ok().map(StackId);
                        out.entry(owner).or_default().push(Entry { object, since, stack });
                    }
                }
                (Some(Standing::Followed(_)), None) if age_ms < PENDING_MAX_MS => {}
                _ => kernel.take_off_ledger(*key),
            }
        }
        out
    }
}

/// What carries a response; `None` if nothing does yet.
fn object(key: &LedgerKey) -> Option<HttpObject> {
    let kinds = [LedgerKind::Connection, LedgerKind::Stream];
    let kind = kinds.into_iter().find(|kind| *kind as u32 == key.kind)?;
    Some(HttpObject { kind, address: key.object })
}

/// Device and inode of the file that a process runs.
fn program_file(pid: u32) -> io::Result<FileKey> {
    Ok(FileKey::of(&fs::metadata(format!("/proc/{pid}/exe"))?))
}

/// Raises the soft limit of open files to the hard limit: each uprobe takes a file descriptor, and
/// the usual soft limit of 1024 is meant for programs that call `select`.
fn raise_open_files_limit() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

#[cfg(test)]
#[cfg(feature = "root-tests")]
mod as_root;
