//! The open HTTP responses of all processes, by file descriptor.
//!
//! A list of open responses is complete: the next list of the process replaces it, and a
//! response that is missing from the next list was released. Only the time for which nothing was
//! read from an HTTP/2 stream is carried over.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};
use core::cmp::Reverse;

use crate::{HttpStream, Ledger, Limit, OpenResponse, ProcessKey, StackId, Timestamp};

/// The maximum number of consecutive snapshots for which the list of a process may be missing,
/// because its memory could not be read or there was no time. After one more, the old list is
/// dropped.
const SNAPSHOTS_WITHOUT_MAX: u64 = 3;

/// An open response, as of the latest list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    fd: u32,
    /// When the response was requested.
    pub(crate) since: Timestamp,
    /// The stack at which the response was requested.
    pub(crate) stack: Option<StackId>,
    /// The HTTP/2 stream of the response; `None` for HTTP/1.
    pub(crate) stream: Option<Stream>,
}

/// The HTTP/2 stream of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    id: u32,
    /// Bytes of the stream that were received and that the application has not read.
    pub(crate) held_bytes: u64,
    /// [`HttpStream::read_mark`](crate::HttpStream::read_mark).
    read_mark: u64,
    /// The time of the list since which the application has read nothing.
    pub(crate) unread_since: Timestamp,
    /// Whether the application was ever seen to read data of the stream.
    pub(crate) was_read: bool,
}

/// The open responses, by process. Their total number is limited.
#[derive(Debug)]
pub(crate) struct OpenResponses {
    by_process: BTreeMap<ProcessKey, ProcessResponses>,
    /// The maximum number of responses kept, for all processes together.
    responses_max: usize,
    /// The number of responses kept.
    kept: usize,
    /// The processes whose list was dropped because it was too old, and has not been replaced.
    stale: BTreeSet<ProcessKey>,
}

#[derive(Debug)]
struct ProcessResponses {
    /// Number of the snapshot after which the list was read.
    snapshot: u64,
    /// The responses, ordered by file descriptor, then by stream.
    responses: Vec<Response>,
    /// The number of responses for which there was no room.
    left_out: u64,
    limits: Vec<Limit>,
}

impl OpenResponses {
    pub(crate) const fn new(responses_max: usize) -> Self {
        Self { by_process: BTreeMap::new(), responses_max, kept: 0, stale: BTreeSet::new() }
    }

    /// Replaces the list of a process. Returns whether the open responses have changed.
    pub(crate) fn replace(&mut self, ledger: Ledger, snapshot: u64) -> bool {
        let before = self.remove(ledger.process).map(|list| list.responses).unwrap_or_default();
        self.stale.remove(&ledger.process);
        let mut responses: Vec<Response> = ledger
            .open
            .iter()
            .map(|open| Response::new(open, find(&before, open), ledger.at))
            .collect();
        // A file descriptor carries one HTTP/1 response at a time. If there are two, the later one
        // is current.
        responses.sort_unstable_by_key(|it| (it.fd_and_stream(), Reverse(it.since)));
        responses.dedup_by_key(|it| it.fd_and_stream());
        let left_out = responses.len().saturating_sub(self.responses_max - self.kept);
        responses.truncate(responses.len() - left_out);
        let has_changed =
            !responses.iter().map(Response::identity).eq(before.iter().map(Response::identity));
        self.kept += responses.len();
        let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        let list = ProcessResponses { snapshot, responses, left_out, limits: ledger.limits };
        self.by_process.insert(ledger.process, list);
        has_changed
    }

    /// Forgets the processes that are gone, and drops the lists that are too old at this snapshot.
    pub(crate) fn retain(&mut self, snapshot: u64, exists: impl Fn(&ProcessKey) -> bool) {
        self.stale.retain(&exists);
        let is_old = |list: &ProcessResponses| snapshot > list.snapshot + SNAPSHOTS_WITHOUT_MAX;
        let dropped = self.by_process.iter().filter(|(key, list)| !exists(key) || is_old(list));
        let dropped: Vec<ProcessKey> = dropped.map(|(key, _)| *key).collect();
        for key in dropped {
            self.remove(key);
            if exists(&key) {
                self.stale.insert(key);
            }
        }
    }

    fn remove(&mut self, key: ProcessKey) -> Option<ProcessResponses> {
        let list = self.by_process.remove(&key)?;
        self.kept -= list.responses.len();
        Some(list)
    }

    /// The open responses on this file descriptor.
    pub(crate) fn on(&self, process: ProcessKey, fd: u32) -> &[Response] {
        let Some(list) = self.by_process.get(&process) else { return &[] };
        let start = list.responses.partition_point(|response| response.fd < fd);
        let end = list.responses.partition_point(|response| response.fd <= fd);
        &list.responses[start..end]
    }

    /// The stacks at which the responses were requested.
    pub(crate) fn stacks(&self) -> impl Iterator<Item = StackId> {
        let lists = self.by_process.values();
        lists.flat_map(|list| list.responses.iter().filter_map(|response| response.stack))
    }

    /// Whether there is no open response in any process.
    pub(crate) const fn is_empty(&self) -> bool {
        self.kept == 0
    }

    /// The number of responses for which there was no room.
    pub(crate) fn left_out(&self) -> u64 {
        self.by_process.values().fold(0, |sum, list| sum.saturating_add(list.left_out))
    }

    /// The number of processes whose list was dropped because it was too old.
    pub(crate) fn stale(&self) -> u64 {
        u64::try_from(self.stale.len()).unwrap_or(u64::MAX)
    }

    /// Why lists are incomplete, for each process.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &[Limit]> {
        self.by_process.values().map(|list| list.limits.as_slice())
    }
}

impl Response {
    /// The response `open` of a new list; `before` is the same response in the previous list.
    fn new(open: &OpenResponse, before: Option<&Self>, at: Timestamp) -> Self {
        let stream = open.stream.map(|stream| {
            let HttpStream { id, held_bytes, read_mark } = stream;
            let before = before.and_then(|before| before.stream);
            let unread = before.filter(|before| before.read_mark == read_mark);
            Stream {
                id,
                held_bytes,
                read_mark,
                unread_since: unread.map_or(at, |before| before.unread_since),
                was_read: before.is_some_and(|it| it.was_read || it.read_mark != read_mark),
            }
        });
        Self { fd: open.fd, since: open.since, stack: open.stack, stream }
    }

    fn fd_and_stream(&self) -> (u32, Option<u32>) {
        (self.fd, self.stream.map(|stream| stream.id))
    }

    /// The identity of a response in the list of its process. The time is part of it because stream
    /// identifiers start again when a file descriptor is reused.
    fn identity(&self) -> ((u32, Option<u32>), Timestamp) {
        (self.fd_and_stream(), self.since)
    }
}

/// The response `open` in the previous list; `None` if it was not in that list.
fn find<'a>(before: &'a [Response], open: &OpenResponse) -> Option<&'a Response> {
    let fd_and_stream = (open.fd, open.stream.map(|stream| stream.id));
    let index = before.binary_search_by_key(&fd_and_stream, Response::fd_and_stream).ok()?;
    before.get(index).filter(|response| response.since == open.since)
}
