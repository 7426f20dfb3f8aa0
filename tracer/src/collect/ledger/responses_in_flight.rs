//! The responses in flight of one process, assigned to their connections. Pure.

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

/// Finds the file descriptor of each object in the memory of the process.
///
/// # Errors
/// Why none can be found.
pub(super) type Resolve<'a> =
    &'a mut dyn FnMut(&[HttpObject]) -> Result<Vec<Option<ResolvedConnection>>, Limit>;

/// The responses of one process, as of the latest snapshot.
#[derive(Debug, Default)]
pub(super) struct ResponsesInFlight {
    /// Responses whose connection was found to be the same twice in a row.
    confirmed: BTreeMap<ResponseKey, ResolvedConnection>,
    /// Responses whose connection was not found.
    missing: BTreeSet<ResponseKey>,
    /// Whether the process could not be inspected after the latest snapshot.
    was_refused: bool,
}

impl ResponsesInFlight {
    /// The responses in flight, the oldest first, each with its connection; and why the list is
    /// incomplete. `None`: the process could not be inspected this time, but could be the previous
    /// time.
    ///
    /// The memory of a running process changes while it is being read. So a connection counts only
    /// if the same one was found after the previous snapshot, or is found twice now.
    pub(super) fn update(
        &mut self,
        mut entries: Vec<Entry>,
        resolve: Resolve<'_>,
    ) -> Option<(Vec<OpenResponse>, Option<Limit>)> {
        entries.sort_unstable_by_key(Entry::key);
        let count = entries.len();
        entries.truncate(RESOLVED_MAX);
        let confirmed = match self.confirm(&entries, resolve) {
            Ok(confirmed) => confirmed,
            Err(reason) => {
                let was_refused = std::mem::replace(&mut self.was_refused, true);
                return was_refused.then(|| (Vec::new(), Some(reason)));
            }
        };
        let is_missing = |key: &ResponseKey| !confirmed.contains_key(key);
        let missing: BTreeSet<ResponseKey> =
            entries.iter().map(Entry::key).filter(is_missing).collect();
        // A response that was closed in the meantime is not in the ledger next time.
        let missing_twice = missing.intersection(&self.missing).count();
        *self = Self { confirmed, missing, was_refused: false };
        let open = entries.iter().filter_map(|entry| {
            let ResolvedConnection { fd, stream, is_awaited } =
                *self.confirmed.get(&entry.key())?;
            let response = OpenResponse { fd, since: entry.since, stack: entry.stack, stream };
            // A goroutine is waiting for this response or reading it, so it is not suspicious.
            (!is_awaited).then_some(response)
        });
        Some((open.collect(), limits(count, missing_twice)))
    }

    fn confirm(
        &self,
        entries: &[Entry],
        resolve: Resolve<'_>,
    ) -> Result<BTreeMap<ResponseKey, ResolvedConnection>, Limit> {
        let mut found = find(entries.iter(), resolve)?;
        let known = |key: &ResponseKey, connection: &ResolvedConnection| {
            self.confirmed.get(key).is_some_and(|before| is_same(before, connection))
        };
        let is_new = |entry: &&Entry| {
            let key = entry.key();
            found.get(&key).is_some_and(|connection| !known(&key, connection))
        };
        let again = find(entries.iter().filter(is_new), resolve)?;
        found.retain(|key, connection| {
            known(key, connection) || again.get(key).is_some_and(|again| is_same(again, connection))
        });
        Ok(found)
    }
}

fn find<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    resolve: Resolve<'_>,
) -> Result<BTreeMap<ResponseKey, ResolvedConnection>, Limit> {
    let (keys, objects): (Vec<ResponseKey>, Vec<HttpObject>) =
        entries.map(|entry| (entry.key(), entry.object)).unzip();
    if objects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = keys.into_iter().zip(resolve(&objects)?);
    Ok(found.filter_map(|(key, connection)| Some((key, connection?))).collect())
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
