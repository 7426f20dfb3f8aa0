//! The page of one process: what is out, joined to the connections that carry it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use tracer_core::{Limit, OpenResponse, StackId, Timestamp};

use tracer_inspect::go::{HttpObject, ResolvedConnection};

/// Most responses that are joined to their connections at one look.
const JOINED_MAX: usize = 4096;

/// A response on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) object: HttpObject,
    /// When it was asked for.
    pub(super) since: Timestamp,
    pub(super) stack: Option<StackId>,
}

/// Tells responses apart: what carries one carries another one later.
type Name = (Timestamp, u64);

impl Entry {
    const fn name(&self) -> Name {
        (self.since, self.object.address)
    }
}

/// Looks into the process for the descriptor that each of these is on.
///
/// # Errors
/// Why nothing can be known of any.
pub(super) type Resolve<'a> =
    &'a mut dyn FnMut(&[HttpObject]) -> Result<Vec<Option<ResolvedConnection>>, Limit>;

/// What is kept of a page from one look to the next.
#[derive(Debug, Default)]
pub(super) struct ResponsesInFlight {
    /// What was found twice, and the same both times.
    confirmed: BTreeMap<Name, ResolvedConnection>,
    /// What was not.
    missing: BTreeSet<Name>,
    /// The process could not be looked into the last time.
    was_refused: bool,
}

impl ResponsesInFlight {
    /// The responses that are out, the oldest first, each with its connection; and why that is not
    /// all of them, one sentence. `None`: the process could not be looked into, for the first time
    /// in a row.
    ///
    /// The memory of a running process is read while it changes, so nothing counts that was read
    /// once: it takes the same answer at the look before, or twice at this one.
    pub(super) fn write(
        &mut self,
        mut entries: Vec<Entry>,
        resolve: Resolve<'_>,
    ) -> Option<(Vec<OpenResponse>, Option<Limit>)> {
        entries.sort_unstable_by_key(Entry::name);
        let count = entries.len();
        entries.truncate(JOINED_MAX);
        let confirmed = match self.confirm(&entries, resolve) {
            Ok(confirmed) => confirmed,
            Err(reason) => {
                let was_refused = std::mem::replace(&mut self.was_refused, true);
                return was_refused.then(|| (Vec::new(), Some(reason)));
            }
        };
        let is_missing = |name: &Name| !confirmed.contains_key(name);
        let missing: BTreeSet<Name> = entries.iter().map(Entry::name).filter(is_missing).collect();
        // What was given back meanwhile is not on the next page.
        let unknown = missing.intersection(&self.missing).count();
        *self = Self { confirmed, missing, was_refused: false };
        let open = entries.iter().filter_map(|entry| {
            let ResolvedConnection { fd, stream, is_awaited } =
                *self.confirmed.get(&entry.name())?;
            let response = OpenResponse { fd, since: entry.since, stack: entry.stack, stream };
            // Of one that somebody waits for or reads there is nothing to be said.
            (!is_awaited).then_some(response)
        });
        Some((open.collect(), limits(count, unknown)))
    }

    fn confirm(
        &self,
        entries: &[Entry],
        resolve: Resolve<'_>,
    ) -> Result<BTreeMap<Name, ResolvedConnection>, Limit> {
        let mut found = find(entries.iter(), resolve)?;
        let known = |name: &Name, connection: &ResolvedConnection| {
            self.confirmed.get(name).is_some_and(|before| is_same(before, connection))
        };
        let is_new = |entry: &&Entry| {
            let name = entry.name();
            found.get(&name).is_some_and(|connection| !known(&name, connection))
        };
        let again = find(entries.iter().filter(is_new), resolve)?;
        found.retain(|name, connection| {
            known(name, connection)
                || again.get(name).is_some_and(|again| is_same(again, connection))
        });
        Ok(found)
    }
}

fn find<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    resolve: Resolve<'_>,
) -> Result<BTreeMap<Name, ResolvedConnection>, Limit> {
    let (names, objects): (Vec<Name>, Vec<HttpObject>) =
        entries.map(|entry| (entry.name(), entry.object)).unzip();
    if objects.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = names.into_iter().zip(resolve(&objects)?);
    Ok(found.filter_map(|(name, connection)| Some((name, connection?))).collect())
}

/// The bytes that a stream holds may change, where it is may not.
fn is_same(one: &ResolvedConnection, other: &ResolvedConnection) -> bool {
    let id = |connection: &ResolvedConnection| connection.stream.map(|stream| stream.id);
    one.fd == other.fd && id(one) == id(other)
}

/// Why the list of `total` responses is not complete; `None` if it is. Of `missing` the connection
/// was not found.
fn limits(total: usize, missing: usize) -> Option<Limit> {
    if total > JOINED_MAX {
        return Some(Limit::ResponsesTruncated { resolved: JOINED_MAX, total });
    }
    (missing > 0).then_some(Limit::ConnectionsNotFound { missing, total })
}

#[cfg(test)]
mod tests;
