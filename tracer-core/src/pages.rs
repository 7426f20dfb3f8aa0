//! The pages of the ledgers: which responses of which process are out, and on which descriptors.
//!
//! A page is whole: the next one takes its place, and what is not on that was given back. Only of
//! the streams of HTTP/2 something is carried over, namely since when nobody has read from them.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use core::cmp::Reverse;

use crate::{HttpStream, Ledger, OpenResponse, ProcessKey, StackId, Timestamp};

/// So many looks in a row may bring no page of a process, for its memory could not be read or there
/// was no time. After one more the page is worth nothing.
const LOOKS_WITHOUT_MAX: u64 = 3;

/// A response that is out, as the latest page has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    fd: u32,
    /// When the request was made.
    pub(crate) since: Timestamp,
    /// By whom.
    pub(crate) stack: Option<StackId>,
    /// Its stream, in HTTP/2.
    pub(crate) stream: Option<Stream>,
}

/// The stream of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    id: u32,
    /// Bytes that have arrived and that the application has not read.
    pub(crate) held_bytes: u64,
    /// [`HttpStream::read_mark`](crate::HttpStream::read_mark).
    read_mark: u64,
    /// Since which page the application has read none of them.
    pub(crate) unmoved_since: Timestamp,
    /// The application was seen to have read some, at some time.
    pub(crate) was_read: bool,
}

/// What the ledgers say, by process. Bounded.
#[derive(Debug)]
pub(crate) struct Pages {
    by_process: BTreeMap<ProcessKey, Page>,
    /// Most responses that are kept of all pages together.
    responses_max: usize,
    /// Those that are.
    kept: usize,
    /// The processes whose page became worthless and that have had none since.
    stale: BTreeSet<ProcessKey>,
}

#[derive(Debug)]
struct Page {
    /// Number of the look that brought it.
    look: u64,
    /// By descriptor, then by stream.
    responses: Vec<Response>,
    /// Responses for which there was no room.
    left_out: u64,
    limits: Option<String>,
}

impl Pages {
    pub(crate) const fn new(responses_max: usize) -> Self {
        Self { by_process: BTreeMap::new(), responses_max, kept: 0, stale: BTreeSet::new() }
    }

    /// Takes in a page in place of the process's earlier one. Gives true if others are out now than
    /// were.
    pub(crate) fn take(&mut self, ledger: Ledger, look: u64) -> bool {
        let before = self.remove(ledger.process).map(|page| page.responses).unwrap_or_default();
        self.stale.remove(&ledger.process);
        let mut responses: Vec<Response> = ledger
            .open
            .iter()
            .map(|open| Response::new(open, find(&before, open), ledger.at))
            .collect();
        // A descriptor has one response of HTTP/1. Of two, the later one is there.
        responses.sort_unstable_by_key(|it| (it.place(), Reverse(it.since)));
        responses.dedup_by_key(|it| it.place());
        let left_out = responses.len().saturating_sub(self.responses_max - self.kept);
        responses.truncate(responses.len() - left_out);
        let is_news =
            !responses.iter().map(Response::identity).eq(before.iter().map(Response::identity));
        self.kept += responses.len();
        let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        let page = Page { look, responses, left_out, limits: ledger.limits };
        self.by_process.insert(ledger.process, page);
        is_news
    }

    /// Forgets the processes that are gone, and as of this look what it is too long since a page
    /// came.
    pub(crate) fn retain(&mut self, look: u64, is_there: impl Fn(&ProcessKey) -> bool) {
        self.stale.retain(&is_there);
        let is_over = |page: &Page| look > page.look + LOOKS_WITHOUT_MAX;
        let over = self.by_process.iter().filter(|(key, page)| !is_there(key) || is_over(page));
        let over: Vec<ProcessKey> = over.map(|(key, _)| *key).collect();
        for key in over {
            self.remove(key);
            if is_there(&key) {
                self.stale.insert(key);
            }
        }
    }

    fn remove(&mut self, key: ProcessKey) -> Option<Page> {
        let page = self.by_process.remove(&key)?;
        self.kept -= page.responses.len();
        Some(page)
    }

    /// The responses that are out on this descriptor.
    pub(crate) fn on(&self, process: ProcessKey, fd: u32) -> &[Response] {
        let Some(page) = self.by_process.get(&process) else { return &[] };
        let start = page.responses.partition_point(|response| response.fd < fd);
        let end = page.responses.partition_point(|response| response.fd <= fd);
        &page.responses[start..end]
    }

    /// Nothing is out anywhere.
    pub(crate) const fn are_empty(&self) -> bool {
        self.kept == 0
    }

    /// Responses for which there was no room.
    pub(crate) fn left_out(&self) -> u64 {
        self.by_process.values().fold(0, |sum, page| sum.saturating_add(page.left_out))
    }

    /// Processes whose ledger has not been read of late.
    pub(crate) fn stale(&self) -> u64 {
        u64::try_from(self.stale.len()).unwrap_or(u64::MAX)
    }

    /// Why pages are not complete.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &str> {
        self.by_process.values().filter_map(|page| page.limits.as_deref())
    }
}

impl Response {
    /// `before` is the same response on the page before.
    fn new(open: &OpenResponse, before: Option<&Self>, at: Timestamp) -> Self {
        let stream = open.stream.map(|stream| {
            let HttpStream { id, held_bytes, read_mark } = stream;
            let before = before.and_then(|before| before.stream);
            let unmoved = before.filter(|before| before.read_mark == read_mark);
            Stream {
                id,
                held_bytes,
                read_mark,
                unmoved_since: unmoved.map_or(at, |before| before.unmoved_since),
                was_read: before.is_some_and(|it| it.was_read || it.read_mark != read_mark),
            }
        });
        Self { fd: open.fd, since: open.since, stack: open.stack, stream }
    }

    fn place(&self) -> (u32, Option<u32>) {
        (self.fd, self.stream.map(|stream| stream.id))
    }

    /// Streams are numbered anew where a descriptor is used again, but not at the same time.
    fn identity(&self) -> ((u32, Option<u32>), Timestamp) {
        (self.place(), self.since)
    }
}

/// The response of this place and time, among those of the page before.
fn find<'a>(before: &'a [Response], open: &OpenResponse) -> Option<&'a Response> {
    let place = (open.fd, open.stream.map(|stream| stream.id));
    let index = before.binary_search_by_key(&place, Response::place).ok()?;
    before.get(index).filter(|response| response.since == open.since)
}
