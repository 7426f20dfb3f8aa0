use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

use crate::ProcessKey;

/// Whose turn it is to be asked about, where not all can be at once.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// The round in which each had its latest turn.
    had: BTreeMap<ProcessKey, u64>,
    /// Those that had to wait in the latest round.
    pub(crate) waiting: usize,
}

impl Turns {
    /// At most `most` of these: those that never had a turn first, then those whose was longest ago.
    pub(crate) fn take(
        &mut self,
        keys: impl IntoIterator<Item = ProcessKey>,
        round: u64,
        most: usize,
    ) -> BTreeSet<ProcessKey> {
        let mut keys: Vec<ProcessKey> = keys.into_iter().collect();
        keys.sort_by_key(|key| (self.had.get(key).copied(), *key));
        self.waiting = keys.len().saturating_sub(most);
        keys.truncate(most);
        self.had.extend(keys.iter().map(|key| (*key, round)));
        keys.into_iter().collect()
    }

    /// This one had no turn after all.
    pub(crate) fn forget(&mut self, key: &ProcessKey) {
        self.had.remove(key);
    }

    /// Forgets the processes that are gone.
    pub(crate) fn retain(&mut self, is_there: impl Fn(&ProcessKey) -> bool) {
        self.had.retain(|key, _| is_there(key));
    }
}
