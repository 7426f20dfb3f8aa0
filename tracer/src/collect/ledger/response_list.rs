//! The open responses of one process, assigned to their connections. Pure.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::{Limit, OpenResponse, StackId, Timestamp};

use tracer_inspect::go::{HttpObject, ResolvedConnection};

/// Maximum number of responses assigned to connections after one snapshot.
const RESOLVED_MAX: usize = 4096;

/// A response on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) object: HttpObject,
    /// When it was requested.
    pub(super) since: Timestamp,
    pub(super) stack: Option<StackId>,
}

/// Identifies a response: its time of request and its object, because an object carries several
/// responses over time.
type ResponseKey = (Timestamp, u64);

impl Entry {
    const fn key(&self) -> ResponseKey {
        (self.since, self.object.address)
    }
}

/// The next step in building a list.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The connections of these objects have to be found in the memory of the process.
    Resolve(Vec<HttpObject>),
    /// The open responses, the oldest first, each with its connection; and why the list is
    /// incomplete.
    Listed(Vec<OpenResponse>, Option<Limit>),
    /// The process could not be inspected this time, but could be the previous time.
    Unknown,
}

/// The responses of one process, as of the latest snapshot.
#[derive(Debug, Default)]
pub(super) struct ResponseList {
    /// Responses whose connection was found to be the same twice in a row.
    confirmed: BTreeMap<ResponseKey, ResolvedConnection>,
    /// Responses whose connection was not found.
    missing: BTreeSet<ResponseKey>,
    /// Whether the process could not be inspected after the latest snapshot.
    was_refused: bool,
    /// The list that is being built.
    pending: Option<Pending>,
}

/// A list that is being built.
#[derive(Debug)]
struct Pending {
    /// The oldest responses first.
    entries: Vec<Entry>,
    /// The number of responses, of which `entries` may be a part.
    total: usize,
    /// The responses whose connections are being searched.
    wanted: Vec<ResponseKey>,
    /// The objects of the responses that were asked about.
    asked: Vec<HttpObject>,
    /// The connections found the first time, during the second search.
    first: Option<BTreeMap<ResponseKey, ResolvedConnection>>,
}

impl ResponseList {
    /// Whether a list is being built.
    pub(super) const fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether the list that is being built waits for the connections of these objects.
    pub(super) fn is_asked(&self, objects: &[HttpObject]) -> bool {
        self.pending.as_ref().is_some_and(|pending| pending.asked == objects)
    }

    /// Begins a list.
    ///
    /// The memory of a running process changes while it is being read. So a connection counts only
    /// if the same one was found after the previous snapshot, or is found twice now.
    pub(super) fn begin(&mut self, mut entries: Vec<Entry>) -> Step {
        entries.sort_unstable_by_key(Entry::key);
        let total = entries.len();
        entries.truncate(RESOLVED_MAX);
        let wanted = entries.iter().map(Entry::key).collect();
        let objects: Vec<HttpObject> = entries.iter().map(|entry| entry.object).collect();
        let pending = Pending { entries, total, wanted, asked: objects.clone(), first: None };
        if objects.is_empty() {
            return self.list(pending, BTreeMap::new());
        }
        self.pending = Some(pending);
        Step::Resolve(objects)
    }

    /// Continues with the connections of the objects that had to be found, in their order.
    pub(super) fn resolved(
        &mut self,
        found: Result<Vec<Option<ResolvedConnection>>, Limit>,
    ) -> Step {
        let Some(mut pending) = self.pending.take() else { return Step::Unknown };
        let found = match found {
            Ok(found) => found,
            Err(reason) => {
                let was_refused = std::mem::replace(&mut self.was_refused, true);
                return if was_refused {
                    Step::Listed(Vec::new(), Some(reason))
                } else {
                    Step::Unknown
                };
            }
        };
        let found = std::mem::take(&mut pending.wanted).into_iter().zip(found);
        let found: BTreeMap<ResponseKey, ResolvedConnection> =
            found.filter_map(|(key, connection)| Some((key, connection?))).collect();
        if let Some(mut first) = pending.first.take() {
            first.retain(|key, connection| {
                self.is_known(key, connection)
                    || found.get(key).is_some_and(|again| is_same(again, connection))
            });
            return self.list(pending, first);
        }
        let is_new = |entry: &&Entry| {
            let key = entry.key();
            found.get(&key).is_some_and(|connection| !self.is_known(&key, connection))
        };
        let (wanted, objects): (Vec<ResponseKey>, Vec<HttpObject>) =
            pending.entries.iter().filter(is_new).map(|it| (it.key(), it.object)).unzip();
        if objects.is_empty() {
            return self.list(pending, found);
        }
        let asked = objects.clone();
        self.pending = Some(Pending { wanted, asked, first: Some(found), ..pending });
        Step::Resolve(objects)
    }

    /// Drops the list that is being built, because it cannot be continued.
    pub(super) fn abandon(&mut self) {
        self.pending = None;
    }

    fn is_known(&self, key: &ResponseKey, connection: &ResolvedConnection) -> bool {
        self.confirmed.get(key).is_some_and(|before| is_same(before, connection))
    }

    fn list(
        &mut self,
        Pending { entries, total, .. }: Pending,
        confirmed: BTreeMap<ResponseKey, ResolvedConnection>,
    ) -> Step {
        let is_missing = |key: &ResponseKey| !confirmed.contains_key(key);
        let missing: BTreeSet<ResponseKey> =
            entries.iter().map(Entry::key).filter(is_missing).collect();
        // A response that was closed in the meantime is not in the ledger next time.
        let missing_twice = missing.intersection(&self.missing).count();
        *self = Self { confirmed, missing, was_refused: false, pending: None };
        let open = entries.iter().filter_map(|entry| {
            let ResolvedConnection { fd, stream, is_awaited } =
                *self.confirmed.get(&entry.key())?;
            let response = OpenResponse { fd, since: entry.since, stack: entry.stack, stream };
            // A goroutine is waiting for this response or reading it, so it is not suspicious.
            (!is_awaited).then_some(response)
        });
        Step::Listed(open.collect(), limits(total, missing_twice))
    }
}

/// Whether both are the same connection: the buffered bytes of a stream may differ, but not its
/// file descriptor and id.
fn is_same(one: &ResolvedConnection, other: &ResolvedConnection) -> bool {
    let id = |connection: &ResolvedConnection| connection.stream.map(|stream| stream.id);
    one.fd == other.fd && id(one) == id(other)
}

/// Why the list of `total` responses is incomplete; `None` if it is complete. The connections of
/// `missing` responses were not found.
fn limits(total: usize, missing: usize) -> Option<Limit> {
    if total > RESOLVED_MAX {
        return Some(Limit::ResponsesTruncated { resolved: RESOLVED_MAX, total });
    }
    (missing > 0).then_some(Limit::ConnectionsNotFound { missing, total })
}

#[cfg(test)]
mod tests;
