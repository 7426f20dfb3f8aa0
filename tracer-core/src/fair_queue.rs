//! Selects the keys to serve when there are more than can be served at once.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    vec::Vec,
};

/// Serves the keys that have waited longest.
#[derive(Debug)]
pub(crate) struct FairQueue<K> {
    /// The round in which each key was last served.
    served: BTreeMap<K, u64>,
    /// The number of keys that were not served in the latest round.
    pub(crate) waiting: usize,
}

impl<K> Default for FairQueue<K> {
    fn default() -> Self {
        Self { served: BTreeMap::new(), waiting: 0 }
    }
}

impl<K: Copy + Ord> FairQueue<K> {
    /// At most `max` of these keys: first those that were never served, then those that were
    /// served longest ago.
    pub(crate) fn take(
        &mut self,
        keys: impl IntoIterator<Item = K>,
        round: u64,
        max: usize,
    ) -> BTreeSet<K> {
        let mut keys: Vec<K> = keys.into_iter().collect();
        keys.sort_by_key(|key| (self.served.get(key).copied(), *key));
        self.waiting = keys.len().saturating_sub(max);
        keys.truncate(max);
        self.served.extend(keys.iter().map(|key| (*key, round)));
        keys.into_iter().collect()
    }

    /// Treats a key as never served, because its question was not answered.
    pub(crate) fn forget(&mut self, key: &K) {
        self.served.remove(key);
    }

    /// Forgets the keys that no longer exist.
    pub(crate) fn retain(&mut self, exists: impl Fn(&K) -> bool) {
        self.served.retain(|key, _| exists(key));
    }
}
