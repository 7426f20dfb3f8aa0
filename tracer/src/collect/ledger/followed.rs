//! A process with uprobes.

use std::os::fd::OwnedFd;

use tracer_core::{Limit, OpenResponse, ProcessKey, Timestamp};
use tracer_inspect::{
    clock,
    go::{Entries, HttpObject, ResolvedConnection},
    process::image::Image,
};

use super::{
    program_file,
    response_list::{Entry, ResponseList, Step},
};
use crate::collect::kernel::{load::Kernel, uprobes::LedgerLinks};

/// A list that was read from memory later than this after the BPF map is compared with the map
/// again, in milliseconds: a response that was released in between may have left its connection to
/// another one.
const LATE_MS: u64 = 200;

/// What was found in a process to which no uprobes are attached yet.
#[derive(Debug)]
pub(super) struct Found {
    /// Read before everything else, so that it shows whether the rest is still true.
    pub(super) image: Image,
    pub(super) entries: Entries,
    pub(super) file: OwnedFd,
}

/// A process whose HTTP responses are tracked until this is dropped.
#[derive(Debug)]
pub(super) struct Followed {
    /// When the uprobes were attached. Earlier entries of the ledger are those of another program
    /// that the process ran before `execve`.
    pub(super) since: Timestamp,
    image: Image,
    responses: ResponseList,
    /// When the BPF map was read for the list that is being read.
    read_at: Timestamp,
    /// Why not all of its responses are tracked.
    limits: Vec<Limit>,
    /// The uprobes.
    pub(super) links: LedgerLinks,
}

/// The progress of a list of open responses.
#[derive(Debug)]
pub(super) enum Progress {
    /// The objects that have to be found in the memory of the process.
    Resolve(Vec<HttpObject>),
    /// The open responses, and why the list is incomplete.
    Listed(Vec<OpenResponse>, Vec<Limit>),
    /// The process could not be inspected this time.
    Unknown,
}

impl Followed {
    /// Attaches uprobes to a process. `None`: it has exited, or executed another program.
    ///
    /// # Errors
    /// Why its responses cannot be tracked. In that case, it has no uprobes.
    pub(super) fn attach(
        kernel: &mut Kernel,
        key: ProcessKey,
        found: Found,
    ) -> Option<Result<Self, Limit>> {
        let Found { image, entries, file } = found;
        let checked = program_file::check(&file, key.pid, &entries.hooks);
        if !image.is_current() {
            return None;
        }
        if let Err(limit) = checked {
            return Some(Err(limit));
        }
        let since = clock::now();
        let path = program_file::path(&file);
        let links = match kernel.attach_ledger(key.pid, &path, &entries.hooks) {
            Ok(links) => links,
            Err(error) => {
                return Some(Err(Limit::UprobesRefused { detail: format!("{error:#}") }));
            }
        };
        let followed = Self {
            since,
            image,
            responses: ResponseList::default(),
            read_at: since,
            limits: entries.limits,
            links,
        };
        followed.is_current().then_some(Ok(followed))
    }

    /// Whether the process still runs the program that has the uprobes.
    pub(super) fn is_current(&self) -> bool {
        self.image.is_current()
    }

    /// Whether a list is being read.
    pub(super) const fn is_pending(&self) -> bool {
        self.responses.is_pending()
    }

    /// Whether a list is being read that waits for the connections of these objects.
    pub(super) fn is_asked(&self, objects: &[HttpObject]) -> bool {
        self.responses.is_asked(objects)
    }

    /// Begins a list with what the BPF map had at `at`.
    pub(super) fn begin(&mut self, entries: Vec<Entry>, at: Timestamp) -> Progress {
        self.read_at = at;
        let step = self.responses.begin(entries);
        self.progress(step)
    }

    /// Continues with the connections of the objects that had to be found.
    pub(super) fn resolved(
        &mut self,
        found: Result<Vec<Option<ResolvedConnection>>, Limit>,
    ) -> Progress {
        let step = self.responses.resolved(found);
        self.progress(step)
    }

    /// Drops the list that is being read, because it cannot be continued.
    pub(super) fn abandon(&mut self) {
        self.responses.abandon();
    }

    /// When the BPF map was read for the latest list.
    pub(super) const fn read_at(&self) -> Timestamp {
        self.read_at
    }

    /// Whether the list that was just completed has to be compared with the BPF map again.
    pub(super) fn is_late(&self) -> bool {
        clock::now().ms_since(self.read_at) > LATE_MS
    }

    fn progress(&self, step: Step) -> Progress {
        match step {
            Step::Resolve(objects) => Progress::Resolve(objects),
            Step::Listed(open, limit) => {
                Progress::Listed(open, self.limits.iter().cloned().chain(limit).collect())
            }
            Step::Unknown => Progress::Unknown,
        }
    }
}
